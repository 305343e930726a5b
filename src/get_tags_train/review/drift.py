"""Drift: the live model on documents that are newer than its data, and whether retraining is worth it."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import OnEvent, StageFinished, StageStarted
from get_tags_train.core.home import data_dir, data_names, live_model
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.settings import Settings
from get_tags_train.data.near_duplicates import find_near_duplicates
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.intervals import mean_of
from get_tags_train.model.device import choose_device
from get_tags_train.model.metadata import ModelMetadata, own_metadata
from get_tags_train.model.tagger import TagModel
from get_tags_train.model.training_record import was_trained_on
from get_tags_train.review.drift_advice import FEWEST, Decision, Evidence, decide, sentence
from get_tags_train.review.drift_documents import NewerDocuments, as_json, read_newer
from get_tags_train.review.drift_statistics import (
    CONFIDENCE,
    Answers,
    Difference,
    Precision,
    TagChange,
    TagCounts,
    changed_tags,
    difference,
    loss,
    new_tags,
    precision_difference,
    wrong_tags,
)
from get_tags_train.splits.eval_set import HELD_OUT, EvalSet
from get_tags_train.splits.held_out import held_out_in, ranks, texts_and_labels
from get_tags_train.text.encoder import CleanTextEncoder
from get_tags_train.text.shingles import shingle
from get_tags_train.text.tokenizer import load_tokenizer

NEWER = "newer documents"


@dataclass(frozen=True)
class TextChanges:
    """How the texts changed, each with an interval that holds for all three together in 95%.

    characters: a document's clean text; unknown_pieces: the share of its tokens that stand for what the tokenizer does
    not know; cut: the share of documents that are longer than the model reads.
    """

    characters: Difference
    unknown_pieces: Difference
    cut: Difference


@dataclass(frozen=True)
class Drift:
    """What newer documents say of the live model.

    evidence is of newer documents with text and tags that are no near-duplicates of the model's data. now is the
    model's precision@k on them, before that on held-out ones; before is None where these are too few, all are where
    nothing was read.
    """

    decision: Decision
    evidence: Evidence
    model: str
    newer: NewerDocuments
    near_duplicates: int
    top_k: int
    now: Precision | None
    before: Precision | None
    changed_tags: list[TagChange]
    texts: TextChanges | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values; other programs rely on advice, sentence, needed and precision_at_k."""
        texts = {} if self.texts is None else vars(self.texts)
        found = self.evidence
        return {
            **asdict(self.decision),
            "sentence": sentence(self.decision, found, top_k=self.top_k, newer=self.newer.selection.found),
            "model": self.model,
            "newer": as_json(self.newer),
            "documents": found.documents,
            "near_duplicates": self.near_duplicates,
            "held_out": found.held_out,
            "top_k": self.top_k,
            "precision_at_k": {
                "newer": self.now._asdict() if self.now else None,
                "held_out": self.before._asdict() if self.before else None,
                "difference": found.precision.as_json() if found.precision else None,
                "less_than_expected": found.lost.as_json() if found.lost else None,
            },
            "new_tags": asdict(found.new_tags) if found.new_tags else None,
            "wrong_tags": asdict(found.wrong_tags) if found.wrong_tags else None,
            "changed_tags": [asdict(tag) for tag in self.changed_tags],
            "texts": {name: one.as_json() for name, one in texts.items()},
            "seconds": self.seconds,
        }


def measure_drift(settings: Settings, *, count: int, on_event: OnEvent) -> Drift:
    """Read at most `count` documents newer than the live model's data, score them, and decide.

    Raises InputError where no model is live, or its data are not in this home; GetTagsError where the database fails.
    """
    started = perf_counter()
    live = _Live.open(settings)
    newer = read_newer(settings, live.data, live.tokenizer, count=count, on_event=on_event)
    if newer.data is None:
        return _nothing_read(settings, live, newer, perf_counter() - started)
    began = perf_counter()
    on_event(StageStarted("evaluate"))
    drift = _measure(settings, live, newer, newer.data)
    on_event(StageFinished("evaluate", perf_counter() - began))
    return replace(drift, seconds=round(perf_counter() - started, 3))


@dataclass(frozen=True)
class _Live:
    """The live model's folder, its tokenizer, and the data that it was trained on."""

    folder: Path
    metadata: ModelMetadata
    tokenizer: PreTrainedTokenizerFast
    data: PreparedData

    @classmethod
    def open(cls, settings: Settings) -> "_Live":
        folder = live_model(settings.live_dir)
        metadata = own_metadata(folder)
        return cls(folder, metadata, load_tokenizer(str(folder)), _data_of(settings.home, folder, metadata))


def _data_of(home: Path, folder: Path, metadata: ModelMetadata) -> PreparedData:
    """The prepared data that a model was trained on; data of that name alone may be others."""
    name = metadata.data.name
    if name in data_names(home):
        data = PreparedData(data_dir(home) / name)
        if data.manifest.checksum == metadata.data.checksum:
            return data
    raise InputError(
        _("The data of the live model {model}, {name}, are not in this home.", model=folder.name, name=name),
        _(
            "Without them it is not known which documents are newer. Train a model here: {train}",
            train=Command("train"),
        ),
    )


