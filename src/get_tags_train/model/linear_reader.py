"""The linear reader: a linear SVM for each tag over the TF-IDF features of whole texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit

from get_tags_train.metrics.calibration import Calibration
from get_tags_train.text.tfidf import TfIdf

_TEXTS_AT_ONCE = 256


@dataclass(frozen=True)
class LinearReader:
    """A trained linear model.

    weights: (features, labels), sparse; biases, thresholds: (labels,); `calibration` makes probabilities of margins,
    and thresholds are those from which each tag is predicted. `documents` is how many it was fitted on.
    """

    tfidf: TfIdf
    weights: csr_matrix
    biases: NDArray[np.float32]
    calibration: Calibration
    thresholds: NDArray[np.float64]
    documents: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """What is to be said of it."""
        return {
            "documents": self.documents,
            "tags": len(self.biases),
            "features": len(self.tfidf.hashes),
            "seconds": self.seconds,
        }

    def margins(self, features: csr_matrix) -> NDArray[np.float32]:
        """The signed distance of each text from each label's plane: (texts, labels)."""
        result = np.tile(self.biases, (features.shape[0], 1))
        for first in range(0, len(result), _TEXTS_AT_ONCE):
            some = slice(first, first + _TEXTS_AT_ONCE)
            result[some] += (features[some] @ self.weights).toarray()
        return result

    def scores(self, clean_texts: Sequence[str]) -> NDArray[np.float32]:
        """The probability of each label for each text: (texts, labels)."""
        scale, shift = self.calibration
        scores: NDArray[np.float32] = expit(scale * self.margins(self.tfidf.features(clean_texts)) + shift)
        return scores

    def pruned(self, features: NDArray[np.intp], *, most_weights: int) -> "LinearReader":
        """The same with these features alone, by their places, and of each tag the strongest weights."""
        weights = strongest(self.weights[features].T.tocsr(), most_weights // len(self.biases)).T.tocsr()
        return replace(self, tfidf=TfIdf(self.tfidf.hashes[features], self.tfidf.idf[features]), weights=weights)


def strongest(matrix: csr_matrix, count: int) -> csr_matrix:
    """The same with at most so many numbers a row, those furthest from 0."""
    sizes = np.diff(matrix.indptr)
    is_kept = np.ones(matrix.nnz, bool)
    for row in np.flatnonzero(sizes > count):
        own = slice(matrix.indptr[row], matrix.indptr[row + 1])
        weakest = sizes[row] - count
        dropped = np.argpartition(np.abs(matrix.data[own]), weakest - 1)[:weakest]
        is_kept[own.start + dropped] = False
    indptr = np.concatenate([[0], np.cumsum(np.minimum(sizes, count))])
    return csr_matrix((matrix.data[is_kept], matrix.indices[is_kept], indptr), shape=matrix.shape)
