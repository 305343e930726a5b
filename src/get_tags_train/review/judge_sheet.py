"""A blind sheet and its key: what the judge sees, and what is kept of it beside the sheet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from get_tags_train.core.csv import Row, write_csv
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.excel import is_workbook, write_workbook
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.home import reviews_dir
from get_tags_train.core.i18n import N_, _, validation_message
from get_tags_train.core.tables import Table, open_table
from get_tags_train.model.evaluation_record import Record
from get_tags_train.review.marks import Mark, in_every_language, offered_marks, read_mark

Source = Literal["model", "live", "agreed", "absurd"]
# Of each column the name and the width; the first three tell whether a sheet is the one that was written.
_CODE, _DOCUMENT, _TAG = N_("row"), N_("document"), N_("tag")
_MARK, _COMMENT, _TEXT = N_("mark"), N_("comment"), N_("text")
_WIDTHS = {_CODE: 22, _DOCUMENT: 14, _TAG: 30, _MARK: 12, _COMMENT: 24, _TEXT: 110}
_ROW_LINES = 8
# Excel keeps 32,767 characters of a cell.
_LONGEST = 32_000


class JudgedDocument(Record):
    """A document of the sheet: its clean text, and its tags by the database where these are known."""

    id: str
    text: str
    labels: list[str] | None = None


class SheetRow(Record):
    """A tag of a document (its place in the list of documents), and whose it is."""

    document: int
    tag: str
    source: Source


class SheetKey(Record):
    """Whose each row of a sheet is, and how its documents were drawn.

    known: for each document on which the models differ, precision@k of the model less that of the live one by the
    known tags; those of the sheet come first, in its order. `documents` were looked at in all. The checksums are those
    of the files of both models.
    """

    format: int = 1
    sheet: str
    created: str
    model: str
    model_files: dict[str, str]
    live: str
    live_files: dict[str, str]
    top_k: int
    documents: int
    known: list[float]
    judged: list[JudgedDocument]
    rows: list[SheetRow]


class MarkedSheet(NamedTuple):
    """The marks and comments of one judge: (rows,) each, None and '' where there is none."""

    marks: list[Mark | None]
    comments: list[str]


def sheet_path(home: Path, sheet: str, ending: str) -> Path:
    """Where a sheet lies."""
    return reviews_dir(home) / f"judge-{sheet}{ending}"


def key_path(home: Path, sheet: str) -> Path:
    """Where the key of a sheet lies."""
    return sheet_path(home, sheet, ".key.json")


def write_sheet(path: Path, key: SheetKey) -> None:
    """Write what the judge gets: .xlsx with a list of marks to choose from, or .csv. Nothing in it tells the source."""
    header = {_(name): float(width) for name, width in _WIDTHS.items()}
    if is_workbook(path):
        write_workbook(path, header, _sheet_rows(key), choices={_(_MARK): offered_marks()}, row_lines=_ROW_LINES)
    else:
        write_csv(path, [list(header), *_sheet_rows(key)])


def write_key(home: Path, key: SheetKey) -> None:
    """Write the key of a sheet, whole or not at all."""
    write_json(key_path(home, key.sheet), key.as_json())


def read_key(home: Path, sheet: str) -> SheetKey:
    """The key of a sheet. Raises InputError where this home has none, GetTagsError where it is damaged."""
    path = key_path(home, sheet)
    try:
        return SheetKey.model_validate(read_json(path))
    except FileNotFoundError:
        raise InputError(
            _("The key of this sheet is not there: {path}.", path=path),
            _("Import it in the home where it was made (--home)."),
        ) from None
    except (OSError, ValueError) as error:
        reason = validation_message(error.errors()[0]) if isinstance(error, ValidationError) else str(error)
        raise GetTagsError(
            _("{path} cannot be read: {error}.", path=path, error=reason),
            _("Without it nobody knows whose a row is: make a new sheet."),
        ) from error


def read_marks(home: Path, path: Path) -> tuple[SheetKey, MarkedSheet]:
    """The key of a sheet that came back, and what the judge wrote in it; rows may be sorted, missing, or unmarked.

    Raises InputError where it is not the sheet that was written: other ids, tags or rows.
    """
    names = [_CODE, _DOCUMENT, _TAG, _MARK, _COMMENT, _TEXT]
    table = open_table(path, {word.lower() for name in names for word in in_every_language(name)})
    places = {name: _place(path, table, name) for name in (_CODE, _DOCUMENT, _TAG, _MARK, _COMMENT)}
    rows = list(table)
    if not rows:
        raise InputError(_("{path} has no rows.", path=path), _("Give the sheet that get-tags made."))
    key = read_key(home, table.text(rows[0], places[_CODE]).strip().rpartition("-")[0])
    marks: list[Mark | None] = [None] * len(key.rows)
    comments, seen = [""] * len(key.rows), set[int]()
    for row in rows:
        cells = {name: table.text(_whole(row, table.width), place).strip() for name, place in places.items()}
        number = _number(key, cells, row.line, path)
        if number in seen:
            raise _wrong_row(path, row.line, _("it is there twice"))
        seen.add(number)
        comments[number] = cells[_COMMENT]
        try:
            marks[number] = read_mark(cells[_MARK])
        except ValueError as error:
            raise _wrong_row(path, row.line, str(error)) from error
    return key, MarkedSheet(marks, comments)


def _sheet_rows(key: SheetKey) -> Iterator[list[str]]:
    for number, row in enumerate(key.rows):
        document = key.judged[row.document]
        yield [_code(key, number), document.id, row.tag, "", "", document.text[:_LONGEST]]


def _code(key: SheetKey, number: int) -> str:
    return f"{key.sheet}-{number + 1:03}"


def _place(path: Path, table: Table, name: str) -> int:
    """Where a column stands, whatever language it was written in. Raises InputError where it is not there."""
    words = [word.lower() for word in in_every_language(name)]
    found = next((word for word in words if word in table.header), None)
    if found is None:
        raise InputError(
            _("{path} is not a sheet of judge: it has no column {column}.", path=path, column=_(name)),
            _("Give the sheet that get-tags made, and keep its columns."),
        )
    return table.place(found)


def _whole(row: Row, width: int) -> Row:
    return Row(row.line, [*row.cells, *[""] * (width - len(row.cells))])


def _number(key: SheetKey, cells: Mapping[str, str], line: int, path: Path) -> int:
    """Which row of the sheet this is. Raises InputError where it is none of it, or not as it was."""
    sheet, _dash, digits = cells[_CODE].rpartition("-")
    number = int(digits) - 1 if digits.isdecimal() else -1
    if sheet != key.sheet or not 0 <= number < len(key.rows):
        raise _wrong_row(path, line, _("there is no row {code} in that sheet", code=repr(cells[_CODE][:40])))
    row = key.rows[number]
    for column, value in ((_DOCUMENT, key.judged[row.document].id), (_TAG, row.tag)):
        if cells[column] != value.strip():
            raise _wrong_row(path, line, _("its {column} was {value!r}", column=_(column), value=value))
    return number


def _wrong_row(path: Path, line: int, reason: str) -> InputError:
    return InputError(
        _("{path}, line {line}: {reason}.", path=path, line=line, reason=reason),
        _("Only the columns {mark} and {comment} are to be filled in; take the rest from the sheet as it was written. "
          "As CSV, save it as CSV UTF-8.",
          mark=_(_MARK), comment=_(_COMMENT)),
    )  # fmt: skip


def sheets(home: Path) -> Sequence[str]:
    """The sheets that were made in this home, oldest first."""
    start, end = key_path(home, "*").name.split("*")
    found = (path.name for path in reviews_dir(home).glob(f"{start}*{end}"))
    return sorted(name.removeprefix(start).removesuffix(end) for name in found)