def _nothing_read(settings: Settings, live: _Live, newer: NewerDocuments, seconds: float) -> Drift:
    return Drift(
        decision=decide(Evidence()),
        evidence=Evidence(),
        model=live.folder.name,
        newer=newer,
        near_duplicates=0,
        top_k=settings.evaluation.top_k,
        now=None,
        before=None,
        changed_tags=[],
        texts=None,
        seconds=round(seconds, 3),
    )


def _measure(settings: Settings, live: _Live, newer: NewerDocuments, read: PreparedData) -> Drift:
    """Score both sets and compare."""
    k, data = settings.evaluation.top_k, live.data
    model = TagModel(live.folder, choose_device(settings.training.device))
    fresh, copies = _newer_set(read, data)
    held_out = _held_out_set(settings.home, live)
    now = _answers(model, fresh, k, settings.deploy.read_by)
    before = _answers(model, held_out, k, settings.deploy.read_by) if len(held_out) >= FEWEST else None
    counts = TagCounts(dict(zip(data.tags, data.tag_counts, strict=True)), data.manifest.documents_kept)
    newer_counts = TagCounts(dict(zip(read.tags, read.tag_counts, strict=True)), read.manifest.documents_kept)
    is_compared = before is not None and len(fresh) >= FEWEST
    found = Evidence(
        documents=len(fresh),
        held_out=len(held_out),
        precision=precision_difference(now, before) if before and is_compared else None,
        lost=loss(now, before) if before and is_compared else None,
        new_tags=new_tags(fresh.labels, fresh.groups, model.tags, counts),
        wrong_tags=wrong_tags(now, before, model.tags) if before and is_compared else None,
    )
    return Drift(
        decision=decide(found),
        evidence=found,
        model=live.folder.name,
        newer=newer,
        near_duplicates=copies,
        top_k=k,
        now=Precision.of(now),
        before=Precision.of(before) if before else None,
        changed_tags=changed_tags(newer_counts, counts),
        texts=_text_changes(live, read),
        seconds=0.0,
    )


def _newer_set(read: PreparedData, data: PreparedData) -> tuple[EvalSet, int]:
    """The newer documents without near-duplicates of the model's data, and how many these are.

    Held-out documents are none either: what a model has nearly seen it finds more easily.
    """
    texts, labels = texts_and_labels(read, np.ones(read.manifest.documents_kept, bool))
    copies = set(find_near_duplicates(shingle(texts), data).examples.tolist())
    kept = [row for row in range(len(texts)) if row not in copies]
    return EvalSet.of_documents(NEWER, [texts[n] for n in kept], [labels[n] for n in kept]), len(copies)


def _held_out_set(home: Path, live: _Live) -> EvalSet:
    """The test documents that were held out of the live model's data, which it has not seen."""
    is_test = np.zeros(live.data.manifest.documents_kept, bool)
    is_test[[place for place, part in held_out_in(home, live.data).items() if part == "report"]] = True
    texts, labels = texts_and_labels(live.data, is_test)
    seen = was_trained_on(live.folder, texts)
    if seen is None:
        return EvalSet.of_documents(HELD_OUT, [], [])
    kept = np.flatnonzero(~seen).tolist()
    return EvalSet.of_documents(HELD_OUT, [texts[n] for n in kept], [labels[n] for n in kept])


def _answers(model: TagModel, examples: EvalSet, k: int, read_by: str) -> Answers:
    """What the API that reads the live model gives."""
    place = {tag: n for n, tag in enumerate(model.tags)}
    y_true = np.zeros((len(examples), len(place)), bool)
    for row, labels in enumerate(examples.labels):
        y_true[row, [place[tag] for tag in labels if tag in place]] = True
    whole, bert_alone = model.scores_and_bert_alone(examples.texts)
    return Answers.of(y_true, bert_alone if read_by == "transformers" else whole, k, examples.groups)


def _text_changes(live: _Live, read: PreparedData) -> TextChanges:
    """Of all newer documents against as many of the model's data, drawn by chance."""
    count = min(max(read.manifest.documents_kept, FEWEST), live.data.manifest.documents_kept)
    is_drawn = np.zeros(live.data.manifest.documents_kept, bool)
    is_drawn[np.argpartition(ranks(live.data), count - 1)[:count]] = True
    now = _text_figures(live, read, np.ones(read.manifest.documents_kept, bool))
    before = _text_figures(live, live.data, is_drawn)
    own, other = np.arange(now.shape[1]), np.arange(before.shape[1])
    confidence = 1 - (1 - CONFIDENCE) / len(fields(TextChanges))
    return TextChanges(
        *(difference(mean_of(new, own), mean_of(old, other), confidence) for new, old in zip(now, before, strict=True))
    )


def _text_figures(live: _Live, data: PreparedData, wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Characters, share of unknown pieces, and whether it is cut, of each document: (3, documents).

    Tokenised anew: the data may have another tokenizer's tokens.
    """
    context, unknown_id = live.metadata.settings.context_length, live.tokenizer.unk_token_id
    encode = CleanTextEncoder(live.tokenizer)
    found = [np.zeros((3, 0))]
    for first, batch in data.numbered_batches():
        texts = batch.filter(pa.array(wanted[first : first + len(batch)])).column("text")
        rows = list_rows(encode(texts))
        unknown = [np.mean(row == unknown_id) for row in rows]
        found.append(
            np.array([pc.utf8_length(texts).to_numpy(), unknown, [len(row) >= context for row in rows]], float)
        )
    return np.concatenate(found, axis=1)
