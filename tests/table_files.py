"""The same table as the files that people have: CSV of each dialect, and workbooks."""

import csv
import io
import re
import zipfile
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
    _share_texts(path)
    return path


def _share_texts(path: Path) -> None:
    """Move the texts of the first sheet into the list that cells share: Excel writes them there, openpyxl does not."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    shared: list[str] = []

    def moved(found: re.Match[str]) -> str:
        shared.append(found[2])
        return f'{found[1]} t="s"><v>{len(shared) - 1}</v></c>'

    sheet, types = "xl/worksheets/sheet1.xml", "[Content_Types].xml"
    parts[sheet] = re.sub(r'(<c [^>]*?) t="inlineStr"><is>(.*?)</is></c>', moved, parts[sheet], flags=re.DOTALL)
    parts["xl/sharedStrings.xml"] = (
        '<?xml version="1.0" encoding="UTF-8"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        + "".join(f"<si>{text}</si>" for text in shared)
        + "</sst>"
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    if "sharedStrings" not in parts[types]:
        parts[types] = parts[types].replace("</Types>", override)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
