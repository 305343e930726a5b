"""Fit the second reader once the BERT is trained: how much each reader counts, and whether that helps."""

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.preprocessing import normalize

from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _, number
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.blending import Answers, cross_fitted, fit_blend, tag_log_odds
from get_tags_train.metrics.calibration import Calibration, fit_calibration, tune_thresholds
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.model.linear_fit import Examples, FittedReader, fit_linear
from get_tags_train.model.linear_reader import LinearReader, strongest
from get_tags_train.model.metadata import BlendRecord, CutCost
from get_tags_train.model.nearest_documents import DocumentName, NearestDocuments
from get_tags_train.model.second_reader import SecondReader
from get_tags_train.splits.training_set import text_batches
from get_tags_train.text.encoder import CleanTextEncoder
from get_tags_train.training.run import TrainedModel, TrainingRun

# With fewer features left of each document, its neighbours would be arbitrary.
_LEAST_FEATURES = 16
# Bytes in the file, at most: of a feature (hash, idf and two ends), a weight, a document's feature.
_FEATURE, _WEIGHT, _POSTING = 16, 6, 6
_FEATURES_SHARE = 0.25
# A longer first line is text. With the place where it ends a name takes at most 96 bytes of memory.
_MOST_TITLE_CHARACTERS, _MOST_NAME_BYTES = 100, 88
_CUT = "…"


Names = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""The names of documents one after the other, and the place where each ends, as NearestDocuments has them."""


@dataclass(frozen=True)
class Fitted:
    """The linear reader, the second reader (None where it does not help), and what the cut to the context costs."""

    linear: LinearReader
    reader: SecondReader | None
    record: BlendRecord
    cut_cost: CutCost


def fit_second_reader(run: TrainingRun, trained: TrainedModel, on_event: OnEvent) -> Fitted | None:
    """Fit it, at most as large as the BERT; None where it is not wanted, or no validation document can tell."""
    validation, training_set, settings = trained.validation, trained.training_set, run.training
    if settings.blend is False or validation is None:
        return None
    fitted = fit_linear(
        text_batches(run.data, training_set, training_set.rows),
        text_batches(run.data, training_set, validation.rows),
        len(training_set.tags),
        seed=settings.seed,
        on_event=on_event,
    )
    cost = _cut_cost(run, validation.rows, fitted)
    names = _names(run.data, training_set.rows)
    readers = Readers.within(4 * trained.model.num_parameters(), fitted, names)
    reader, record = blend(readers, validation.logits, trained.calibration, top_k=run.top_k, seed=settings.seed)
    is_used = settings.blend is True or sum(record.blended) > sum(record.bert_alone)
    on_event(Notice(_gain(record, is_used=is_used)))
    on_event(Notice(_price(cost, settings.context_length)))
    return Fitted(fitted.linear, reader if is_used else None, record, cost)


@dataclass(frozen=True)
class Readers:
    """The linear reader and the nearest documents, as the model folder will hold them, and the held-out documents.

    log_odds: (tags,) those of the training documents.
    """

    linear: LinearReader
    nearest: NearestDocuments | None
    held_out: Examples
    log_odds: NDArray[np.float64]

    @classmethod
    def within(cls, most_bytes: int, fitted: FittedReader, names: Names) -> "Readers":
        """In at most so many bytes; the strongest weights and the strongest features of each document stay.

        names: of each training document.
        """
        features = fitted.training.features
        kept = fitted.linear.tfidf.most_frequent(int(most_bytes * _FEATURES_SHARE) // _FEATURE)
        room = most_bytes - len(kept) * _FEATURE
        documents, joined = features.shape[0], names[0]
        of_documents = 16 * documents + len(joined) + 6 * fitted.training.labels.nnz
        each = (room - of_documents) // 2 // (_POSTING * documents)
        nearest = None
        if each >= _LEAST_FEATURES:
            postings = strongest(_on(features, kept), each).T.tocsr()
            tags = fitted.training.labels.tocsr().astype(np.float32)
            nearest = NearestDocuments(postings, tags, *names)
            room = (room - of_documents) // 2
        linear = fitted.linear.pruned(kept, most_weights=max(room, 0) // _WEIGHT)
        held_out = fitted.held_out._replace(features=_on(fitted.held_out.features, kept))
        return cls(linear, nearest, held_out, tag_log_odds(fitted.training.labels.getnnz(axis=0), documents))

    def answers(self, bert: NDArray[np.float32]) -> Answers:
        """What each says of the held-out documents; bert: their logits."""
        features = self.held_out.features
        if self.nearest is None:
            return Answers(bert, self.linear.margins(features), np.zeros_like(bert))
        return Answers(bert, self.linear.margins(features), self.nearest.shares(features))


def _on(features: csr_matrix, kept: NDArray[np.intp]) -> csr_matrix:
    """Some of the features, as the texts' features are where only these are known."""
    return features if len(kept) == features.shape[1] else normalize(features[:, kept])


