"""Texts -> their tags, one after the other, and as a file: CSV, Excel or JSON."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, NamedTuple

from get_tags_train.core.csv import csv_text
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.excel import write_workbook
from get_tags_train.core.files import write_chunks
from get_tags_train.core.i18n import _
from get_tags_train.model.tagger import TagModel, TagScore
from get_tags_train.serving.text_files import Texts

TextFormat = Literal["lines", "csv", "jsonl", "json"]
FileFormat = Literal["csv", "xlsx", "jsonl", "json"]
_FORMATS: dict[str, FileFormat] = {"": "csv", ".csv": "csv", ".xlsx": "xlsx", ".jsonl": "jsonl", ".json": "json"}
_HEADER = ("id", "tag", "score")


class TextPrediction(NamedTuple):
    """The tags of one text, surest first; none for a blank text."""

    id: str
    tags: list[TagScore]


def predict_texts(
    model: TagModel, texts: Texts, *, top_n: int, min_score: float, on_event: OnEvent
) -> Iterator[TextPrediction]:
    """The tags of each text, in order, in constant memory."""
    started, done, blank = perf_counter(), 0, 0
    on_event(StageStarted("predict", total=len(texts), unit="documents"))
    waiting: deque[tuple[str, bool]] = deque()

    def worth_asking() -> Iterator[str]:
        for own, text in texts:
            waiting.append((own, bool(text.strip())))
            if text.strip():
                yield text

    def in_order() -> Iterator[TextPrediction]:
        for tags in model.predict_each(worth_asking(), top_n, min_score):
            while not waiting[0][1]:
                yield TextPrediction(waiting.popleft()[0], [])
            yield TextPrediction(waiting.popleft()[0], tags)
        while waiting:
            yield TextPrediction(waiting.popleft()[0], [])

    for named in in_order():
        yield named
        done += 1
        on_event(StageProgress("predict", done, _("{done:.0f} docs/s", done=done / (perf_counter() - started))))
        blank += not named.tags
    on_event(StageFinished("predict", perf_counter() - started))
    if blank:
        on_event(
            Notice(
                _(
                    "{blank} of {done} texts have no tag: they are blank, or no tag reaches the least score.",
                    blank=blank,
                    done=done,
                )
            )
        )


def file_format(path: Path, given: FileFormat | None = None) -> FileFormat:
    """What to write to a file: what is `given`, else what its ending says. Raises InputError where it says nothing."""
    ending = path.suffix.lower()
    if given is None and ending not in _FORMATS:
        raise InputError(
            _("{path} has the ending {ending}, and such files are not written.", path=path, ending=ending),
            _("Name a .csv, .xlsx, .jsonl or .json file, or add --format."),
        )
    return given or _FORMATS[ending]


def write_predictions(path: Path, results: Iterable[TextPrediction], format: FileFormat) -> None:
    """Write the results to a file, whole or not at all, as they come."""
    if format == "xlsx":
        write_workbook(path, _HEADER, _rows(results))
    else:
        write_chunks(path, lines(results, format), for_excel=format == "csv")


def lines(results: Iterable[TextPrediction], format: TextFormat) -> Iterator[str]:
    """The results as a file's content, piece by piece.

    csv: a row for each tag, and one without for a text that has none. jsonl: an object for each text. json: one list,
    without ids. lines: for people.
    """
    write: dict[TextFormat, Callable[[Iterable[TextPrediction]], Iterator[str]]] = {
        "lines": _as_lines,
        "csv": _as_csv,
        "jsonl": _as_jsonl,
        "json": _as_json,
    }
    return write[format](results)


def _as_lines(results: Iterable[TextPrediction]) -> Iterator[str]:
    for own, tags in results:
        yield f"{own}: {', '.join(f'{tag} {score:.3f}' for tag, score in tags)}\n"


def _as_csv(results: Iterable[TextPrediction]) -> Iterator[str]:
    yield csv_text([_HEADER])
    for own, tag, score in _rows(results):
        yield csv_text([(own, tag, "" if score is None else f"{score:.6f}")])


def _rows(results: Iterable[TextPrediction]) -> Iterator[tuple[str, str, float | None]]:
    """(id, tag, score) of each tag, and one row without for a text that has none."""
    for own, tags in results:
        yield from ((own, tag, round(score, 6)) for tag, score in tags)
        if not tags:
            yield own, "", None


def _as_jsonl(results: Iterable[TextPrediction]) -> Iterator[str]:
    for own, tags in results:
        yield json.dumps({"id": own, **_entry(tags)}, ensure_ascii=False) + "\n"


def _as_json(results: Iterable[TextPrediction]) -> Iterator[str]:
    before = "["
    for _number, tags in results:
        yield before + json.dumps(_entry(tags))
        before = ", "
    yield "]\n"


def _entry(tags: Iterable[TagScore]) -> dict[str, Any]:
    return {"tags": [found._asdict() for found in tags]}
