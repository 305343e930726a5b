"""Out-of-fold evidence: what a linear model, the nearest documents and a document's other tags say of its tags.

No document is scored by a model that saw it or a near-duplicate of it. Of each document a few tags are kept as
candidates, never all documents x tags: its own, the most likely that it lacks, and some at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.files import atomic_write
from get_tags_train.core.i18n import _
from get_tags_train.data.near_duplicates import group_documents
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.linear_reader import strongest
from get_tags_train.model.nearest_documents import NEAREST, NearestDocuments
from get_tags_train.review.features import read_features
from get_tags_train.review.kernel_ridge import KernelRidge, Moments, in_threads
from get_tags_train.review.other_tags import OtherTags
from get_tags_train.splits.training_set import TrainingSet, text_batches
from get_tags_train.text.tfidf import TfIdf

FOLDS = 5
# Numbers of features in memory, eight bytes each.
_MOST_COUNTS = 1 << 24
_NEAREST_FEATURES = 32
# With fewer, folds would say nothing.
_LEAST_DOCUMENTS = 50
_LIKELY, _RANDOM = 10, 4
# What the three count for where candidates are chosen; how sure a candidate is, is learnt afterwards.
_LINEAR, _NEAREST, _OTHERS = 1.0, 0.5, 0.3

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Corpus:
    """All documents: features (documents, features), rows of length 1; tags (documents, tags); folds (documents,).

    tfidf: what makes features of texts.
    """

    tfidf: TfIdf
    features: csr_matrix
    tags: csr_matrix
    folds: NDArray[np.int8]

    @classmethod
    def read(cls, data: PreparedData, *, seed: int) -> "Corpus":
        """Those of prepared data, near-duplicates in the same fold. Raises InputError where they are too few."""
        rows, tags = np.arange(data.manifest.documents_kept), len(data.tags)
        everything = TrainingSet(rows, data.tags, data.tag_counts, np.arange(tags))
        groups = group_documents(data)
        if (different := len(np.unique(groups))) < _LEAST_DOCUMENTS:
            raise InputError(
                _("{name} has only {count} documents that differ.", name=data.name, count=different),
                _("An audit needs {least} at least.", least=_LEAST_DOCUMENTS),
            )
        tfidf, features, labels = read_features(
            text_batches(data, everything, rows), documents=len(rows), most_counts=_MOST_COUNTS
        )
        return cls(tfidf, features, _matrix(labels, tags), folds_of(groups, seed=seed))

    @property
    def counts(self) -> NDArray[np.int64]:
        """(tags,) the documents of each."""
        return np.asarray(self.tags.sum(axis=0)).ravel().astype(np.int64)


def _matrix(labels: list[NDArray[np.int64]], tags: int) -> csr_matrix:
    """(documents, tags)"""
    indptr = np.concatenate([[0], np.cumsum([len(own) for own in labels])])
    columns = np.concatenate([np.zeros(0, np.int64), *labels])
    return csr_matrix((np.ones(len(columns), np.float32), columns, indptr), shape=(len(labels), tags))


@dataclass(frozen=True)
class Evidence:
    """Pairs of a document and a tag, by document, and what was found out about each.

    document, tag: places; is_given: whether the database has it; weight: how many pairs it stands for (1, more for one
    drawn at random); linear, nearest, others: the three scores; bert: its logit, NaN where there is no BERT.
    """

    document: NDArray[np.int32]
    tag: NDArray[np.int32]
    is_given: NDArray[np.bool_]
    weight: Floats
    linear: Floats
    nearest: Floats
    others: Floats
    bert: Floats

    def __len__(self) -> int:
        return len(self.document)

    @classmethod
    def joined(cls, parts: Sequence["Evidence"]) -> "Evidence":
        """Several as one, in the order of documents."""
        columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)]
        order = np.argsort(columns[0], kind="stable")
        return cls(*(column[order] for column in columns))


class BertLogits:
    """Logits of a BERT that did not see the document, of its strongest tags: (documents, strongest) each.

    A tag that is not among them has the least of them.
    """

    def __init__(self, tags: NDArray[np.int32], logits: Floats) -> None:
        self._tags, self._logits = tags, logits

    def dense(self, rows: NDArray[np.int64], tags: int) -> Floats:
        """(documents, tags) of these documents."""
        least = self._logits[rows].min(axis=1, keepdims=True)
        dense = np.repeat(least, tags, axis=1)
        np.put_along_axis(dense, self._tags[rows].astype(np.int64), self._logits[rows], axis=1)
        return dense


def folds_of(groups: NDArray[np.integer], *, seed: int) -> NDArray[np.int8]:
    """A random fold for each document, the same for those of a group: (documents,)."""
    names, group = np.unique(groups, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    return fold[group].astype(np.int8)


def collect(
    corpus: Corpus, folder: Path, *, seed: int, on_event: OnEvent, bert: BertLogits | None = None
) -> tuple[Evidence, NDArray[np.int32]]:
    """The evidence of all documents, and the nearest documents of each in other folds, nearest first.

    (documents, 10) places, -1 where there are no more. A fold that stands in `folder` is not computed again.
    """
    started = perf_counter()
    on_event(StageStarted("out_of_fold", total=FOLDS, unit="folds"))
    paths = [folder / f"fold-{fold}.npz" for fold in range(FOLDS)]
    scoring = _Folds(corpus, folder, seed, bert)
    for fold, path in enumerate(paths):
        if not path.exists():
            scoring.write(fold, path)
        on_event(StageProgress("out_of_fold", fold + 1))
    found = _read(paths, corpus.tags.shape[0])
    on_event(StageFinished("out_of_fold", perf_counter() - started))
    return found


class _Folds:
    """Scores one fold after the other; what all folds need is computed once, with the first.

    folder: where the folds' moments are kept: they are large, and each is needed twice.
    """

    def __init__(self, corpus: Corpus, folder: Path, seed: int, bert: BertLogits | None) -> None:
        self._corpus, self._folder, self._seed, self._bert = corpus, folder, seed, bert
        self._ridge = KernelRidge.of(corpus.features, corpus.tags, seed=seed)

    @cached_property
    def _strongest(self) -> csr_matrix:
        return strongest(self._corpus.features, _NEAREST_FEATURES)

    @cached_property
    def _all(self) -> Moments:
        return reduce(add, map(self._moments, range(FOLDS)))

    def _moments(self, fold: int) -> Moments:
        """The sums over a fold's documents."""
        path = self._folder / f"moments-{fold}.npz"
        if not path.exists():
            self._ridge.moments(np.flatnonzero(self._corpus.folds == fold)).save(path)
        return Moments.load(path)

    def write(self, fold: int, path: Path) -> None:
        """Score a fold, and keep what was found."""
        corpus = self._corpus
        rows, others = np.flatnonzero(corpus.folds == fold), np.flatnonzero(corpus.folds != fold)
        scorer = self._ridge.solve(self._all - self._moments(fold))
        by_tags = OtherTags.fit(corpus.tags[others])
        nothing = np.zeros(0, np.uint8), np.zeros(0, np.int64)
        strongest_features = self._strongest
        index = NearestDocuments(strongest_features[others].T.tocsr(), corpus.tags[others], *nothing)

        def score(some: NDArray[np.int64]) -> tuple[Evidence, NDArray[np.int32]]:
            near = index.similarities(strongest_features[some])
            own_tags = corpus.tags[some]
            scores = {
                "linear": scorer(self._ridge.kernels(some)),
                "nearest": _shares(near, index.tags),
                "others": by_tags.scores(own_tags),
            }
            if self._bert is not None:
                scores["bert"] = self._bert.dense(some, own_tags.shape[1])
            generator = np.random.default_rng([self._seed, int(some[0])])
            return _candidates(some, own_tags, scores, generator), _places(near, others)

        parts, places = zip(*in_threads(score, self._ridge.blocks(rows)), strict=True)
        found = Evidence.joined(parts)
        columns = {field.name: getattr(found, field.name) for field in fields(Evidence)}
        with atomic_write(path) as stream:
            np.savez(stream, rows=rows, places=np.concatenate(places), **columns)


