"""CSV as people's Excel writes it: any of three delimiters, UTF-8 or cp1250, with or without a header."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from get_tags_train.core.errors import InputError
from get_tags_train.core.files import atomic_write
from get_tags_train.core.i18n import _

DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 1 << 30
# A cell, or a line, that is longer is no text but a file of something else, or one whose quotes do not close.
MOST_CELL_CHARACTERS = 1 << 26
_SHOWN_ROWS = 3
_FORMULA, _NUMBER = re.compile(r"[=+\-@\t\r]"), re.compile(r"[+-]?\d+([.,]\d+)?")

csv.field_size_limit(MOST_CELL_CHARACTERS)


class Row(NamedTuple):
    """The cells of one record and the line of the file that it begins on."""

    line: int
    cells: list[str]


def read_columns(path: Path, columns: Sequence[str]) -> list[Row]:
    """The cells of these columns of a file of ours, whatever Excel made of its delimiter and its order.

    Raises InputError naming the column that is missing, or the line that is too short.
    """
    text = read_text(path)
    tables = [records(text, delimiter) for delimiter in DELIMITERS]
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


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file that Excel opens with its letters right (UTF-8 with BOM), whole or not at all."""
    with atomic_write(path) as stream:
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


def records(text: str, delimiter: str) -> list[Row]:
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


def two_columns(path: Path, text: str, names: str) -> tuple[str, list[Row]]:
    """The delimiter that gives two columns in every row, or failing that in the most, and the rows parsed with it."""
    parsed = []
    for delimiter in DELIMITERS:
        rows = [Row(r.line, _without_empty_tail(r.cells)) for r in records(text, delimiter)]
        parsed.append((sum(len(row.cells) == 2 for row in rows) / max(len(rows), 1), delimiter, rows))
    _fit, delimiter, rows = max(parsed, key=lambda candidate: candidate[0])
    if bad := [row for row in rows if len(row.cells) != 2]:
        raise InputError(
            _("{path} should have two columns, {names}. {shown}", path=path, names=names, shown=first_rows(bad)),
            _("Put a text that contains the delimiter in double quotes, as Excel does."),
        )
    return delimiter, rows


def _without_empty_tail(cells: list[str]) -> list[str]:
    while len(cells) > 2 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def first_rows(rows: list[Row]) -> str:
    """The first few of these rows, shortened, with their lines."""
    if not rows:
        return _("It is empty.")
    shown = (_("line {line}: {cells!r}", line=r.line, cells=" | ".join(r.cells)[:60]) for r in rows[:_SHOWN_ROWS])
    more = len(rows) - _SHOWN_ROWS
    if more > 0:
        return _("See {shown} and {more:,} more.", shown="; ".join(shown), more=more)
    return _("See {shown}.", shown="; ".join(shown))
