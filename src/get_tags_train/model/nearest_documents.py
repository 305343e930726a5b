"""The nearest training documents of a text, and what their tags say of its own."""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

NEAREST = 10
# Similarities that are in memory at the same time.
_MOST_CELLS = 1 << 23


class DocumentName(NamedTuple):
    """How people know a training document; the title is empty where it has none."""

    id: int | str
    title: str


@dataclass(frozen=True)
class NearestDocuments:
    """The training documents, by their features.

    postings: (features, documents) the strongest TF-IDF features of each, sparse; tags: (documents, labels), sparse.
    names: how people know each, as the JSON of a DocumentName in UTF-8, one after the other; ends: (documents,) the
    place where each ends.
    """

    postings: csr_matrix
    tags: csr_matrix
    names: NDArray[np.uint8]
    ends: NDArray[np.int64]

    def name(self, document: int) -> DocumentName:
        """How people know a document."""
        start = int(self.ends[document - 1]) if document else 0
        return DocumentName(*json.loads(self.names[start : self.ends[document]].tobytes()))

    def similarities(self, features: csr_matrix) -> csr_matrix:
        """The cosine of each text and each of its nearest documents, squared: (texts, documents), sparse.

        features: (texts, features), rows of length 1.
        """
        documents = self.postings.shape[1]
        at_once = max(1, _MOST_CELLS // documents)
        values, places, sizes = [], [], []
        for first in range(0, features.shape[0], at_once):
            found = features[first : first + at_once] @ self.postings
            for start, stop in zip(found.indptr, found.indptr[1:], strict=False):
                own = slice(start, stop)
                best = _highest(found.data[own], found.indices[own])
                values.append(found.data[own][best] ** 2)
                places.append(found.indices[own][best])
                sizes.append(len(best))
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        cells = (np.concatenate(values), np.concatenate(places), indptr) if sizes else ([], [], indptr)
        return csr_matrix(cells, shape=(features.shape[0], documents), dtype=np.float32)

    def shares(self, features: csr_matrix) -> NDArray[np.float32]:
        """The share of the nearest documents that have each tag, the nearer the heavier: (texts, labels), 0 to 1."""
        similarities = self.similarities(features)
        total = np.asarray(similarities.sum(axis=1)).reshape(-1, 1)
        shares: NDArray[np.float32] = (similarities @ self.tags).toarray()
        np.divide(shares, total, out=shares, where=total > 0)
        return shares


def _highest(values: NDArray[np.float32], places: NDArray[np.int32]) -> NDArray[np.intp]:
    """Which are the highest, highest first; equal ones in the order of their places."""
    if len(values) > NEAREST:
        least = np.partition(values, len(values) - NEAREST)[len(values) - NEAREST]
        candidates = np.flatnonzero(values >= least)
    else:
        candidates = np.arange(len(values))
    return candidates[np.lexsort((places[candidates], -values[candidates]))][:NEAREST]
