"""Which of two models people prefer: a blind sheet of what they disagree on, and what its marks say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.files import file_sha256
from get_tags_train.core.i18n import _
from get_tags_train.core.tables import read_columns
from get_tags_train.model.judgement_record import JudgementRecord
from get_tags_train.model.metadata import file_checksums, read_metadata, write_metadata
from get_tags_train.review.judge_plan import Plan, draw
from get_tags_train.review.judge_pool import Pool
from get_tags_train.review.judge_sheet import (
    JudgedDocument,
    MarkedSheet,
    SheetKey,
    read_key,
    read_marks,
    sheet_path,
    sheets,
    write_key,
    write_sheet,
)
from get_tags_train.review.judge_verdict import complete_documents, disagreements, judgement_of, row_values
from get_tags_train.splits.propose import Proposal

_MARKS = ".marks.csv"
_COLUMNS = ("row", "document", "tag", "source", "in_database", "value", "marks", "comments")


@dataclass(frozen=True)
class Judgement:
    """A sheet that came back from one judge or two, and what it says."""

    key: SheetKey
    marked: list[MarkedSheet]
    record: JudgementRecord

    def disagreements(self) -> list[dict[str, Any]]:
        """The rows that two judges marked differently: document, tag and both marks."""
        rows = ((number, self.key.rows[number]) for number in disagreements(self.key, self.marked))
        return [
            {
                "document": self.key.judged[row.document].id,
                "tag": row.tag,
                "marks": [one.marks[number] for one in self.marked],
            }
            for number, row in rows
        ]


def make_sheet(
    home: Path, folders: tuple[Path, Path], pool: Pool, plan: Plan, *, path: Path | None, rng: np.random.Generator
) -> tuple[SheetKey, Path]:
    """Draw documents, write the key, and the sheet (to `path`, else beside the key).

    folders: of the model and the live one. Raises InputError where the sheet would replace another file.
    """
    moment = datetime.now().astimezone()
    sheet = f"{moment:%Y%m%d-%H%M%S}"
    target = path or sheet_path(home, sheet, ".xlsx")
    if target.exists() or sheet in sheets(home):
        raise InputError(_("{path} is there already.", path=target), _("Name another file with --out."))
    drawn, rows = draw(pool, plan, rng)
    known, (model, live) = pool.population.known, folders
    key = SheetKey(
        sheet=sheet,
        created=moment.isoformat(timespec="seconds"),
        model=model.name,
        model_files=file_checksums(model),
        live=live.name,
        live_files=file_checksums(live),
        top_k=pool.top_k,
        documents=pool.documents,
        known=[*known[drawn].tolist(), *np.delete(known, drawn).tolist()],
        judged=[JudgedDocument(**pool.differing[place].document._asdict()) for place in drawn],
        rows=rows,
    )
    write_key(home, key)
    write_sheet(target, key)
    return key, target


def judge_marks(home: Path, paths: Sequence[Path]) -> Judgement:
    """What a sheet says that came back, marked by one judge or by two; its marks are kept beside the key.

    Raises InputError where the files are not the sheet that was written, or not of the same one.
    """
    if len({file_sha256(path) for path in paths if path.is_file()}) < len(paths) > 1:
        raise InputError(
            _("The two files are the same."), _("Give each judge a copy of the sheet, and import both copies.")
        )
    read = [read_marks(home, path) for path in paths]
    names = [key.sheet for key, _marks in read]
    if len(set(names)) > 1:
        raise InputError(
            _("The two files are of different sheets: {sheets}.", sheets=", ".join(names)),
            _("Import each on its own."),
        )
    key, marked = read[0][0], [marks for _key, marks in read]
    write_csv(sheet_path(home, key.sheet, _MARKS), [_COLUMNS, *_result_rows(key, marked)])
    return Judgement(key, marked, judgement_of(key, marked))


def keep(record: JudgementRecord, key: SheetKey, folders: Sequence[Path]) -> list[Path]:
    """Write a judgement into the metadata of both models, those of these folders that still are them; returns these."""
    changed = []
    own = [(record, key.model, key.model_files), (record.reversed(), key.live, key.live_files)]
    for kept, name, files in own:
        for folder in folders:
            metadata = read_metadata(folder) if folder.name == name else None
            if metadata is not None and metadata.files == files:
                write_metadata(folder, metadata.with_judgement(kept))
                changed.append(folder)
    return changed


def judged_samples(home: Path) -> list[Proposal]:
    """The documents of all sheets that were imported, with the tags that people left them.

    These are the tags of the database without those that were judged wrong, and those that were judged right.
    """
    found: dict[str, Proposal] = {}
    for sheet in sheets(home):
        if (path := sheet_path(home, sheet, _MARKS)).exists():
            key = read_key(home, sheet)
            values = np.array([float(cells[0] or "nan") for _line, cells in read_columns(path, ("value",))])
            for place in complete_documents(key, values).tolist():
                document = key.judged[place]
                if labels := _labels(key, values, place):
                    found[document.id] = Proposal(document.id, "judged", document.text, labels)
    return list(found.values())


def _labels(key: SheetKey, values: np.ndarray, place: int) -> list[str]:
    labels = dict.fromkeys(key.judged[place].labels or ())
    for row, value in zip(key.rows, values, strict=True):
        if row.document == place and row.source != "absurd":
            if value == 1:
                labels[row.tag] = None
            elif value == 0:
                labels.pop(row.tag, None)
    return list(labels)


def _result_rows(key: SheetKey, marked: Sequence[MarkedSheet]) -> Iterator[list[object]]:
    """Each row with whose it is, for people who look at it afterwards."""
    for number, value in enumerate(row_values(key, marked)):
        row = key.rows[number]
        document = key.judged[row.document]
        in_database = "" if document.labels is None else row.tag in document.labels
        marks = "; ".join(one.marks[number] or "" for one in marked)
        comments = "; ".join(filter(None, (one.comments[number] for one in marked)))
        shown = "" if np.isnan(value) else value
        yield [number + 1, document.id, row.tag, row.source, in_database, shown, marks, comments]
