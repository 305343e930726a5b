"""CSV as people's Excel writes it: any of three delimiters, UTF-8 or cp1250, with or without a header."""

import ast
import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from get_tags_train.errors import InputError
from get_tags_train.folders import replacing
from get_tags_train.text import CEDILLA_TO_COMMA, normalise_tag
from get_tags_train.words import _

ID_HEADERS = {"id", "ids", "doc_id", "document_id", "documentid", "docid", "id_document", "iddocument"}
TEXT_HEADERS = {"text", "texts", "document", "content"}
_LABEL_HEADERS = {"labels", "label", "tags", "tag", "label-uri", "etichete", "taguri"}
DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 1 << 30
# A cell, or a line, that is longer is no text but a file of something else, or one whose quotes do not close.
MOST_CELL_CHARACTERS = 1 << 26
_SHOWN_ROWS = 3
_FORMULA, _NUMBER = re.compile(r"[=+\-@\t\r]"), re.compile(r"[+-]?\d+([.,]\d+)?")
_COMMA_TO_CEDILLA = {ord(comma): cedilla for cedilla, comma in CEDILLA_TO_COMMA.items()}

csv.field_size_limit(MOST_CELL_CHARACTERS)


class Row(NamedTuple):
    """The cells of one record and the line of the file that it begins on."""

    line: int
    cells: list[str]


def read_ids(path: Path) -> list[str]:
    """The ids of a file with one column, in order, as text; header and empty lines left out. Raises InputError."""
    hint = _("It holds the ids of the documents to train on, one a line: write it, or name another with --ids FILE.")
    rows = _rows(read_text(path, hint), ",")
    wide = [row for row in rows if any(map(str.strip, row.cells[1:])) or re.search(r"[;\t]\s*[^;\s]", row.cells[0])]
    if wide:
        raise InputError(
            _("{path} has more than one column. {shown}", path=path, shown=_shown(wide)),
            _("It should be one column of document ids."),
        )
    ids = [row.cells[0].strip().rstrip(";\t").strip() for row in rows]
    only_numbers_follow = len(ids) > 1 and all(map(_is_number, ids[1:]))
    if ids and (ids[0].lower() in ID_HEADERS or (only_numbers_follow and not _is_number(ids[0]))):
        ids = ids[1:]
    ids = [i for i in ids if i]
    if not ids:
        raise InputError(
            _("{path} has no document id in it. {shown}", path=path, shown=_shown(rows)),
            _("It should be one column of document ids."),
        )
    return ids


def read_samples(path: Path) -> list[tuple[int, str, list[str]]]:
    """(line, text, labels) of each record of a file with the columns text and labels. Raises InputError."""
    hint = _(
        "It holds examples to score the model by, in two columns, text and labels: write it, or name another as "
        "samples under [evaluation]."
    )
    text_first, rows = _without_header(_two_columns(path, read_text(path, hint), _("text and labels"))[1])
    text_at, labels_at = (0, 1) if text_first else (1, 0)
    samples = []
    for row in rows:
        if not row.cells[text_at].strip():
            raise InputError(
                _("{path}, line {line}: the text is empty.", path=path, line=row.line),
                _("Fill it in or delete the row."),
            )
        try:
            labels = parse_labels(of_cell(row.cells[labels_at].strip()))
        except ValueError as error:
            raise InputError(
                _("{path}, line {line}: the labels cannot be read: {error}.", path=path, line=row.line, error=error),
                _('Write labels as a;b or a|b, or as a list: ["a", "b"].'),
            ) from error
        samples.append((row.line, of_cell(row.cells[text_at]), labels))
    if not samples:
        raise InputError(
            _("{path} has no examples in it.", path=path), _("It should have two columns, text and labels.")
        )
    return samples


def read_columns(path: Path, columns: Sequence[str]) -> list[Row]:
    """The cells of these columns of a file of ours, whatever Excel made of its delimiter and its order.

    Raises InputError naming the column that is missing, or the line that is too short.
    """
    text = read_text(path)
    tables = [_rows(text, delimiter) for delimiter in DELIMITERS]
    rows = max(tables, key=lambda table: len(set(columns) & set(table[0].cells if table else ())))
    header = [cell.strip() for cell in rows[0].cells] if rows else []
    if missing := [column for column in columns if column not in header]:
        raise InputError(
            _("{path} has no column {missing}.", path=path, missing=missing[0]),
            _("It should have the columns {columns}; see its backups.", columns=", ".join(columns)),
        )
    places = [header.index(column) for column in columns]
    if short := [row for row in rows if len(row.cells) <= max(places)]:
        raise InputError(
            _("{path}, line {line}: cells are missing.", path=path, line=short[0].line),
            _("Mend that line, or remove it."),
        )
    return [Row(row.line, [of_cell(row.cells[place]) for place in places]) for row in rows[1:]]


