"""CSV as people's Excel writes it, read as a stream and written so that Excel opens it right."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from get_tags_train.core.encoding import MAX_CELL_CHARACTERS, find_encoding, text_lines
from get_tags_train.core.errors import InputError
from get_tags_train.core.files import atomic_write
from get_tags_train.core.i18n import _

_DELIMITERS = (",", ";", "\t")
# No text has these two characters: they stand for no delimiter at all, and for the end of a file.
_ONE_COLUMN, _END = "\U0010ffff", "\U0010fffe"
_SEP_LINE = re.compile(r'"?sep=([^\w\r\n"]?)"?[,;\t ]*[\r\n]*', re.IGNORECASE)
_FORMULA, _NUMBER = re.compile(r"[=+\-@\t\r]"), re.compile(r"[+-]?\d+([.,]\d+)?")
# How exports keep Excel from making a number of 00001.
_EXACT = re.compile(r'="(.*)"', re.DOTALL)

csv.field_size_limit(MAX_CELL_CHARACTERS)


class Row(NamedTuple):
    """The cells of one record, and the line of the file that it begins on."""

    line: int
    cells: list[str]


class Dialect(NamedTuple):
    """How a CSV file is written: its codec, what stands between cells, and whether its first line says so."""

    encoding: str
    delimiter: str
    has_sep_line: bool


def find_dialect(path: Path, columns: Collection[str], *, width: int, name: str, if_missing: str = "") -> Dialect:
    """How a CSV file is written, found once.

    The first line `sep=;` says the delimiter, as does the ending .tsv. Else it is the one that gives a header with most
    of these columns (lower case), and none in a header of one column; without a header, the one that gives rows of
    `width` cells. width 0: there is a header. Raises InputError.
    """
    encoding = find_encoding(path, name, if_missing)
    sep_line = _SEP_LINE.fullmatch(next(text_lines(path, encoding, name), ""))

    def rows(delimiter: str) -> Iterator[list[str]]:
        found = csv_rows(path, Dialect(encoding, delimiter, sep_line is not None), name)
        return (row.cells for row in found)

    if sep_line and sep_line[1]:
        delimiter = sep_line[1]
    elif path.suffix.lower() in (".tsv", ".tab"):
        delimiter = "\t"
    else:
        delimiter = _find_delimiter(rows, columns, width)
    return Dialect(encoding, delimiter, sep_line is not None)


def csv_rows(path: Path, dialect: Dialect, name: str) -> Iterator[Row]:
    """The records of a CSV file, blank ones too. Raises InputError where quotes do not close."""
    lines = text_lines(path, dialect.encoding, name)
    if dialect.has_sep_line:
        next(lines)
    before = int(dialect.has_sep_line)
    reader = csv.reader(chain(lines, [_END]), delimiter=dialect.delimiter)
    line = 1
    try:
        for cells in reader:
            if cells == [_END]:
                return
            if cells and cells[-1].endswith(_END):
                raise InputError(
                    _("{name}, line {line}: the quotes opened there are never closed.", name=name, line=before + line),
                    _("Check the quotes of that record."),
                )
            yield Row(before + line, [of_cell(cell) for cell in cells])
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            _("{name}, line {line}: {reason}.", name=name, line=before + line, reason=error),
            _("Check the quotes of that record."),
        ) from error


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file that Excel opens with its letters right (UTF-8 with its mark), whole or not at all."""
    with atomic_write(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        csv.writer(text).writerows(map(as_cell, row) for row in rows)
        text.flush()
        text.detach()


def csv_text(rows: Iterable[Iterable[object]], delimiter: str = ",", line_end: str = "\r\n") -> str:
    """Rows as write_csv writes them."""
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=line_end).writerows(map(as_cell, row) for row in rows)
    return written.getvalue()


def as_cell(value: object) -> str:
    """A value as a cell that no spreadsheet computes: an apostrophe stands before what could begin a formula."""
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def of_cell(cell: str) -> str:
    """The value of a cell as as_cell has written it, or of ="00001"."""
    if cell.startswith("'") and _FORMULA.match(cell, 1):
        return cell[1:]
    exact = _EXACT.fullmatch(cell)
    return exact[1].replace('""', '"') if exact else cell


def without_empty_tail(cells: list[str], width: int = 0) -> list[str]:
    """The cells without the empty ones at their end that stand beyond `width`; Excel leaves such columns behind."""
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _find_delimiter(rows: Callable[[str], Iterator[list[str]]], columns: Collection[str], width: int) -> str:
    if width == 1:
        return _of_one_column(rows)
    headers = {delimiter: _first(rows(delimiter)) for delimiter in _DELIMITERS}
    known = {mark: sum(cell.strip().lower() in columns for cell in cells) for mark, cells in headers.items()}
    best = max(_DELIMITERS, key=lambda delimiter: (known[delimiter], len(headers[delimiter])))
    if not width:
        return best if len(headers[best]) > 1 else _ONE_COLUMN
    if known[best] == width == len(without_empty_tail(headers[best])):
        return best
    return max(_DELIMITERS, key=lambda delimiter: _fit(rows(delimiter), width))


def _first(rows: Iterator[list[str]]) -> list[str]:
    try:
        return next((cells for cells in rows if any(map(str.strip, cells))), [])
    except InputError:  # the quotes close with another delimiter, or reading says where they do not
        return []


def _fit(rows: Iterator[list[str]], width: int) -> tuple[float, float]:
    """The share of rows that have this width; and of these, negative, of a blank after the delimiter, as in prose."""
    count = fitting = blanks = 0
    try:
        for cells in rows:
            count += any(map(str.strip, cells))
            if any(map(str.strip, cells)) and len(without_empty_tail(cells, width)) == width:
                fitting += 1
                blanks += any(cell.startswith(" ") for cell in cells[1:])
    except InputError:
        return 0.0, 0.0
    return fitting / max(count, 1), -blanks / max(fitting, 1)


def _of_one_column(rows: Callable[[str], Iterator[list[str]]]) -> str:
    """The delimiter that parts any row, so that it can be told or its empty cells be left out; else none."""

    def parted(delimiter: str) -> tuple[int, int]:
        filled = several = 0
        for cells in rows(delimiter):
            filled += sum(map(bool, map(str.strip, cells))) > 1
            several += len(cells) > 1
        return filled, several

    found = {delimiter: parted(delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=found.__getitem__)
    return best if found[best] > (0, 0) else _ONE_COLUMN
