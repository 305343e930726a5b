"""CSV as people's Excel writes it: any of three delimiters, UTF-8 or cp1250, with or without a header."""

import ast
import codecs
import csv
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from get_tags_train.errors import InputError
from get_tags_train.folders import replacing
from get_tags_train.text import normalise_tag

ID_HEADERS = {"id", "ids", "doc_id", "document_id", "documentid", "docid", "id_document", "iddocument"}
TEXT_HEADERS = {"text", "texts", "document", "content"}
_LABEL_HEADERS = {"labels", "label", "tags", "tag", "label-uri", "etichete", "taguri"}
DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 1 << 30
_SHOWN_ROWS = 3

csv.field_size_limit(2**31 - 1)


class Row(NamedTuple):
    """The cells of one record and the line of the file that it begins on."""

    line: int
    cells: list[str]


def read_ids(path: Path) -> list[str]:
    """The ids of a file with one column, in order, as text; header and empty lines left out. Raises InputError."""
    rows = _rows(read_text(path), ",")
    wide = [row for row in rows if any(map(str.strip, row.cells[1:])) or re.search(r"[;\t]\s*[^;\s]", row.cells[0])]
    if wide:
        raise InputError(f"{path} has more than one column. {_shown(wide)}", "It should be one column of document ids.")
    ids = [row.cells[0].strip().rstrip(";\t").strip() for row in rows]
    only_numbers_follow = len(ids) > 1 and all(map(_is_number, ids[1:]))
    if ids and (ids[0].lower() in ID_HEADERS or (only_numbers_follow and not _is_number(ids[0]))):
        ids = ids[1:]
    ids = [i for i in ids if i]
    if not ids:
        raise InputError(f"{path} has no document id in it. {_shown(rows)}", "It should be one column of document ids.")
    return ids


def read_samples(path: Path) -> list[tuple[int, str, list[str]]]:
    """(line, text, labels) of each record of a file with the columns text and labels. Raises InputError."""
    text = read_text(path)
    rows = _two_columns(path, text, "text and labels")
    first = [cell.strip().lower() for cell in rows[0].cells] if rows else []
    text_at, labels_at = 0, 1
    if len(first) == 2 and first[0] in TEXT_HEADERS | _LABEL_HEADERS and first[1] in TEXT_HEADERS | _LABEL_HEADERS:
        rows = rows[1:]
        if first[0] in _LABEL_HEADERS:
            text_at, labels_at = 1, 0
    samples = []
    for row in rows:
        if not row.cells[text_at].strip():
            raise InputError(f"{path}, line {row.line}: the text is empty.", "Fill it in or delete the row.")
        try:
            labels = parse_labels(row.cells[labels_at])
        except ValueError as error:
            raise InputError(
                f"{path}, line {row.line}: the labels cannot be read: {error}.",
                'Write labels as a;b or a|b, or as a list: ["a", "b"].',
            ) from error
        samples.append((row.line, row.cells[text_at], labels))
    if not samples:
        raise InputError(f"{path} has no examples in it.", "It should have two columns, text and labels.")
    return samples


def read_tags_map(path: Path) -> dict[str, str]:
    """What each tag of a file with the columns tag and becomes turns into, chains followed; '' drops the tag.

    No file is an empty map. Raises InputError naming the line of a cycle or of a tag that stands there twice.
    """
    if not path.exists():
        return {}
    rows = _two_columns(path, read_text(path), "tag and becomes")
    if rows and [cell.strip().lower() for cell in rows[0].cells] == ["tag", "becomes"]:
        rows = rows[1:]
    becomes: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in rows:
        tag, target = map(normalise_tag, row.cells)
        if not tag or becomes.get(tag, target) != target:
            wrong = (
                f"{tag} stands on line {lines[tag]} too, and becomes something else there" if tag else "it has no tag"
            )
            raise InputError(f"{path}, line {row.line}: {wrong}.", "Give each tag one line: tag, becomes.")
        if tag != target:
            becomes[tag] = target
            lines.setdefault(tag, row.line)
    for tag in becomes:
        followed = [tag]
        while (target := becomes[followed[-1]]) in becomes:
            if target in followed:
                cycle = " -> ".join([*followed[followed.index(target) :], target])
                raise InputError(f"{path}, line {lines[tag]}: {cycle} has no end.", "Remove one of these lines.")
            followed.append(target)
        becomes[tag] = target
    return becomes


def parse_labels(cell: str) -> list[str]:
    """The tags in a cell: `a;b`, `a|b`, a JSON list or a Python list literal. Raises ValueError."""
    cell = cell.strip()
    if cell.startswith("["):
        try:
            parts = json.loads(cell)
        except (ValueError, RecursionError):
            try:
                parts = ast.literal_eval(cell)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise ValueError("a list that is not complete") from error
        if not isinstance(parts, list | tuple) or not all(isinstance(p, str | int | float) for p in parts):
            raise ValueError("a list of something other than texts")
    else:
        parts = re.split(r"[;|]", cell)
    return list(dict.fromkeys(tag for part in parts if (tag := normalise_tag(str(part)))))


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file that Excel opens with its letters right (UTF-8 with BOM), whole or not at all."""
    with replacing(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        csv.writer(text).writerows(rows)
        text.flush()
        text.detach()


def read_text(path: Path) -> str:
    """A text file in UTF-8, UTF-16 or cp1250, at most 1 GB. Raises InputError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is larger than 1 GB.", "Check that it is the file you mean.")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check its name and folder.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Check the path and its rights.") from error
    return decode_text(raw, str(path))


def decode_text(raw: bytes, name: str) -> str:
    """Bytes as UTF-8, UTF-16 with its mark, or cp1250; `name` is what the message calls them. Raises InputError."""
    is_utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ["utf-16"] if is_utf16 else ["utf-8-sig", "cp1250"]:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{name} is not text in UTF-8 or cp1250.", "Save it as UTF-8; in Excel: CSV UTF-8.")


def _rows(text: str, delimiter: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, line = [], 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            rows.append(Row(line, cells))
        line = reader.line_num + 1
    return rows


def _two_columns(path: Path, text: str, names: str) -> list[Row]:
    """Parse with the delimiter that gives two columns in every row, or failing that in the most."""
    parsed = []
    for delimiter in DELIMITERS:
        rows = [Row(r.line, _without_empty_tail(r.cells)) for r in _rows(text, delimiter)]
        parsed.append((sum(len(row.cells) == 2 for row in rows) / max(len(rows), 1), rows))
    _, rows = max(parsed, key=lambda candidate: candidate[0])
    if bad := [row for row in rows if len(row.cells) != 2]:
        raise InputError(
            f"{path} should have two columns, {names}. {_shown(bad)}",
            "Put a text that contains the delimiter in double quotes, as Excel does.",
        )
    return rows


def _without_empty_tail(cells: list[str]) -> list[str]:
    while len(cells) > 2 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None


def _shown(rows: list[Row]) -> str:
    """The first few of these rows, shortened, with their lines."""
    if not rows:
        return "It is empty."
    shown = (f"line {r.line}: {' | '.join(r.cells)[:60]!r}" for r in rows[:_SHOWN_ROWS])
    more = f" and {len(rows) - _SHOWN_ROWS} more" if len(rows) > _SHOWN_ROWS else ""
    return f"See {'; '.join(shown)}{more}."