def append_samples(path: Path, examples: Iterable[tuple[str, Sequence[str]]]) -> Path:
    """Add (text, labels) rows to a file of samples, written as its own are; returns the copy of the old file.

    The old bytes stay as they are. Raises InputError where the file cannot be read.
    """
    raw, text = path.read_bytes(), read_text(path)
    style = _style(path, text)
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=style.delimiter, lineterminator=style.line_end)
    for example, labels in examples:
        cells = [as_cell(example.replace("\n", style.line_end)), as_cell(_label_cell(labels, style.labels))]
        writer.writerow(cells if style.text_first else reversed(cells))
    gap = "" if text.endswith(("\n", "\r")) else style.line_end
    added = (gap + as_written(written.getvalue(), encoding_of(raw))).encode(encoding_of(raw))
    backup = path.with_name(f"{path.stem}_{datetime.now():%Y%m%d-%H%M%S}{path.suffix}")
    for target, content in ((backup, raw), (path, raw + added)):
        with replacing(target) as stream:
            stream.write(content)
    return backup


def encoding_of(raw: bytes) -> str:
    """The encoding of a text file's bytes, as decode_text reads them; for adding to them, so without the mark."""
    if raw.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if raw.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "cp1250"
    return "utf-8"


def as_written(text: str, encoding: str) -> str:
    """The text in letters that the encoding has: cp1250 knows ş and ţ with a cedilla only.

    Raises UnicodeEncodeError where a letter is left that it does not have.
    """
    if encoding == "cp1250":
        text = text.translate(_COMMA_TO_CEDILLA)
    text.encode(encoding)
    return text


class _Style(NamedTuple):
    """How a file of samples is written; `labels` is ;, | or [ for a JSON list."""

    delimiter: str
    line_end: str
    text_first: bool
    labels: str


def _style(path: Path, text: str) -> _Style:
    delimiter, rows = _two_columns(path, text, _("text and labels"))
    text_first, rows = _without_header(rows)
    cells = [row.cells[1 if text_first else 0].strip() for row in rows]
    labels = "[" if any(c.startswith("[") for c in cells) else "|" if any("|" in c for c in cells) else ";"
    return _Style(delimiter, "\r\n" if "\r\n" in text else "\n", text_first, labels)


def _label_cell(labels: Sequence[str], style: str) -> str:
    if style == "[" or any(mark in label for label in labels for mark in ";|") or labels[0].startswith("["):
        return json.dumps(list(labels), ensure_ascii=False)
    return style.join(labels)


def read_tags_map(path: Path) -> dict[str, str]:
    """What each tag of a file with the columns tag and becomes turns into, chains followed; '' drops the tag.

    No file is an empty map. Raises InputError naming the line of a cycle or of a tag that stands there twice.
    """
    if not path.exists():
        return {}
    rows = _two_columns(path, read_text(path), _("tag and becomes"))[1]
    if rows and [cell.strip().lower() for cell in rows[0].cells] == ["tag", "becomes"]:
        rows = rows[1:]
    becomes: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in rows:
        tag, target = map(normalise_tag, row.cells)
        if not tag or becomes.get(tag, target) != target:
            wrong = (
                _("{tag} stands on line {lines} too, and becomes something else there", tag=tag, lines=lines[tag])
                if tag
                else _("it has no tag")
            )
            raise InputError(
                _("{path}, line {line}: {wrong}.", path=path, line=row.line, wrong=wrong),
                _("Give each tag one line: tag, becomes."),
            )
        if tag != target:
            becomes[tag] = target
            lines.setdefault(tag, row.line)
    for tag in becomes:
        followed = [tag]
        while (target := becomes[followed[-1]]) in becomes:
            if target in followed:
                cycle = " -> ".join([*followed[followed.index(target) :], target])
                raise InputError(
                    _("{path}, line {lines}: {cycle} has no end.", path=path, lines=lines[tag], cycle=cycle),
                    _("Remove one of these lines."),
                )
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
                raise ValueError(_("a list that is not complete")) from error
        if not isinstance(parts, list | tuple) or not all(isinstance(p, str | int | float) for p in parts):
            raise ValueError(_("a list of something other than texts"))
    else:
        parts = re.split(r"[;|]", cell)
    return list(dict.fromkeys(tag for part in parts if (tag := normalise_tag(str(part)))))


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file that Excel opens with its letters right (UTF-8 with BOM), whole or not at all."""
    with replacing(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        csv.writer(text).writerows(map(as_cell, row) for row in rows)
        text.flush()
        text.detach()


def as_lines(rows: Iterable[Iterable[object]]) -> str:
    """Rows as write_csv writes them."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows(map(as_cell, row) for row in rows)
    return written.getvalue()


