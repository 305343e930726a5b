"""Excel workbooks as tables: the first sheet read as a stream, and sheets of plain cells written."""

import re
import warnings
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from xml.etree.ElementTree import ParseError, iterparse
from zipfile import BadZipFile, ZipFile

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from get_tags_train.core.csv import Row, of_cell
from get_tags_train.core.encoding import open_file
from get_tags_train.core.errors import InputError
from get_tags_train.core.files import atomic_write
from get_tags_train.core.i18n import N_, _

ENDINGS = (".xlsx", ".xlsm")
MAX_ROWS = 1_048_576
_MAX_BYTES = 1 << 30
_EXACT_DIGITS = 15
_CHUNK_BYTES = 1 << 20
_LINE_POINTS = 15.0
_STRINGS_IN_MEMORY_BYTES = 1 << 26
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# What the library raises at a file that some program wrote wrongly, or that is damaged.
_DAMAGE = (
    BadZipFile, ParseError, zlib.error, EOFError, OSError, RuntimeError, LookupError, ValueError, TypeError,
    AttributeError, ArithmeticError,
)  # fmt: skip

DATE, TRUTH_VALUE, FORMULA = N_("a date"), N_("TRUE or FALSE"), N_("a formula without a value")


# It says on standard error what it leaves out of a workbook: pictures, rules of validation.
warnings.filterwarnings("ignore", module="openpyxl")


class ExcelCell(str):
    """The text of a cell that holds something else, and what: a date, TRUE or FALSE, a formula never computed."""

    holds: str

    def __new__(cls, text: str, holds: str) -> "ExcelCell":
        cell = super().__new__(cls, text)
        cell.holds = holds
        return cell


def is_workbook(path: Path) -> bool:
    """Whether the name of a file says that it is a workbook that can be read."""
    return path.suffix.lower() in ENDINGS


def workbook_rows(path: Path, name: str, if_missing: str = "") -> Iterator[Row]:
    """The rows of the first visible sheet, counted as Excel counts them; hidden rows are rows too.

    A cell is the text that it has in a CSV file: 12.0 is 12, a number with the format 00000 keeps its zeros, a formula
    is its last value. Memory does not grow with the file. Raises InputError where it is no workbook.
    """
    with ExitStack() as opened:
        sheet = opened.enter_context(_first_sheet(path, name, if_missing, data_only=True))
        sources: Iterable[Any] = repeat(())
        if _has_formulas(path):
            sources = opened.enter_context(_first_sheet(path, name, if_missing, data_only=False))
        for line, (cells, written) in enumerate(zip(sheet, sources, strict=False), start=1):
            texts = [_text(cell) for cell in cells]
            for at, (cell, source) in enumerate(zip(cells, written, strict=False)):
                if source.data_type == "f" and cell.value is None and cell.data_type == "n":
                    texts[at] = ExcelCell("=", FORMULA)
            yield Row(line, texts)


def write_workbook(
    path: Path,
    header: Mapping[str, float],
    rows: Iterable[Iterable[str | float | None]],
    *,
    title: str = "",
    choices: Mapping[str, Sequence[str]] | None = None,
    row_lines: int = 1,
) -> None:
    """Write a workbook of texts and numbers, whole or not at all; no text is a formula.

    header: the columns' names, with their widths in characters. It stays in sight, with a filter for each column. What
    is more than a sheet can hold goes on the next one, with its header. title: a line above the header. choices: what
    the cells of a column may be set to, offered as a list. row_lines: how many lines of text a row shows.
    """
    top = 2 if title else 1
    with atomic_write(path) as stream, ExitStack() as written:
        book = Workbook(write_only=True)
        sheet: Any = None
        for number, row in enumerate(rows):
            place = number % (MAX_ROWS - top)
            if place == 0:
                sheet = _new_sheet(book, header, written, title)
                _offer(sheet, header, choices or {}, top)
            if row_lines > 1:
                sheet.row_dimensions[place + top + 1].height = row_lines * _LINE_POINTS
            sheet.append([_cell(sheet, value, wraps=row_lines > 1) for value in row])
            sheet.auto_filter.ref = f"A{top}:{get_column_letter(len(header))}{place + top + 1}"
        if sheet is None:
            _new_sheet(book, header, written, title)
        book.save(stream)


def _new_sheet(book: Any, header: Mapping[str, float], written: ExitStack, title: str) -> Any:
    """A sheet that is closed also where its rows end with an error."""
    sheet = book.create_sheet()
    written.callback(lambda: None if sheet.closed else sheet.close())
    sheet.freeze_panes = "A3" if title else "A2"
    for place, width in enumerate(header.values(), start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    if title:
        sheet.append([_cell(sheet, title)])
    sheet.append([_cell(sheet, name, is_bold=True) for name in header])
    return sheet


def _offer(sheet: Any, header: Mapping[str, float], choices: Mapping[str, Sequence[str]], top: int) -> None:
    """Let the cells of some columns be chosen from a list, and refuse what is not in it; top: the header's row."""
    for column, values in choices.items():
        letter = get_column_letter(list(header).index(column) + 1)
        offered = DataValidation(type="list", formula1=f'"{",".join(values)}"', allow_blank=True, showErrorMessage=True)
        offered.add(f"{letter}{top + 1}:{letter}{MAX_ROWS}")
        sheet.data_validations.append(offered)


def _cell(sheet: Any, value: str | float | None, *, is_bold: bool = False, wraps: bool = False) -> Any:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, _ESCAPED.sub(r"_x005F_x\1_", _NOT_XML.sub("", value)))
    cell.data_type = "s"  # the library takes what begins with = for a formula
    if is_bold:
        cell.font = Font(bold=True)
    if wraps:
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


