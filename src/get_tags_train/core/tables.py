"""Tables that people keep in files, CSV or Excel: one reader of them all, row by row."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from get_tags_train.core.csv import Dialect, Row, csv_rows, find_dialect, without_empty_tail
from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import FORMULA, ExcelCell, is_workbook, workbook_rows
from get_tags_train.core.i18n import _

_SHOWN_ROWS = 3
# What Excel writes where a formula failed, in English and Romanian, and where a column is too narrow.
_EXCEL_ERROR = re.compile(
    r"#(N/A|VALUE!|REF!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|BLOCKED!|VALOARE!|NUME\?|NUL!|GETTING_DATA|#+)"
)


@dataclass(frozen=True)
class Table:
    """A table whose form is known; going through it reads the file anew.

    header: the names of its columns, in lower case; none where the first row is one like the others. width: its
    columns. dialect: None for a workbook. Rows come without blank ones, and without empty cells beyond the width; those
    of a workbook have at least that width.
    """

    name: str
    header: Sequence[str]
    width: int
    dialect: Dialect | None
    _read: Callable[[], Iterator[Row]]
    _margin: int = 0  # empty columns to the left

    def __iter__(self) -> Iterator[Row]:
        rows = _filled(self._read())
        if self.header:
            next(rows, None)
        for line, cells in rows:
            if self._margin and not any(map(str.strip, cells[: self._margin])):
                cells = cells[self._margin :]
            cells = without_empty_tail(cells, self.width)
            if self.dialect is None and len(cells) < self.width:
                cells = cells + [""] * (self.width - len(cells))
            yield Row(line, cells)

    def place(self, column: str) -> int:
        """Where in a row this column stands. Raises InputError where it is not there, or twice."""
        if column not in self.header:
            raise InputError(
                _("{name} has no column {column}.", name=self.name, column=column),
                _("There are: {names}.", names=", ".join(filter(None, self.header)) or _("none")),
            )
        if self.header.count(column) > 1:
            raise InputError(
                _("{name} has two columns called {column}.", name=self.name, column=column),
                _("Give each its own name."),
            )
        return self.header.index(column)

    def text(self, row: Row, place: int) -> str:
        """A cell as text. Raises InputError where it holds an error of Excel, or a formula that it never computed."""
        cell = row.cells[place]
        if _EXCEL_ERROR.fullmatch(cell.strip()):
            raise InputError(
                _("{name}, line {line}: Excel's error {cell}.", name=self.name, line=row.line, cell=cell.strip()),
                _("Correct that cell, or remove the row."),
            )
        if isinstance(cell, ExcelCell) and cell.holds == FORMULA:
            raise InputError(
                _("{name}, line {line}: a formula without a value.", name=self.name, line=row.line),
                _("Open the file in Excel and save it: that computes it."),
            )
        return cell

    def word(self, row: Row, place: int) -> str:
        """A cell as an id or as labels: text or a number. Raises InputError where Excel holds something else."""
        cell = self.text(row, place)
        if isinstance(cell, ExcelCell):
            raise InputError(
                _(
                    "{name}, line {line}: Excel holds {cell} as {kind}.",
                    name=self.name,
                    line=row.line,
                    cell=cell,
                    kind=_(cell.holds),
                ),
                _("Format the column as text in Excel and type it again."),
            )
        return cell


def open_table(path: Path, columns: Collection[str], *, width: int = 0, name: str = "", if_missing: str = "") -> Table:
    """The table in a file: the first sheet of .xlsx and .xlsm, else CSV.

    columns: what its columns may be called, in lower case. width: how many it has; its header is optional, and told by
    having these names only. width 0: a header is its first row. `name` is for messages, `if_missing` the hint where
    there is no such file. Raises InputError.
    """
    name = name or str(path)
    dialect = None
    if is_workbook(path):
        read = partial(workbook_rows, path, name, if_missing)
    else:
        dialect = find_dialect(path, columns, width=width, name=name, if_missing=if_missing)
        read = partial(csv_rows, path, dialect, name)
    first = next(_filled(read()), Row(1, []))
    header = [cell.strip().lower() for cell in without_empty_tail(first.cells)]
    margin = 0
    if width:
        margin = next((place for place, cell in enumerate(header) if cell), 0)
        header = header[margin:]
        if len(header) != width or not all(cell in columns for cell in header):
            header, margin = [], 0
    return Table(name, header, width or len(header), dialect, read, margin)


def read_rows(table: Table, names: str) -> list[Row]:
    """All rows of a table, each as wide as it is; `names` are those of its columns. Raises InputError naming others."""
    rows = list(table)
    if bad := [row for row in rows if len(row.cells) != table.width]:
        raise InputError(
            _("{path} should have two columns, {names}. {shown}", path=table.name, names=names, shown=first_rows(bad)),
            _("Put a text that contains the delimiter in double quotes, as Excel does."),
        )
    return rows


def read_columns(path: Path, columns: Sequence[str]) -> list[Row]:
    """The cells of these columns of a file of ours, whatever Excel made of its delimiter and its order.

    Raises InputError naming the column that is missing, or the line that is too short.
    """
    table = open_table(path, columns)
    if missing := [column for column in columns if column not in table.header]:
        raise InputError(
            _("{path} has no column {missing}.", path=path, missing=missing[0]),
            _("It should have the columns {columns}; see its backups.", columns=", ".join(columns)),
        )
    places = [table.place(column) for column in columns]
    rows = list(table)
    if short := [row for row in rows if len(row.cells) <= max(places)]:
        raise InputError(
            _("{path}, line {line}: cells are missing.", path=path, line=short[0].line),
            _("Correct that line, or remove it."),
        )
    return [Row(row.line, [row.cells[place] for place in places]) for row in rows]


def first_rows(rows: Sequence[Row]) -> str:
    """The first few of these rows, shortened, with their lines."""
    if not rows:
        return _("It is empty.")
    shown = (_("line {line}: {cells!r}", line=r.line, cells=" | ".join(r.cells)[:60]) for r in rows[:_SHOWN_ROWS])
    more = len(rows) - _SHOWN_ROWS
    if more > 0:
        return _("See {shown} and {more:,} more.", shown="; ".join(shown), more=more)
    return _("See {shown}.", shown="; ".join(shown))


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    return (row for row in rows if any(map(str.strip, row.cells)))
