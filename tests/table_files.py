"""The same table as the files that people have: CSV of each dialect, and workbooks."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from openpyxl import Workbook

Rows = Sequence[Sequence[object]]


class Form(NamedTuple):
    """How a table is written: an encoding with its mark ("" is a workbook), the delimiter, and `sep=` or not."""

    encoding: str
    delimiter: str = ","
    has_sep_line: bool = False

    @property
    def name(self) -> str:
        return "table.csv" if self.encoding else "table.xlsx"


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1250")
FORMS = [
    *(Form(e, d, sep) for e in ENCODINGS for d in (",", ";", "\t") for sep in (False, True)),
    Form("utf-8", "|", True),
    Form(""),
]


def write_table(path: Path, rows: Rows, form: Form) -> Path:
    if not form.encoding:
        return write_sheet(path, rows)
    stream = io.StringIO(newline="")
    if form.has_sep_line:
        stream.write(f"sep={form.delimiter}\r\n")
    csv.writer(stream, delimiter=form.delimiter).writerows(rows)
    path.write_bytes(stream.getvalue().encode(form.encoding))
    return path


def write_sheet(path: Path, rows: Rows, *, change: Callable[[Workbook], object] | None = None) -> Path:
    """A workbook as Excel writes it, with its texts in one list that cells share; `change` is made before saving."""
    book = Workbook()
    for line, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            cell = book.active.cell(line, column)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
    if change:
        change(book)
    book.save(path)
    return path
