"""A tag given the document's other tags: a linear model of each tag by all others, solved at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.sparse import csr_matrix

# Tags beyond these, the rarest, have no such evidence: the model has a number for each pair.
_MOST_TAGS = 5000
_PENALTY = 1.0
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class OtherTags:
    """What each tag adds to the score of each other: (known, known), nothing to its own; known: (tags,) which are."""

    weights: NDArray[np.float32]
    known: NDArray[np.int64]

    @classmethod
    def fit(cls, tags: csr_matrix) -> "OtherTags":
        """By these documents' tags, (documents, tags).

        The ridge regression whose weights from a tag to itself are 0 has a closed form (Steck, Embarrassingly Shallow
        Autoencoders for Sparse Data, 2019).
        """
        counts = np.asarray(tags.sum(axis=0)).ravel()
        known = np.sort(np.argsort(-counts, kind="stable")[:_MOST_TAGS])
        some = tags[:, known].astype(np.float64)
        gram = (some.T @ some).toarray()
        gram[np.diag_indices_from(gram)] += _PENALTY
        factor, _info = dpotrf(gram.T, overwrite_a=True)  # in place; the penalty makes it definite
        inverse, _info = dpotri(factor, overwrite_c=True)  # its upper half
        scale = -1 / np.diag(inverse)
        weights = np.zeros(inverse.shape, np.float32)
        for first in range(0, len(known), _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            weights[some, first:] += np.triu(inverse[some, first:]) * scale[first:]
            weights[first:, some] += np.triu(inverse[some, first:], 1).T * scale[some]
        np.fill_diagonal(weights, 0)
        return cls(weights, known)

    def scores(self, tags: csr_matrix) -> NDArray[np.float32]:
        """(documents, tags), about 1 where the others want a tag; 0 for what is not known."""
        scores = np.zeros(tags.shape, np.float32)
        scores[:, self.known] = tags[:, self.known] @ self.weights
        return scores
