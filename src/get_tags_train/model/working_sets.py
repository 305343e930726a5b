"""Linear SVMs of many tags on many documents: each tag on its own documents and those most like them.

Only documents near a tag's plane shape it, and for most tags these are few. The mean of all documents stands for the
others. docs/adr/0026 says what that costs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from get_tags_train.model.linear_reader import strongest
from get_tags_train.model.squared_hinge import Floats, solve

# The documents without the tag that are taken: so many, and so many for each that has it.
_OTHERS, _OTHERS_EACH = 512, 8
# What chooses them reads only the strongest features of each document.
_CHOOSING_FEATURES = 48
_PASSES = 25


@dataclass(frozen=True)
class WorkingSets:
    """The documents' features, (documents, features), rows of length 1, and those of each that are strongest.

    mean: (features,) that of all documents; to_mean: (documents,) the similarity of each and the mean.
    """

    features: csr_matrix
    strongest: csr_matrix
    mean: Floats
    to_mean: Floats

    @classmethod
    def of(cls, features: csr_matrix) -> "WorkingSets":
        """Those of documents with these features."""
        mean = np.asarray(features.mean(axis=0)).ravel().astype(np.float32)
        return cls(features, strongest(features, _CHOOSING_FEATURES), mean, features @ mean)

    def solve(self, labels: csc_matrix, c: float) -> tuple[csr_matrix, Floats]:
        """The weights, (tags, features), and the biases, (tags,); labels: (documents, tags)."""
        found = [self._solve(rows, own, c) for rows, own in self.chosen(labels)]
        ends = np.cumsum([0, *(len(weights) for _features, weights, _bias in found)])
        places = np.concatenate([features for features, _weights, _bias in found]).astype(np.int32)
        weights = np.concatenate([weights for _features, weights, _bias in found])
        shape = (labels.shape[1], self.features.shape[1])
        return csr_matrix((weights, places, ends), shape=shape), np.array([b for *_, b in found], np.float32)

    def _towards(self, labels: csc_matrix) -> Floats:
        """From the mean of all documents to that of each tag's: (features, tags)."""
        counts = np.maximum(labels.getnnz(axis=0), 1).astype(np.float32)
        sums: Floats = (self.features.T @ labels.astype(np.float32)).toarray()
        sums /= counts
        sums -= self.mean[:, None]
        return sums

    def chosen(self, labels: csc_matrix) -> Iterator[tuple[NDArray[np.int64], int]]:
        """For each tag its working set, the documents that have it first, and how many these are."""
        similarity = self.strongest @ self._towards(labels)
        for tag, end in enumerate(labels.indptr[1:]):
            own = labels.indices[labels.indptr[tag] : end]
            near = -similarity[:, tag]
            near[own] = np.inf
            others = min(_OTHERS + _OTHERS_EACH * len(own), len(near) - len(own))
            chosen = np.argpartition(near, others - 1)[:others] if others else own[:0]
            yield np.concatenate([own, np.sort(chosen)]), len(own)

    def _solve(self, rows: NDArray[np.int64], own: int, c: float) -> tuple[NDArray[np.int64], Floats, float]:
        """Of one tag the features, their weights and the bias."""
        places, features = _compact(self.features[rows])
        to_mean, square = self.to_mean[rows], float(self.mean @ self.mean)

        def similarities(dual: Floats) -> Floats:
            """Those of the features less the mean's; the last document is the mean, of which nothing is left."""
            of_rows = dual[:-1, 0]
            total = of_rows.sum()
            product = features @ (features.T @ of_rows) - to_mean @ of_rows - to_mean * total + square * total
            return np.append(product, np.float32(0))[:, None]

        labels = np.zeros((len(rows) + 1, 1), bool)
        labels[:own] = True
        counts = np.ones((len(rows) + 1, 1), np.float32)
        counts[-1] = self.features.shape[0] - len(rows)
        dual, bias = solve(similarities, labels, c, counts, _PASSES)
        of_rows = dual[:-1, 0]
        total = of_rows.sum()
        weights = features.T @ of_rows - total * self.mean[places]
        return places, weights, float(bias[0] - to_mean @ of_rows + square * total)


def _compact(features: csr_matrix) -> tuple[NDArray[np.int64], csr_matrix]:
    """The places of the features that stand in some rows, and the same rows with these features alone."""
    stands = np.zeros(features.shape[1], bool)
    stands[features.indices] = True
    place = np.cumsum(stands, dtype=np.int32) - 1
    places = np.flatnonzero(stands)
    compact = (features.data, place[features.indices], features.indptr)
    return places, csr_matrix(compact, shape=(features.shape[0], len(places)))