def _names(data: PreparedData, rows: NDArray[np.int64]) -> Names:
    """How people know these documents: a short first line before other lines is taken for the title."""
    is_row = np.zeros(data.manifest.documents_kept, bool)
    is_row[rows] = True
    names, ends = bytearray(), array("q")
    for first, batch in data.numbered_batches():
        for own, text in _ids_and_texts(batch.filter(pa.array(is_row[first : first + len(batch)]))):
            title, _line, rest = text.partition("\n")
            names += stored_name(own, title if rest and len(title) <= _MOST_TITLE_CHARACTERS else "")
            ends.append(len(names))
    return np.frombuffer(names, np.uint8), np.frombuffer(ends, np.int64)


def _ids_and_texts(batch: pa.RecordBatch) -> Iterator[tuple[int | str, str]]:
    return zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), strict=True)


def stored_name(own: int | str, title: str) -> bytes:
    """A document's name as NearestDocuments has it; a title that takes too many bytes loses its end."""
    name = _as_json(own, title)
    if (over := len(name) - _MOST_NAME_BYTES) <= 0:
        return name
    kept = title.encode()[: max(len(title.encode()) - over - len(_CUT.encode()), 0)].decode(errors="ignore")
    return _as_json(own, kept + _CUT if kept else "")


def _as_json(own: int | str, title: str) -> bytes:
    return json.dumps(DocumentName(own, title), ensure_ascii=False, separators=(",", ":")).encode()


def blend(
    readers: Readers, bert: NDArray[np.float32], calibration: Calibration, *, top_k: int, seed: int
) -> tuple[SecondReader, BlendRecord]:
    """The second reader with the weights that fit the held-out documents best.

    bert: their logits by the BERT before its calibration. What the blend gains is measured on documents that its
    weights were not fitted on.
    """
    labels = readers.held_out.labels.toarray()
    answers = readers.answers(bert)
    found = fit_blend(answers, labels, readers.log_odds)
    unseen = cross_fitted(answers, labels, readers.log_odds, seed=seed)
    record = BlendRecord(
        bert=round(found.bert, 4),
        linear=round(found.linear, 4),
        nearest=round(found.nearest, 4),
        bert_alone=precision_at_k(labels, bert, top_k),
        blended=precision_at_k(labels, unseen, top_k),
        linear_seconds=readers.linear.seconds,
    )
    logits = found.logits(answers)
    scale, shift = fit_calibration(logits, labels)
    reader = SecondReader(
        linear=readers.linear,
        nearest=readers.nearest if found.nearest else None,
        bert_calibration=calibration,
        blend=found._replace(shift=0.0),
        calibration=Calibration(scale, shift + scale * found.shift),  # which is each tag's own too
        thresholds=tune_thresholds(scale * logits + shift),
    )
    return reader, record


def _gain(record: BlendRecord, *, is_used: bool) -> str:
    k, pair = len(record.blended), (record.bert_alone[-1], record.blended[-1])
    numbers = {"k": k, "alone": number(pair[0], ".3f"), "blended": number(pair[1], ".3f")}
    if is_used:
        return _(
            "The second reader is part of the model: on the validation documents precision@{k} is {blended} with it "
            "and {alone} without.",
            **numbers,
        )
    return _(
        "The second reader does not help and is left out: on the validation documents precision@{k} is {blended} "
        "with it and {alone} without.",
        **numbers,
    )


def _price(cost: CutCost, context_length: int) -> str:
    return _(
        "Reading only {context_length} tokens costs these documents {cost} of precision@{k}: the linear reader has "
        "{whole} on whole texts and {read} on what is read ({cut} of {documents} validation documents are cut).",
        context_length=context_length,
        cost=number(cost.whole[-1] - cost.read[-1], ".3f"),
        k=len(cost.whole),
        whole=number(cost.whole[-1], ".3f"),
        read=number(cost.read[-1], ".3f"),
        cut=cost.cut,
        documents=cost.documents,
    )


def _cut_cost(run: TrainingRun, rows: NDArray[np.int64], fitted: FittedReader) -> CutCost:
    """The linear reader on the held-out documents, whole and as far as the context reaches."""
    encoder = CleanTextEncoder(run.tokenizer, run.training.context_length)
    parts, cut = list[csr_matrix](), 0
    for first, batch in run.data.numbered_batches():
        own = batch.column("text").take(pa.array(rows[(rows >= first) & (rows < first + len(batch))] - first))
        read = encoder.texts_read(own)
        cut += sum(len(some) < len(text) for some, text in zip(read, own.to_pylist(), strict=True))
        parts.append(fitted.linear.tfidf.features(read))
    labels, features = fitted.held_out.labels.toarray(), [fitted.held_out.features, vstack(parts, format="csr")]
    precision = [precision_at_k(labels, fitted.linear.margins(own), run.top_k) for own in features]
    return CutCost(documents=len(rows), cut=cut, whole=precision[0], read=precision[1])
