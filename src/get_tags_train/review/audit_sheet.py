"""The list of suspected tags as a workbook or CSV file: written for people to mark, and read again."""

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from get_tags_train.core.csv import csv_rows, find_dialect, write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import is_workbook, workbook_rows, write_workbook
from get_tags_train.core.i18n import LANGUAGES, N_, _, number, translator
from get_tags_train.data.decisions import Answer, Suspicion
from get_tags_train.review.audit import Audit, Suspect
from get_tags_train.review.marks import plain
from get_tags_train.review.tag_pairs import TagPair
from get_tags_train.review.yield_estimate import Foreseen

# The columns of the list, with their widths; the last is for the import.
MARK = N_("is it an error?")
_ID, _TAG, _SUSPICION, _CHECK = N_("id"), N_("tag"), N_("suspicion"), N_("check")
_WIDTHS = {
    _ID: 12,
    _TAG: 36,
    _SUSPICION: 12,
    MARK: 16,
    N_("probability"): 11,
    N_("title"): 30,
    N_("where to look"): 60,
    N_("nearest documents"): 24,
    N_("beginning of the text"): 60,
    _CHECK: 10,
}
YES, NO, UNSURE = N_("yes"), N_("no"), N_("don't know")
_MISSING, _WRONG = N_("missing"), N_("wrong")
_SUSPICIONS: dict[Suspicion, str] = {"missing": _MISSING, "wrong": _WRONG}
_ANSWERS: dict[str, Answer] = {YES: "error", NO: "no error", UNSURE: "don't know"}
_HEADER_SOUGHT_IN = 10


class Told(NamedTuple):
    """What the import needs beside what people see."""

    text_hash: str
    probability: float
    estimate: float

    @classmethod
    def of(cls, suspect: Suspect) -> "Told":
        return cls(suspect.text_hash, suspect.probability, suspect.estimate)

    def __str__(self) -> str:
        return f"{self.text_hash} {self.probability:.4f} {self.estimate:.4f}"

    @classmethod
    def read(cls, text: str) -> "Told":
        """Raises ValueError where `text` does not begin with what __str__ gives."""
        text_hash, probability, estimate, *_rest = text.split()
        return cls(text_hash, float(probability), float(estimate))


class Marked(NamedTuple):
    """A row of a list as it came back: the line, what it is about, and the answer, None where it was left empty."""

    line: int
    document_id: str
    tag: str
    suspicion: Suspicion
    answer: Answer | None
    probability: float
    estimate: float
    text_hash: str


def write_sheet(path: Path, found: Audit) -> None:
    """Write the list; a workbook has what is foreseen above it, and the answers as a list to choose from."""
    header = {_(name): width for name, width in _WIDTHS.items()}
    rows = [_row(suspect) for suspect in found.suspects]
    if is_workbook(path):
        choices = {_(MARK): [_(YES), _(NO), _(UNSURE)]}
        said = foreseen_line(found.foreseen, len(found.suspects))
        write_workbook(path, header, rows, title=said, choices=choices, row_lines=3)
    else:
        write_csv(path, [header, *rows])


def write_pairs(path: Path, pairs: list[TagPair]) -> None:
    """Write tags that may be one, with the columns of tags_map.csv first."""
    header = ["tag", "becomes", _("documents"), _("alike by name"), _("alike by text"), _("on both"), _("confused")]
    rows = [[p.tag, p.becomes, " / ".join(map(str, p.documents)), *(f"{value:.2f}" for value in p[3:])] for p in pairs]
    write_csv(path, [header, *rows])


def foreseen_line(foreseen: Foreseen, count: int) -> str:
    """How many errors to expect, in words."""
    return _(
        "Of these {count} about {errors} are errors (95%: {low} to {high}).",
        count=number(count),
        errors=number(round(foreseen.errors)),
        low=number(round(foreseen.low)),
        high=number(round(foreseen.high)),
    )


