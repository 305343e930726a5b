"""The documents that can be judged: those that neither model was trained on, with the first tags of both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.i18n import _
from get_tags_train.data.near_duplicates import group_texts
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.two_phase import Population
from get_tags_train.model.tagger import TagModel
from get_tags_train.model.training_record import was_trained_on
from get_tags_train.splits.held_out import held_out_in
from get_tags_train.splits.test_samples import Samples
from get_tags_train.text.shingles import shingle

ReadBy = Literal["get-tags", "transformers"]
_TEXTS_AT_ONCE = 256
# A tag that neither model has among so many is one that hardly anybody would call right.
_FIRST_MANY = 50


class Document(NamedTuple):
    """A clean text, its tags by the database or the test samples; None where these are not known."""

    id: str
    text: str
    labels: list[str] | None


@dataclass(frozen=True)
class ComparedDocument:
    """A document with the tags that only one model has among its first k, and those that both have.

    `near` are all that either has among its first many.
    """

    document: Document
    model_only: list[str]
    live_only: list[str]
    agreed: list[str]
    near: frozenset[str]

    @property
    def differs(self) -> bool:
        """Whether there is anything to judge."""
        return bool(self.model_only or self.live_only)

    def known_difference(self, k: int) -> float:
        """precision@k of the model less that of the live one by the tags that are known; 0 where they are not."""
        labels = set(self.document.labels or ())
        return (len(labels.intersection(self.model_only)) - len(labels.intersection(self.live_only))) / k


@dataclass(frozen=True)
class Pool:
    """So many distinct documents, those of them on which the two models differ within the first k, and all tags."""

    top_k: int
    documents: int
    differing: list[ComparedDocument]
    tags: list[str]

    @cached_property
    def population(self) -> Population:
        """For estimates."""
        known = [one.known_difference(self.top_k) for one in self.differing]
        return Population(self.documents, np.array(known, float))


def unseen_documents(
    home: Path,
    samples: Samples,
    data: PreparedData | None,
    folders: Sequence[Path],
    rng: np.random.Generator,
    newer: PreparedData | None = None,
) -> list[Document]:
    """The test samples, held-out documents and `newer` ones that no model in `folders` was trained on, in random order.

    Of near-duplicates one stays. Samples that were chosen for their rare tags do not count: they stand for no others.
    Raises InputError where a model keeps no record of what it was trained on.
    """
    found = [*_of_samples(samples), *(_held_out(home, data) if data else ())]
    if newer is not None:
        found += _documents(newer, np.ones(newer.manifest.documents_kept, bool))
    texts = [document.text for document in found]
    seen = np.zeros(len(found), bool)
    for folder in folders:
        own = was_trained_on(folder, texts)
        if own is None:
            raise InputError(
                _("{name} keeps no record of what it was trained on: it may have seen any document.", name=folder.name),
                _("Only models that get-tags made can be judged."),
            )
        seen |= own
    found = [found[place] for place in rng.permutation(np.flatnonzero(~seen))]
    groups = group_texts(shingle([document.text for document in found]))
    return [found[place] for place in np.flatnonzero(groups == np.arange(len(found)))]


def compare_documents(
    documents: Sequence[Document],
    folders: tuple[Path, Path],
    *,
    top_k: int,
    device: str,
    read_by: ReadBy,
    on_event: OnEvent,
) -> Pool:
    """The first tags of each document by the model and by the live one (`folders`), and where they differ."""
    started = perf_counter()
    on_event(StageStarted("judge", 2 * len(documents), "documents"))
    texts = [document.text for document in documents]
    both, known = list[list[list[str]]](), set[str]()
    for number, folder in enumerate(folders):
        model, tags = TagModel(folder, device), list[list[str]]()
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            tags += _first_tags(model, texts[first : first + _TEXTS_AT_ONCE], top_k, read_by)
            on_event(StageProgress("judge", number * len(texts) + len(tags)))
        both.append(tags)
        known.update(model.tags)
    on_event(StageFinished("judge", perf_counter() - started))
    compared = [_compared(*each, k=top_k) for each in zip(documents, both[0], both[1], strict=True)]
    return Pool(top_k, len(documents), [one for one in compared if one.differs], sorted(known))


def _of_samples(samples: Samples) -> Iterator[Document]:
    chosen = samples.of_part(None, "random")
    for line, origin, text, labels in zip(chosen.lines, chosen.origins, chosen.texts, chosen.labels, strict=True):
        yield Document(origin.document_id if origin else f"{samples.path.name}:{line}", text, labels or None)


def _held_out(home: Path, data: PreparedData) -> Iterator[Document]:
    """Those that choose no epoch: the models have not seen them."""
    wanted = np.zeros(data.manifest.documents_kept, bool)
    wanted[[place for place, part in held_out_in(home, data).items() if part != "select"]] = True
    yield from _documents(data, wanted)


def _documents(data: PreparedData, wanted: NDArray[np.bool_]) -> Iterator[Document]:
    for first, batch in data.numbered_batches():
        here = batch.filter(pa.array(wanted[first : first + len(batch)]))
        columns = (here.column("id").cast(pa.string()).to_pylist(), here.column("text").to_pylist())
        for document_id, text, tags in zip(*columns, list_rows(here.column("tags")), strict=True):
            yield Document(document_id, text, [data.tags[tag] for tag in tags])


def _first_tags(model: TagModel, texts: Sequence[str], top_k: int, read_by: ReadBy) -> list[list[str]]:
    """The first tags of each text as the API gives them, many more than k where there are so many."""
    of_product, of_bert = model.scores_and_bert_alone(texts)
    count = max(top_k, min(_FIRST_MANY, len(model.tags) // 2))
    listed = model.top_tags(of_bert if read_by == "transformers" else of_product, count)
    return [[scored.tag for scored in tags] for tags in listed]


def _compared(document: Document, own: list[str], other: list[str], *, k: int) -> ComparedDocument:
    first, second = own[:k], other[:k]
    return ComparedDocument(
        document,
        model_only=[tag for tag in first if tag not in second],
        live_only=[tag for tag in second if tag not in first],
        agreed=[tag for tag in first if tag in second],
        near=frozenset([*own, *other]),
    )
