"""Linear baseline: TF-IDF of words and word pairs, and a linear SVM for each tag, both from scikit-learn.

It is trained on the documents that the BERT was trained on, for comparison only, and never stored.
docs/adr/0013 says why there are two solvers and what bounds its memory.
"""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, vstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.events import OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.ranking import average_precision
from get_tags_train.splits.training_set import TrainingSet

# Its time is a tenth of the training's, or this where that is longer. One pass is always made.
LEAST_SECONDS = 120.0
MOST_PASSES = 10
# Numbers that stay in memory, eight bytes each (a value and its column), whatever the number of documents or tags.
_MOST_COUNTS = 1 << 26
_MOST_WEIGHTS = 1 << 25
_HASHES = 1 << 22
# LinearSVC copies its input for each tag, 28 bytes a number.
_MOST_EXACT_COUNTS = 1 << 24
# CPU seconds for a count and a tag: a whole LinearSVC, a pass of SGDClassifier (docs/experiments.md, rounded up).
_EXACT_SECONDS = 4e-7
_PASS_SECONDS = 2e-8
_C_TRIED = (0.3, 1.0, 3.0, 10.0)
_C_TAGS = 32
_C_VALIDATION = 0.1
_TEXTS_AT_ONCE = 256

Weights = tuple[NDArray[np.float64], float]
"""(features,) weights of one tag and its intercept."""


@dataclass(frozen=True)
class LinearBaseline:
    """The trained linear model; `passes` over its `documents` were made, the most of any tag.

    columns: (features,) which hashes are features; weights: (features, labels); biases: (labels,).
    """

    columns: NDArray[np.int64]
    tfidf: TfidfTransformer
    weights: csr_matrix
    biases: NDArray[np.float32]
    documents: int
    passes: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """What is to be said of it; `documents_seen` counts a document once for each pass over it."""
        return {
            "documents": self.documents,
            "documents_seen": self.documents * self.passes,
            "tags": len(self.biases),
            "features": len(self.columns),
            "seconds": self.seconds,
        }

    def scores(self, clean_texts: Sequence[str]) -> NDArray[np.float32]:
        """The signed distance of each text from each label's plane: (texts, labels)."""
        result = np.tile(self.biases, (len(clean_texts), 1))
        for first in range(0, len(clean_texts), _TEXTS_AT_ONCE):
            some = slice(first, first + _TEXTS_AT_ONCE)
            features = self.tfidf.transform(_VECTORIZER.transform(clean_texts[some])[:, self.columns])
            result[some] += (features @ self.weights).toarray()
        return result


class _Examples(NamedTuple):
    """counts: (documents, features), of the hashes in `columns`; labels: (documents, labels)."""

    counts: csr_matrix
    columns: NDArray[np.int64]
    labels: csc_matrix


# Words and pairs as TfidfVectorizer(ngram_range=(1, 2)) has them, without a vocabulary in memory.
_VECTORIZER = HashingVectorizer(
    ngram_range=(1, 2), n_features=_HASHES, alternate_sign=False, norm=None, dtype=np.float32
)


