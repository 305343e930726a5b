"""Texts -> their tags, one after the other, and as a file: CSV, Excel or JSON."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
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
Row = Literal["tag", "document"]
FileFormat = Literal["csv", "xlsx", "jsonl", "json"]
_FORMATS: dict[str, FileFormat] = {"": "csv", ".csv": "csv", ".xlsx": "xlsx", ".jsonl": "jsonl", ".json": "json"}
_BEGINNING = 200  # characters of a text that stand beside its tags


class TableForm(NamedTuple):
    """What a row of a CSV file or a workbook is: a tag of a document, or a document with its `most_tags` tags.

    has_reasons: beside each tag stand the words that carried it and the nearest documents that have it.
    """

    row: Row = "tag"
    most_tags: int = 0
    has_reasons: bool = False

    @property
    def header(self) -> dict[str, float]:
        """The names of the columns, with their widths in characters."""
        of_tag: dict[str, float] = {"tag": 30, "score": 10}
        if self.has_reasons:
            of_tag |= {"words": 40, "documents": 40}
        if self.row == "tag":
            return {"id": 14, **of_tag}
        places = range(1, self.most_tags + 1)
        return {"id": 14, "text": 60} | {f"{name}_{n}": width for n in places for name, width in of_tag.items()}

    def rows(self, results: Iterable["TextPrediction"]) -> Iterator[list[str | float | None]]:
        """The rows, as long as the header; a text without tags has one too."""
        width = len(self.header)
        for found in results:
            tags = [self._of_tag(found, place) for place in range(len(found.tags))]
            if self.row == "document":
                cells = [found.id, found.beginning, *chain.from_iterable(tags)]
                yield [*cells, *[None] * (width - len(cells))]
                continue
            for of_tag in tags or [["", None]]:
                yield [found.id, *of_tag, *[None] * (width - 1 - len(of_tag))]

    def _of_tag(self, found: "TextPrediction", place: int) -> list[str | float | None]:
        tag, score = found.tags[place]
        reasons = reason_texts(found.reasons[place]) if self.has_reasons and found.reasons else ()
        return [tag, round(score, 6), *reasons]


BY_TAG = TableForm()


class TextPrediction(NamedTuple):
    """The tags of one text, surest first; none for a blank text. `beginning` is that of the text, on one line.

    reasons: why each of the tags, where that was asked.
    """

    id: str
    tags: list[TagScore]
    beginning: str = ""
    reasons: list[Reason] | None = None


def predict_texts(
    model: TagModel, texts: Texts, *, top_n: int, min_score: float, on_event: OnEvent, why: bool = False
) -> Iterator[TextPrediction]:
    """The tags of each text, in order, in constant memory.

    Raises GetTagsError where reasons are asked of a model that has none.
    """
    started, done, blank = perf_counter(), 0, 0
    on_event(StageStarted("predict", total=len(texts), unit="documents"))
    waiting: deque[tuple[str, str, str]] = deque()  # id, beginning, and the text where it is needed for reasons

    def worth_asking() -> Iterator[str]:
        for own, text in texts:
            waiting.append((own, " ".join(text.split())[:_BEGINNING], text if why else ""))
            if text.strip():
                yield text

    def next_with(tags: list[TagScore]) -> TextPrediction:
        own, beginning, text = waiting.popleft()
        reasons = model.reasons(text, [tag for tag, _score in tags]) if why and beginning else None
        return TextPrediction(own, tags, beginning, reasons)

    def in_order() -> Iterator[TextPrediction]:
        for tags in model.predict_each(worth_asking(), top_n, min_score):
            while not waiting[0][1]:
                yield next_with([])
            yield next_with(tags)
        while waiting:
            yield next_with([])

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


def write_predictions(
    path: Path, results: Iterable[TextPrediction], format: FileFormat, form: TableForm = BY_TAG
) -> None:
    """Write the results to a file, whole or not at all, as they come."""
    if format == "xlsx":
        write_workbook(path, form.header, form.rows(results))
    else:
        write_chunks(path, lines(results, format, form), for_excel=format == "csv")


def lines(results: Iterable[TextPrediction], format: TextFormat, form: TableForm = BY_TAG) -> Iterator[str]:
    """The results as a file's content, piece by piece.

    csv: as `form` says. jsonl: an object for each text. json: one list, without ids. lines: for people.
    """
    write: dict[TextFormat, Callable[[Iterable[TextPrediction]], Iterator[str]]] = {
        "lines": _as_lines,
        "csv": partial(_as_csv, form),
        "jsonl": _as_jsonl,
        "json": _as_json,
    }
    return write[format](results)


def _as_lines(results: Iterable[TextPrediction]) -> Iterator[str]:
    for found in results:
        yield f"{found.id}: {', '.join(f'{tag} {score:.3f}' for tag, score in found.tags)}\n"
        for (tag, _score), reason in zip(found.tags, found.reasons or [], strict=False):
            yield f"  {tag}: {'; '.join(filter(None, reason_texts(reason)))}\n"


def _as_csv(form: TableForm, results: Iterable[TextPrediction]) -> Iterator[str]:
    yield csv_text([form.header])
    for row in form.rows(results):
        yield csv_text([[f"{cell:.6f}" if isinstance(cell, float) else "" if cell is None else cell for cell in row]])


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
    yield "[]\n" if before == "[" else "]\n"


def _entry(found: TextPrediction) -> dict[str, Any]:
    if found.reasons is None:
        return {"tags": [tag._asdict() for tag in found.tags]}
    explained = zip(found.tags, found.reasons, strict=True)
    return {"tags": [{**tag._asdict(), "why": reason.as_json()} for tag, reason in explained]}
