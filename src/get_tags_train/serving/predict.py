"""Texts -> their tags, one after the other, and as a file: CSV, Excel or JSON."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, NamedTuple

from get_tags_train.core.csv import csv_text
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.excel import write_workbook
from get_tags_train.core.files import write_chunks
from get_tags_train.core.i18n import _
from get_tags_train.model.second_reader import Reason
from get_tags_train.model.tagger import TagModel, TagScore
from get_tags_train.serving.text_files import Texts

TextFormat = Literal["lines", "csv", "jsonl", "json"]
FileFormat = Literal["csv", "xlsx", "jsonl", "json"]
_FORMATS: dict[str, FileFormat] = {"": "csv", ".csv": "csv", ".xlsx": "xlsx", ".jsonl": "jsonl", ".json": "json"}
_HEADER = ("id", "tag", "score")


class TextPrediction(NamedTuple):
    """The tags of one text, surest first; none for a blank text. reasons: why each of them, where that was asked."""

    id: str
    tags: list[TagScore]
    reasons: list[Reason] | None = None


def predict_texts(
    model: TagModel, texts: Texts, *, top_n: int, min_score: float, on_event: OnEvent, why: bool = False
) -> Iterator[TextPrediction]:
    """The tags of each text, in order, in constant memory.

    Raises GetTagsError where reasons are asked of a model that has none.
    """
    started, done, blank = perf_counter(), 0, 0
    on_event(StageStarted("predict", total=len(texts), unit="documents"))
    waiting: deque[tuple[str, str]] = deque()  # with the text where it is needed for reasons, a letter of it else

    def worth_asking() -> Iterator[str]:
        for own, text in texts:
            waiting.append((own, text if why else text.strip()[:1]))
            if text.strip():
                yield text

    def in_order() -> Iterator[TextPrediction]:
        for tags in model.predict_each(worth_asking(), top_n, min_score):
            while not waiting[0][1].strip():
                yield TextPrediction(waiting.popleft()[0], [])
            own, text = waiting.popleft()
            yield TextPrediction(own, tags, model.reasons(text, [tag for tag, _score in tags]) if why else None)
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
        first, results = _peeked(results)
        write_workbook(path, _header(first), _rows(results))
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
    for own, tags, reasons in results:
        yield f"{own}: {', '.join(f'{tag} {score:.3f}' for tag, score in tags)}\n"
        for (tag, _score), reason in zip(tags, reasons or [], strict=False):
            yield f"  {tag}: {'; '.join(filter(None, reason_texts(reason)))}\n"


def _as_csv(results: Iterable[TextPrediction]) -> Iterator[str]:
    first, results = _peeked(results)
    yield csv_text([_header(first)])
    for own, tag, score, *reasons in _rows(results):
        yield csv_text([(own, tag, "" if score is None else f"{score:.6f}", *reasons)])


def _peeked(results: Iterable[TextPrediction]) -> tuple[TextPrediction | None, Iterator[TextPrediction]]:
    """The first one, and all of them."""
    remaining = iter(results)
    first = next(remaining, None)
    return first, remaining if first is None else chain([first], remaining)


def _header(first: TextPrediction | None) -> tuple[str, ...]:
    return (*_HEADER, "words", "documents") if first and first.reasons is not None else _HEADER


def _rows(results: Iterable[TextPrediction]) -> Iterator[tuple[Any, ...]]:
    """(id, tag, score) of each tag, and its reasons where asked; one row without for a text that has none."""
    for own, tags, reasons in results:
        for place, (tag, score) in enumerate(tags):
            yield own, tag, round(score, 6), *(reason_texts(reasons[place]) if reasons else ())
        if not tags:
            yield own, "", None


def reason_texts(reason: Reason) -> tuple[str, str]:
    """The words that carried a tag, and the nearest documents that have it, for people to read."""
    words = ", ".join(f"{word} +{adds:.2f}" for word, adds in reason.words)
    documents = (f"{own} {title}".rstrip() + f" ({similarity:.2f})" for own, title, similarity in reason.documents)
    return words, ", ".join(documents)


def _as_jsonl(results: Iterable[TextPrediction]) -> Iterator[str]:
    for found in results:
        yield json.dumps({"id": found.id, **_entry(found)}, ensure_ascii=False) + "\n"


def _as_json(results: Iterable[TextPrediction]) -> Iterator[str]:
    before = "["
    for found in results:
        yield before + json.dumps(_entry(found))
        before = ", "
    yield "]\n"


def _entry(found: TextPrediction) -> dict[str, Any]:
    if found.reasons is None:
        return {"tags": [tag._asdict() for tag in found.tags]}
    explained = zip(found.tags, found.reasons, strict=True)
    return {"tags": [{**tag._asdict(), "why": reason.as_json()} for tag, reason in explained]}
