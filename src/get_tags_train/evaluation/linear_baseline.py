"""A linear model on hashed words, trained on the same documents: what a BERT has to beat to be worth its time.

One logistic regression a tag over TF-IDF of words, learned by AdaGrad while the documents stream by. No text stays in
memory; the weights take at most _MOST_WEIGHTS numbers of four bytes, whatever the number of documents or tags.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from get_tags_train.core.events import OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.training_set import TrainingSet

PASSES = 5
# A tenth of the training's time is the limit, but nobody waits for less than this.
_LEAST_SECONDS = 10.0
_MOST_WEIGHTS = 1 << 26
_FEATURES = 1 << 17
_FEWEST_FEATURES = 1 << 13
_WINDOW = 4096  # documents that are shuffled together
_BATCH = 32
_LEARNING_RATE = 1.0
_MOST_WORDS = 200_000  # whose features are remembered
_NOT_WORDS = r"[^\p{L}\p{N}]+"


class Window(NamedTuple):
    """Some documents: word counts (documents, features), and which tag numbers each has."""

    words: csr_matrix
    tags: list[NDArray[np.int64]]


@dataclass(frozen=True)
class LinearBaseline:
    """The trained linear model; `documents_seen` counts a document once for each pass over it.

    weights: (features, tags that it knows); tags: their labels in `Examples`.
    """

    features: "_HashedWords"
    idf: NDArray[np.float32]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    labels: NDArray[np.int64]
    label_count: int
    documents: int
    documents_seen: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """What is to be said of it."""
        return {
            "documents": self.documents,
            "documents_seen": self.documents_seen,
            "tags": len(self.labels),
            "features": self.features.size,
            "seconds": self.seconds,
        }

    def scores(self, clean_texts: Sequence[str]) -> NDArray[np.float32]:
        """A score for every label of `Examples` for every text, -inf for those it leaves out: (texts, labels)."""
        words = _weighted(self.features.count(pa.array(clean_texts, pa.string())), self.idf)
        result = np.full((len(clean_texts), self.label_count), -np.inf, np.float32)
        result[:, self.labels] = words @ self.weights + self.biases
        return result


def fit(
    data: PreparedData, examples: TrainingSet, *, training_seconds: float, seed: int, on_event: OnEvent
) -> LinearBaseline:
    """Train on the examples in at most a tenth of `training_seconds` (or 10 seconds, if that is longer)."""
    started = perf_counter()
    deadline = started + max(training_seconds / 10, _LEAST_SECONDS)
    labels = _most_frequent(examples)
    features = _HashedWords(_feature_count(len(labels)))
    learner = _Learner(features.size, examples, labels, np.random.default_rng(seed))
    on_event(StageStarted("baseline", total=PASSES * len(examples.rows), unit="documents"))
    place = np.full(len(examples.tags), -1, np.int64)
    place[labels] = np.arange(len(labels))
    frequencies = np.zeros(features.size, np.int64)
    for window in _windows(data, examples, features, place):
        frequencies += np.bincount(window.words.indices, minlength=features.size)
    idf = (np.log((1 + len(examples.rows)) / (1 + frequencies)) + 1).astype(np.float32)
    seen = 0
    for window in (window for _ in range(PASSES) for window in _windows(data, examples, features, place)):
        learner.learn(_weighted(window.words, idf), window.tags)
        seen += len(window.tags)
        on_event(StageProgress("baseline", seen))
        if perf_counter() > deadline:
            break
    seconds = perf_counter() - started
    on_event(StageFinished("baseline", seconds))
    return LinearBaseline(
        features=features,
        idf=idf,
        weights=learner.weights,
        biases=learner.biases,
        labels=labels,
        label_count=len(examples.tags),
        documents=len(examples.rows),
        documents_seen=seen,
        seconds=round(seconds, 3),
    )


def _most_frequent(examples: TrainingSet) -> NDArray[np.int64]:
    """The labels that it learns: all, or as many of the most frequent as the weights have room for, in order."""
    room = _MOST_WEIGHTS // _FEWEST_FEATURES
    return np.sort(np.argsort(-np.array(examples.counts), kind="stable")[:room])


def _feature_count(labels: int) -> int:
    count = _FEATURES
    while count * labels > _MOST_WEIGHTS:
        count //= 2
    return count


class _HashedWords:
    """Lower-cased words -> features by a hash; the hashes of words met before are remembered."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._feature_of: dict[str, int] = {}

    def count(self, clean_texts: pa.StringArray) -> csr_matrix:
        """How often each feature is in each text: (texts, size)."""
        split = pc.ascii_split_whitespace(pc.replace_substring_regex(clean_texts, _NOT_WORDS, " "))
        words = split.flatten().dictionary_encode()
        features = self._features(words.dictionary.to_pylist())[words.indices.to_numpy()]
        texts = np.repeat(np.arange(len(clean_texts)), pc.list_value_length(split).to_numpy())
        known = features >= 0
        cells, counts = np.unique(texts[known] * self.size + features[known], return_counts=True)
        rows, columns = np.divmod(cells, self.size)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(clean_texts)))])
        return csr_matrix((counts.astype(np.float32), columns, offsets), (len(clean_texts), self.size))

    def _features(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The feature of each word, -1 for the empty one."""
        if len(self._feature_of) > _MOST_WORDS:
            self._feature_of.clear()
        known = self._feature_of
        for word in words:
            if word not in known:
                known[word] = zlib.crc32(word.lower().encode()) % self.size if word else -1
        return np.array([known[word] for word in words], np.int64)


def _windows(
    data: PreparedData, examples: TrainingSet, features: _HashedWords, place: NDArray[np.int64]
) -> Iterator[Window]:
    """The examples in stored order, so many at a time that shuffling among them is enough."""
    is_example = np.zeros(data.manifest.documents_kept, bool)
    is_example[examples.rows] = True
    parts: list[Window] = []
    for first, batch in data.numbered_batches():
        chosen = pa.array(is_example[first : first + len(batch)])
        texts, tags = batch.column("text").filter(chosen), batch.column("tags").filter(chosen)
        if len(texts):
            parts.append(Window(features.count(texts), _known(tags, examples, place)))
        if sum(len(part.tags) for part in parts) >= _WINDOW:
            yield _joined(parts)
            parts = []
    if parts:
        yield _joined(parts)


def _known(column: pa.ListArray, examples: TrainingSet, place: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    rows = []
    for numbers in column.to_pylist():
        labels = examples.label_of[np.array(numbers, np.int64)]
        places = place[labels[labels >= 0]]
        rows.append(places[places >= 0])
    return rows


def _joined(parts: Sequence[Window]) -> Window:
    return Window(vstack([part.words for part in parts], format="csr"), [row for part in parts for row in part.tags])


def _weighted(words: csr_matrix, idf: NDArray[np.float32]) -> csr_matrix:
    """(1 + log count) x idf, each row of length 1."""
    values = (1 + np.log(words.data)) * idf[words.indices]
    rows = np.repeat(np.arange(words.shape[0]), np.diff(words.indptr))
    lengths = np.sqrt(np.bincount(rows, values**2, minlength=words.shape[0]))
    return csr_matrix((values / lengths[rows], words.indices, words.indptr), words.shape, dtype=np.float32)


class _Learner:
    """One logistic regression a tag: AdaGrad with one rate a feature, biases fixed at the tags' log-odds."""

    def __init__(
        self, features: int, examples: TrainingSet, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> None:
        share = np.array(examples.counts, float)[labels] / len(examples.rows)
        share = share.clip(0.5 / len(examples.rows), 1 - 0.5 / len(examples.rows))
        self.weights = np.zeros((features, len(labels)), np.float32)
        self.biases = np.log(share / (1 - share)).astype(np.float32)
        self._squares = np.zeros(features, np.float32)
        self._generator = generator

    def learn(self, words: csr_matrix, tags: list[NDArray[np.int64]]) -> None:
        """One pass over these documents in a random order."""
        order = self._generator.permutation(words.shape[0])
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = words[rows]
            used, columns = np.unique(batch.indices, return_inverse=True)
            compact = csr_matrix((batch.data, columns, batch.indptr), (len(rows), len(used)))
            weights = self.weights[used]
            errors = 1 / (1 + np.exp(-(compact @ weights + self.biases)))
            for row, place in enumerate(rows):
                errors[row, tags[place]] -= 1
            gradient = compact.T @ errors
            self._squares[used] += (gradient**2).max(axis=1)
            self.weights[used] = weights - _LEARNING_RATE * gradient / np.sqrt(self._squares[used] + 1e-8)[:, None]