@contextmanager
def _first_sheet(path: Path, name: str, if_missing: str, *, data_only: bool) -> Iterator[Iterator[Any]]:
    """The cells of the first visible sheet, row by row; data_only: values of formulas instead of formulas."""
    with open_file(path, name, if_missing) as stream, SpooledTemporaryFile(_STRINGS_IN_MEMORY_BYTES) as spool:
        _check_kind(stream, name)
        with _told_as_damage(name):
            _check_size(stream, name)
            reader = _Reader(stream, read_only=True, data_only=data_only, keep_links=False)
            reader.shared_strings = _Strings(spool)
            reader.read()
            sheets = [sheet for sheet in reader.wb.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise InputError(
                _("{name} has no sheet that can be read.", name=name),
                _("Save it in Excel as .xlsx, with the table on its first sheet."),
            )
        sheets[0].reset_dimensions()  # programs write wrong ones, and rows beyond them would be lost
        yield _each(sheets[0].rows, name)


def _check_kind(stream: IO[bytes], name: str) -> None:
    """That it is an archive, as workbooks are. Raises InputError."""
    start = stream.read(8)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(
            _("{name} has a password, or is an old .xls file.", name=name),
            _("Save it in Excel as .xlsx without a password."),
        )
    if not start.startswith(b"PK"):
        raise InputError(
            _("{name} is not an Excel workbook, whatever its name says.", name=name),
            _("Give it the ending of what it is, .csv or .txt; or save it in Excel as .xlsx."),
        )


def _check_size(stream: IO[bytes], name: str) -> None:
    """That it is not many times larger than it looks. Raises InputError."""
    with ZipFile(stream) as archive:
        if sum(part.file_size for part in archive.infolist() if part.filename.endswith(".xml")) > _MAX_BYTES:
            raise InputError(_("{path} is larger than 1 GB.", path=name), _("Check that it is the file you mean."))


def _has_formulas(path: Path) -> bool:
    """Whether any of its sheets has a formula."""
    with ZipFile(path) as archive:
        for part in archive.namelist():
            if part.startswith("xl/worksheets/") and part.endswith(".xml"):
                with archive.open(part) as stream:
                    before = b""
                    while chunk := stream.read(_CHUNK_BYTES):
                        if _FORMULA.search(before + chunk):
                            return True
                        before = chunk[-20:]
    return False


@contextmanager
def _told_as_damage(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(
            _("{name} cannot be read as an Excel workbook: {error}.", name=name, error=error),
            _("Open it in Excel and save it once more as .xlsx."),
        ) from error


def _each(rows: Iterable[Any], name: str) -> Iterator[Any]:
    each = iter(rows)
    while True:
        with _told_as_damage(name):
            try:
                row = next(each)
            except StopIteration:
                return
        yield row


def _text(cell: Any) -> str:
    """What a CSV file would hold of a cell."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return ExcelCell(str(value).upper(), TRUTH_VALUE)
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    if isinstance(value, datetime):
        return ExcelCell(value.isoformat(" ").removesuffix(" 00:00:00"), DATE)
    if isinstance(value, date | time | timedelta):
        return ExcelCell(str(value), DATE)
    return of_cell(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), value))


def _number(value: float, number_format: str) -> str:
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.15g}"
    digits = str(int(value))
    kept = digits.lstrip("-")
    if len(kept) > _EXACT_DIGITS and (isinstance(value, float) or not kept[_EXACT_DIGITS:].strip("0")):
        return f"{Decimal(digits):.5E}"  # as Excel shows a number whose last digits it has lost
    return digits.zfill(len(number_format)) if not number_format.strip("0") else digits


class _Strings:
    """The texts that cells share, in a file: they are nearly all of a workbook."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._starts = file, array("Q", [0])

    def add(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogatepass")
        self._file.seek(self._starts[-1])
        self._file.write(raw)
        self._starts.append(self._starts[-1] + len(raw))

    def __getitem__(self, number: int) -> str:
        start, stop = self._starts[number : number + 2]  # raises ValueError where there is no such text
        self._file.seek(start)
        return self._file.read(stop - start).decode("utf-8", "surrogatepass")


class _Reader(ExcelReader):  # type: ignore[misc]
    """The library's reader, but for the shared texts, which it holds in memory."""

    shared_strings: _Strings

    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """A sheet that is one chart has no rows."""

    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)
        if part is None:
            return
        with self.archive.open(part.PartName[1:]) as source:
            events = iterparse(source, ("start", "end"))
            _event, root = next(events)
            for event, node in events:
                if event == "end" and node.tag == f"{{{SHEET_MAIN_NS}}}si":
                    self.shared_strings.add(Text.from_tree(node).content)
                    root.clear()
