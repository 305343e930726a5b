"""Fit the linear reader: documents -> TF-IDF features -> a linear SVM for each tag, all tags of a block at once.

docs/adr/0017 says what is minimised and why not one tag after the other.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, vstack

from get_tags_train.core.events import OnEvent, StageFinished, StageProgress, StageStarted, ignored
from get_tags_train.metrics.calibration import THRESHOLD, Calibration, fit_calibration, tune_thresholds
from get_tags_train.metrics.ranking import average_precision
from get_tags_train.model.linear_reader import LinearReader, strongest
from get_tags_train.model.squared_hinge import MOST_DENSE, MOST_PASSES, similarities_of, solve
from get_tags_train.model.working_sets import WorkingSets
from get_tags_train.text.tfidf import HASHES, TfIdf, count_words

TextBatches = Iterable[tuple[Sequence[str], Sequence[NDArray[np.int64]]]]
"""Clean texts and the labels of each, some documents at a time; labels below 0 are tags that are none."""
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

# Numbers that stay in memory, eight bytes each (a value and its column), whatever the number of documents or tags.
_MOST_COUNTS = 1 << 26
# Where they become too many, so much of that stays. To leave out a few after each batch would take hours.
_ROOM = 7 / 8
_MOST_WEIGHTS = 1 << 25
_MOST_FEATURES = 1 << 20
# Features x tags that are computed at the same time, four bytes each, in each thread: many tags, as each number of the
# documents is fetched for all of them at once.
_BLOCK_WEIGHTS = 1 << 26
_MOST_BLOCK_TAGS = 64
_MOST_THREADS = 4
# Numbers that all documents may take for all tags, about a minute; more tags or documents have working sets.
_MOST_WORK = 2e11
# C is chosen by what ranks best on validation documents, or on this share of the others where there are none.
_C_TRIED = (0.3, 1.0, 3.0, 10.0)
_C_TAGS = 64
_C_VALIDATION = 0.1


class Examples(NamedTuple):
    """features: (documents, features); labels: (documents, labels)."""

    features: csr_matrix
    labels: csc_matrix


@dataclass(frozen=True)
class FittedReader:
    """The linear reader, with the training and the held-out documents as it sees them."""

    linear: LinearReader
    training: Examples
    held_out: Examples


def fit_linear(
    training: TextBatches, held_out: TextBatches, tags: int, *, seed: int, on_event: OnEvent
) -> FittedReader:
    """Fit on the training documents; the held-out ones, where there are any, choose C and calibrate what comes of it.

    tags: how many labels there are.
    """
    started = perf_counter()
    on_event(StageStarted("baseline", total=tags, unit="tags"))
    tfidf, examples = read_examples(training, tags, _MOST_COUNTS)
    validation = _read(held_out, tfidf, tags)
    c = _best_c(examples, validation, seed)
    weights, biases = _solve(examples, c, on_event)
    calibration, thresholds = _calibrated(validation, weights, biases)
    seconds = perf_counter() - started
    linear = LinearReader(
        tfidf=tfidf,
        weights=weights,
        biases=biases,
        calibration=calibration,
        thresholds=thresholds,
        documents=examples.features.shape[0],
        seconds=round(seconds, 3),
    )
    on_event(StageFinished("baseline", seconds))
    return FittedReader(linear, examples, validation)


def read_examples(batches: TextBatches, tags: int, most_counts: int) -> tuple[TfIdf, Examples]:
    """Features and labels; where there are too many counts or features, hashes on few documents are left out."""
    counts, labels, least = list[csr_matrix](), list[NDArray[np.int64]](), 1
    documents_of, kept_of = np.zeros(HASHES, np.int32), np.zeros(HASHES, np.int32)
    for texts, numbers in batches:
        counts.append(count_words(texts))
        found = np.bincount(counts[-1].indices, minlength=HASHES).astype(np.int32)
        documents_of += found
        kept_of += found
        labels += numbers
        if kept_of.sum() > most_counts:  # a word may lose its first documents, no more
            least = max(least, _least_for(documents_of, kept_of, round(_ROOM * most_counts)))
            kept_of[documents_of < least] = 0
            counts = [_without(part, documents_of < least) for part in counts]
    while np.count_nonzero(documents_of >= least) > _MOST_FEATURES:
        least += 1
    hashes = np.flatnonzero(documents_of >= least)
    for place, part in enumerate(counts):  # one after the other: all of them twice would be the most that is in memory
        counts[place] = part[:, hashes]
    matrix = vstack(counts, format="csr")
    counts.clear()
    tfidf = TfIdf.of(matrix, hashes)
    return tfidf, Examples(tfidf.weighted(matrix), _matrix(labels, tags))


def _least_for(documents_of: NDArray[np.int32], kept_of: NDArray[np.int32], most_counts: int) -> int:
    """On how many documents a hash must be, so that at most so many counts are kept."""
    counts = np.bincount(documents_of, kept_of)  # of the hashes on so many documents
    return int(np.flatnonzero(counts.sum() - np.cumsum(counts) <= most_counts)[0]) + 1


def _read(batches: TextBatches, tfidf: TfIdf, tags: int) -> Examples:
    parts, labels = [csr_matrix((0, len(tfidf.hashes)), dtype=np.float32)], list[NDArray[np.int64]]()
    for texts, numbers in batches:
        parts.append(tfidf.features(texts))
        labels += numbers
    return Examples(vstack(parts, format="csr"), _matrix(labels, tags))


def _matrix(labels: list[NDArray[np.int64]], count: int) -> csc_matrix:
    """(documents, labels); numbers below 0 are tags that are no labels."""
    rows = np.repeat(np.arange(len(labels)), [len(row) for row in labels])
    numbers = np.concatenate([np.zeros(0, np.int64), *labels])
    known = numbers >= 0
    return csc_matrix((np.ones(known.sum(), bool), (rows[known], numbers[known])), shape=(len(labels), count))


def _without(counts: csr_matrix, is_rare: Bools) -> csr_matrix:
    counts.data[is_rare[counts.indices]] = 0
    counts.eliminate_zeros()
    return counts


def _solve(training: Examples, c: float, on_event: OnEvent) -> tuple[csr_matrix, Floats]:
    """Weights (features, tags), of each tag the strongest that there is room for, and biases (tags,)."""
    tags = training.labels.shape[1]
    blocks = _blocks(training.features.shape[1], tags)
    solve_block = _solver(training, c)

    def pruned(block: slice) -> tuple[csr_matrix, Floats]:
        weights, biases = solve_block(training.labels[:, block])
        return strongest(weights, _MOST_WEIGHTS // tags), biases

    found = list[tuple[csr_matrix, Floats]]()
    pool = ThreadPoolExecutor(min(cpu_count() or 1, _MOST_THREADS))
    try:
        for block, part in zip(blocks, pool.map(pruned, blocks), strict=True):
            found.append(part)
            on_event(StageProgress("baseline", block.stop))
    finally:
        pool.shutdown(cancel_futures=True)
    weights, biases = zip(*found, strict=True)
    return vstack(weights, format="csr").T.tocsr(), np.concatenate(biases)


def _solver(training: Examples, c: float) -> Callable[[csc_matrix], tuple[csr_matrix, Floats]]:
    """What gives weights (tags, features) and biases (tags,) for labels (documents, tags)."""
    features = training.features
    documents, tags = training.labels.shape
    if documents > MOST_DENSE and 2 * MOST_PASSES * features.nnz * tags > _MOST_WORK:
        working_sets = WorkingSets.of(features)
        return lambda labels: working_sets.solve(labels, c)
    similarities = similarities_of(features)

    def on_all(labels: csc_matrix) -> tuple[csr_matrix, Floats]:
        dual, biases = solve(similarities, labels.toarray(), c)
        return csr_matrix((features.T @ dual).T), biases

    return on_all


def _blocks(features: int, tags: int) -> list[slice]:
    size = min(max(_BLOCK_WEIGHTS // features, 1), _MOST_BLOCK_TAGS)
    return [slice(first, min(first + size, tags)) for first in range(0, tags, size)]


def _best_c(training: Examples, held_out: Examples, seed: int) -> float:
    """The C whose ranking is best on other documents; some tags stand for all, frequent ones rather."""
    generator = np.random.default_rng(seed)
    if not held_out.labels.nnz:
        is_held_out = generator.random(training.features.shape[0]) < _C_VALIDATION
        labels = training.labels.tocsr()
        held_out = Examples(training.features[is_held_out], labels[is_held_out].tocsc())
        training = Examples(training.features[~is_held_out], labels[~is_held_out].tocsc())
    counts = training.labels.getnnz(axis=0)
    known = int(np.count_nonzero(counts))
    if not known or not held_out.labels.nnz:
        return 1.0
    tags = np.sort(generator.choice(len(counts), min(_C_TAGS, known), replace=False, p=counts / counts.sum()))
    training = Examples(training.features, training.labels[:, tags])
    y_true = held_out.labels[:, tags].toarray()
    tagged = y_true.any(axis=1)
    if not tagged.any():
        return 1.0
    best, highest = 1.0, -1.0
    for c in _C_TRIED:
        weights, biases = _solve(training, c, ignored)
        y_score = (held_out.features[tagged] @ weights).toarray() + biases
        score = float(average_precision(y_true[tagged], y_score, y_true[tagged].sum(axis=1)).mean())
        if score > highest:
            best, highest = c, score
    return best


def _calibrated(held_out: Examples, weights: csr_matrix, biases: Floats) -> tuple[Calibration, NDArray[np.float64]]:
    """Calibration and thresholds by the held-out documents; without them a tag is predicted above its plane."""
    if not held_out.labels.nnz:
        return Calibration.unchanged(len(biases)), np.full(len(biases), THRESHOLD)
    margins = (held_out.features @ weights).toarray() + biases
    calibration = fit_calibration(margins, held_out.labels.toarray())
    return calibration, tune_thresholds(calibration.scale * margins + calibration.shift)