def fit(
    data: PreparedData, training_set: TrainingSet, *, training_seconds: float, seed: int, on_event: OnEvent
) -> LinearBaseline:
    """Train on the training set in about a tenth of `training_seconds`, or two minutes, if that is longer."""
    started = perf_counter()
    examples = _read(data, training_set)
    tfidf = TfidfTransformer(sublinear_tf=True).fit(examples.counts)
    features = tfidf.transform(examples.counts, copy=False)
    on_event(StageStarted("baseline", total=len(training_set.tags), unit="tags"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a C that does not converge in time may still rank best
        solver = _choose_solver(features, examples.labels, max(training_seconds / 10, LEAST_SECONDS), seed)
        weights, biases = _solve(solver, examples.labels.shape[1], on_event)
    seconds = perf_counter() - started
    on_event(StageFinished("baseline", seconds))
    return LinearBaseline(
        columns=examples.columns,
        tfidf=tfidf,
        weights=weights,
        biases=biases,
        documents=features.shape[0],
        passes=solver.passes,
        seconds=round(seconds, 3),
    )


def _solve(solver: "_Exact | _Descent", tags: int, on_event: OnEvent) -> tuple[csr_matrix, NDArray[np.float32]]:
    """Weights (features, tags) and biases (tags,), of each tag the strongest that there is room for."""
    columns, biases = list[csr_matrix](), np.zeros(tags, np.float32)

    def solve(tag: int) -> tuple[csr_matrix, float]:
        weights, bias = solver(tag)
        return _strongest(weights, _MOST_WEIGHTS // tags), bias

    pool = ThreadPoolExecutor(solver.threads)
    try:
        for tag, (column, bias) in enumerate(pool.map(solve, range(tags))):
            columns.append(column)
            biases[tag] = bias
            on_event(StageProgress("baseline", tag + 1))
    finally:
        pool.shutdown(cancel_futures=True)
    return vstack(columns, format="csr").T.tocsr(), biases


def _read(data: PreparedData, training_set: TrainingSet) -> _Examples:
    """The training set as counts; where they are too many, hashes on few documents are left out as they come."""
    is_example = np.zeros(data.manifest.documents_kept, bool)
    is_example[training_set.rows] = True
    counts, labels, least = list[csr_matrix](), list[NDArray[np.int64]](), 1
    documents_of = np.zeros(_HASHES, np.int32)
    for first, batch in data.numbered_batches():
        chosen = batch.filter(pa.array(is_example[first : first + len(batch)]))
        if not len(chosen):
            continue
        counts.append(_VECTORIZER.transform(chosen.column("text").to_pylist()))
        documents_of += np.bincount(counts[-1].indices, minlength=_HASHES).astype(np.int32)
        labels += [training_set.label_of[tags] for tags in list_rows(chosen.column("tags"))]
        while sum(part.nnz for part in counts) > _MOST_COUNTS:  # a word may lose its first documents, no more
            least += 1
            counts = [_without(part, documents_of < least) for part in counts]
    columns = np.flatnonzero(documents_of >= least)
    matrix = vstack([part[:, columns] for part in counts], format="csr")
    rows = np.repeat(np.arange(len(labels)), [len(row) for row in labels])
    numbers = np.concatenate(labels)
    known = numbers >= 0
    pairs = (np.ones(known.sum(), bool), (rows[known], numbers[known]))
    return _Examples(matrix, columns, csc_matrix(pairs, shape=(len(labels), len(training_set.tags))))


def _without(counts: csr_matrix, is_rare: NDArray[np.bool_]) -> csr_matrix:
    counts.data[is_rare[counts.indices]] = 0
    counts.eliminate_zeros()
    return counts


def _strongest(weights: NDArray[np.float64], count: int) -> csr_matrix:
    """So many weights of one tag, those that matter most: (1, features)."""
    chosen = np.flatnonzero(weights)
    if len(chosen) > count:
        chosen = np.sort(chosen[np.argpartition(-np.abs(weights[chosen]), count)[:count]])
    values = weights[chosen].astype(np.float32)
    return csr_matrix((values, chosen.astype(np.int32), [0, len(chosen)]), (1, len(weights)))


def _choose_solver(features: csr_matrix, labels: csc_matrix, seconds: float, seed: int) -> "_Exact | _Descent":
    """LinearSVC where all tags are expected to fit this time and the memory, else as many passes of SGD as do."""
    tags = labels.shape[1]
    work = features.nnz * tags
    rounds = 1 + len(_C_TRIED) * min(1.0, _C_TAGS / tags)
    if features.nnz <= _MOST_EXACT_COUNTS and work * rounds * _EXACT_SECONDS <= seconds:
        return _Exact(features.astype(np.float64), labels, seed)
    threads = cpu_count() or 1
    passes = min(max(seconds * threads / (work * _PASS_SECONDS), 1), MOST_PASSES)
    return _Descent(features, labels, int(passes), threads, seed)


@dataclass(frozen=True)
class _Descent:
    """Averaged stochastic gradient descent for a tag, with C = 1."""

    features: csr_matrix
    labels: csc_matrix
    passes: int
    threads: int
    seed: int

    def __call__(self, tag: int) -> Weights:
        model = SGDClassifier(
            loss="modified_huber",
            alpha=1 / self.features.shape[0],
            max_iter=self.passes,
            tol=None,
            average=True,
            random_state=self.seed,
        )
        return _fitted(model, self.features, _column(self.labels, tag))


class _Exact:
    """LinearSVC for a tag, with the same C for all."""

    threads = 1  # it draws from the process's own random numbers

    def __init__(self, features: csr_matrix, labels: csc_matrix, seed: int) -> None:
        self._features, self._labels, self._seed = features, labels, seed
        self._c = self._best_c()
        self.passes = 1

    def __call__(self, tag: int) -> Weights:
        model = LinearSVC(C=self._c, random_state=self._seed)
        found = _fitted(model, self._features, _column(self._labels, tag))
        self.passes = max(self.passes, int(getattr(model, "n_iter_", 1)))  # none where there was nothing to learn
        return found

    def _best_c(self) -> float:
        """The C whose ranking is best on a tenth of the documents; some tags stand for all, frequent ones rather."""
        generator = np.random.default_rng(self._seed)
        counts = self._labels.getnnz(axis=0)
        count = min(_C_TAGS, int(np.count_nonzero(counts)))
        tags = np.sort(generator.choice(len(counts), count, replace=False, p=counts / counts.sum()))
        is_validation = generator.random(self._features.shape[0]) < _C_VALIDATION
        y_true = self._labels[:, tags].toarray()
        y_train, y_true = y_true[~is_validation], y_true[is_validation]
        tagged = y_true.any(axis=1)
        if not tagged.any() or not y_train.any():
            return 1.0
        train, validation = self._features[~is_validation], self._features[is_validation][tagged]
        y_true = y_true[tagged]
        best, highest = 1.0, -1.0
        for c in _C_TRIED:
            solved = [_fitted(LinearSVC(C=c, random_state=self._seed), train, own) for own in y_train.T]
            y_score = np.stack([validation @ weights + bias for weights, bias in solved], axis=1)
            score = float(average_precision(y_true, y_score, y_true.sum(axis=1)).mean())
            if score <= highest:
                break  # larger ones take longest
            best, highest = c, score
        return best


def _fitted(model: LinearSVC | SGDClassifier, features: csr_matrix, y: NDArray[np.bool_]) -> Weights:
    if y.all() or not y.any():
        return np.zeros(features.shape[1]), 1.0 if y.any() else -1.0
    model.fit(features, y)
    return model.coef_[0], float(model.intercept_[0])


def _column(labels: csc_matrix, tag: int) -> NDArray[np.bool_]:
    """(documents,) which have the tag."""
    y = np.zeros(labels.shape[0], bool)
    y[labels.indices[labels.indptr[tag] : labels.indptr[tag + 1]]] = True
    return y