def _shares(near: csr_matrix, tags: csr_matrix) -> Floats:
    """The share of the nearest documents that have each tag, the nearer the heavier: (documents, tags)."""
    total = np.asarray(near.sum(axis=1)).reshape(-1, 1)
    shares: Floats = (near @ tags).toarray()
    np.divide(shares, total, out=shares, where=total > 0)
    return shares


def _candidates(
    rows: NDArray[np.int64], own_tags: csr_matrix, scores: dict[str, Floats], generator: np.random.Generator
) -> Evidence:
    """The documents' own tags, the most likely others, and some of all the rest, which stand for it."""
    documents, tags = own_tags.shape
    is_own = own_tags.toarray() > 0
    ranked = _LINEAR * scores["linear"] + _NEAREST * scores["nearest"] + _OTHERS * scores["others"]
    if "bert" in scores:
        ranked += 1 / (1 + np.exp(-scores["bert"]))
    ranked[is_own] = -np.inf
    weight = is_own.astype(np.float32)
    likely = min(_LIKELY, tags)
    np.put_along_axis(weight, np.argpartition(-ranked, likely - 1, axis=1)[:, :likely], 1, axis=1)
    rest = tags - np.count_nonzero(weight, axis=1)
    drawn = generator.integers(tags, size=(documents, _RANDOM))
    is_rest = np.take_along_axis(weight, drawn, axis=1) == 0
    share = np.where(is_rest, rest[:, None] / np.maximum(is_rest.sum(axis=1, keepdims=True), 1), 0)
    line = np.repeat(np.arange(documents), _RANDOM).reshape(documents, _RANDOM)
    np.add.at(weight, (line[is_rest], drawn[is_rest]), share[is_rest])
    places = np.nonzero(weight)
    nothing = np.full(len(places[0]), np.nan, np.float32)
    return Evidence(
        document=rows[places[0]].astype(np.int32),
        tag=places[1].astype(np.int32),
        is_given=is_own[places],
        weight=weight[places],
        linear=scores["linear"][places],
        nearest=scores["nearest"][places],
        others=scores["others"][places],
        bert=scores["bert"][places] if "bert" in scores else nothing,
    )


def _places(near: csr_matrix, others: NDArray[np.int64]) -> NDArray[np.int32]:
    """The places of the nearest documents among all, -1 for none: (documents, 10). others: those of the index."""
    places = np.full((near.shape[0], NEAREST), -1, np.int32)
    line = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    places[line, np.arange(near.nnz) - near.indptr[line]] = others[near.indices]
    return places


def _read(paths: Sequence[Path], documents: int) -> tuple[Evidence, NDArray[np.int32]]:
    places = np.full((documents, NEAREST), -1, np.int32)
    parts = list[Evidence]()
    for path in paths:
        with np.load(path) as stored:
            places[stored["rows"]] = stored["places"]
            parts.append(Evidence(*(stored[field.name] for field in fields(Evidence))))
    return Evidence.joined(parts), places