def as_cell(value: object) -> str:
    """A value as a cell that no spreadsheet computes: an apostrophe stands before what could begin a formula."""
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def of_cell(cell: str) -> str:
    """The value of a cell that as_cell has written."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell


def read_text(path: Path, if_missing: str = "") -> str:
    """A text file in UTF-8, UTF-16 or cp1250, at most 1 GB. Raises InputError, with the hint `if_missing`."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(_("{path} is larger than 1 GB.", path=path), _("Check that it is the file you mean."))
        raw = path.read_bytes()
    except FileNotFoundError:
        hint = if_missing or _("Check its name and folder.")
        raise InputError(_("There is no file {path}.", path=path), hint) from None
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}.", path=path, reason=error.strerror), _("Check the path and its rights.")
        ) from error
    return decode_text(raw, str(path))


def decode_text(raw: bytes, name: str) -> str:
    """Bytes as UTF-8, UTF-16 with its mark, or cp1250; `name` is what the message calls them. Raises InputError."""
    is_utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ["utf-16"] if is_utf16 else ["utf-8-sig", "cp1250"]:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(
        _("{name} is not text in UTF-8 or cp1250.", name=name), _("Save it as UTF-8; in Excel: CSV UTF-8.")
    )


def _rows(text: str, delimiter: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(Row(line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            _("The record that begins on line {line} cannot be read: {reason}.", line=line, reason=error),
            _("Check its quotes."),
        ) from error
    return rows


def _two_columns(path: Path, text: str, names: str) -> tuple[str, list[Row]]:
    """The delimiter that gives two columns in every row, or failing that in the most, and the rows parsed with it."""
    parsed = []
    for delimiter in DELIMITERS:
        rows = [Row(r.line, _without_empty_tail(r.cells)) for r in _rows(text, delimiter)]
        parsed.append((sum(len(row.cells) == 2 for row in rows) / max(len(rows), 1), delimiter, rows))
    _fit, delimiter, rows = max(parsed, key=lambda candidate: candidate[0])
    if bad := [row for row in rows if len(row.cells) != 2]:
        raise InputError(
            _("{path} should have two columns, {names}. {shown}", path=path, names=names, shown=_shown(bad)),
            _("Put a text that contains the delimiter in double quotes, as Excel does."),
        )
    return delimiter, rows


def _without_header(rows: list[Row]) -> tuple[bool, list[Row]]:
    """Whether the text comes before the labels, and the rows below the header, if there is one."""
    first = [cell.strip().lower() for cell in rows[0].cells] if rows else []
    if len(first) == 2 and first[0] in TEXT_HEADERS | _LABEL_HEADERS and first[1] in TEXT_HEADERS | _LABEL_HEADERS:
        return first[0] not in _LABEL_HEADERS, rows[1:]
    return True, rows


def _without_empty_tail(cells: list[str]) -> list[str]:
    while len(cells) > 2 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None


def _shown(rows: list[Row]) -> str:
    """The first few of these rows, shortened, with their lines."""
    if not rows:
        return _("It is empty.")
    shown = (_("line {line}: {cells!r}", line=r.line, cells=" | ".join(r.cells)[:60]) for r in rows[:_SHOWN_ROWS])
    more = len(rows) - _SHOWN_ROWS
    if more > 0:
        return _("See {shown} and {more:,} more.", shown="; ".join(shown), more=more)
    return _("See {shown}.", shown="; ".join(shown))