def _row(suspect: Suspect) -> list[str | float]:
    return [
        suspect.document_id,
        suspect.tag,
        _(_SUSPICIONS[suspect.suspicion]),
        "",
        round(suspect.probability, 4),
        suspect.title,
        suspect.passage,
        ", ".join(suspect.nearest),
        suspect.beginning,
        row_check(suspect.document_id, suspect.tag, suspect.suspicion, Told.of(suspect)),
    ]


def row_check(document_id: str, tag: str, suspicion: str, told: Told) -> str:
    """What is told, as text: as numbers a spreadsheet would write them its own way; and a digest of the whole row.

    That shows a cell that a spreadsheet changed, or sorted alone.
    """
    cells = (document_id.strip(), tag.strip(), suspicion, str(told))
    digest = blake2b("\0".join(cells).encode(), digest_size=6).hexdigest()
    return f"{told} {digest}"


def read_sheet(path: Path) -> list[Marked]:
    """The rows of a list that people have marked, in whichever language it was written.

    Raises InputError where it is no such list, naming the line where a mark is none of the answers.
    """
    rows = _rows(path)
    places = _find_header(path, rows)
    return [
        _marked(path, line, [cells[place].strip() if place < len(cells) else "" for place in places])
        for line, cells in rows
        if any(map(str.strip, cells))
    ]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    hint = _("It is the list that an audit wrote, with its marks.")
    if is_workbook(path):
        return ((row.line, row.cells) for row in workbook_rows(path, str(path), hint))
    columns = {word for name in _WIDTHS for word in _spellings(name)}
    dialect = find_dialect(path, columns, width=0, name=str(path), if_missing=hint)
    return ((row.line, row.cells) for row in csv_rows(path, dialect, str(path)))


_READ = (_ID, _TAG, _SUSPICION, MARK, _CHECK)


def _find_header(path: Path, rows: Iterator[tuple[int, list[str]]]) -> list[int]:
    """Where the columns are. Raises InputError naming one that is missing."""
    missing = _READ[0]
    for _line, cells in rows:
        names = [cell.strip().lower() for cell in cells]
        found = [next((names.index(word) for word in _spellings(name) if word in names), -1) for name in _READ]
        if min(found) >= 0:
            return found
        if max(found) >= 0:
            missing = _READ[found.index(-1)]
        if _line >= _HEADER_SOUGHT_IN:
            break
    raise InputError(
        _("{path} is not the list of an audit: it has no column {column}.", path=path, column=_(missing)),
        _("Mark the list that the audit wrote, and keep its columns."),
    )


def _marked(path: Path, line: int, cells: list[str]) -> Marked:
    document_id, tag, suspicion, mark, check = cells
    kinds = {word: kind for kind, name in _SUSPICIONS.items() for word in _spellings(name)}
    answers = {plain(word): answer for name, answer in _ANSWERS.items() for word in _spellings(name)}
    if mark and plain(mark) not in answers:
        raise InputError(
            _("{path}, line {line}: {mark!r} is not an answer.", path=path, line=line, mark=mark),
            _("It is one of {answers}, or empty.", answers=", ".join([_(YES), _(NO), _(UNSURE)])),
        )
    try:
        told, kind = Told.read(check), kinds[suspicion.lower()]
        is_whole = check == row_check(document_id, tag, kind, told)
    except (ValueError, KeyError):
        is_whole = False
    if not is_whole:
        raise InputError(
            _("{path}, line {line}: the row is not as the audit wrote it.", path=path, line=line),
            _(
                "Only the column {column} is yours: restore the row, or remove it. As CSV, save it as CSV UTF-8.",
                column=_(MARK),
            ),
        )
    answer = answers[plain(mark)] if mark else None
    return Marked(line, document_id, tag, kind, answer, told.probability, told.estimate, told.text_hash)


@cache
def _spellings(name: str) -> frozenset[str]:
    """How a word of the list may be written, in any language, in lower case."""
    return frozenset(translator(language)(name).lower() for language in LANGUAGES)
