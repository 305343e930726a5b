"""Kernel ridge regression of many tags at once: each fold's documents are scored by what the others say.

The kernel is the cosine of TF-IDF features; of many documents some are landmarks, and a score is a sum over these
(Williams and Seeger, Using the Nyström method to speed up kernel machines, 2001). With fewer documents than landmarks
it is exact. Documents' kernels are computed anew wherever they are needed: none is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from os import cpu_count
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import ssyrk
from scipy.sparse import csr_matrix

from get_tags_train.core.files import atomic_write

Floats = NDArray[np.float32]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_MOST_LANDMARKS = 4096
_PENALTY = 0.3
# What keeps the system definite where landmarks are near-duplicates: beside the penalty, and beside what sums of
# single precision have lost, as a share of all that was summed.
_JITTER, _ROUNDING = 1e-3, 1e-7
_DOCUMENTS_AT_ONCE, _COLUMNS_AT_ONCE = 1024, 512
_MOST_THREADS = 4


def in_threads(function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """function(item) of each, in order, as many at the same time as there are cores, and no more in memory.

    Products of sparse matrices use one core each.
    """
    count = min(cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(count) as pool:
        for first in range(0, len(items), count):
            yield from pool.map(function, items[first : first + count])


@dataclass(frozen=True)
class Moments:
    """Sums over documents: of kernels times kernels, of kernels times tags, of kernels, of tags; and how many.

    Of the first, which is symmetric, the upper half is filled.
    """

    gram: NDArray[np.floating]
    products: NDArray[np.floating]
    kernels: NDArray[np.float64]
    tags: NDArray[np.float64]
    documents: NDArray[np.int64]

    def __add__(self, other: "Moments") -> "Moments":
        """Those of the documents of both."""
        return self._with(other, np.add)

    def __sub__(self, some: "Moments") -> "Moments":
        """Those of the documents that are not among `some`."""
        return self._with(some, np.subtract)

    def _with(self, other: "Moments", operation: np.ufunc) -> "Moments":
        return Moments(*(operation(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    @classmethod
    def load(cls, path: Path) -> "Moments":
        """Those that `save` has written."""
        with np.load(path) as stored:
            return cls(*(stored[field.name] for field in fields(cls)))

    def save(self, path: Path) -> None:
        """Write them into a file."""
        with atomic_write(path) as stream:
            np.savez(stream, **{field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True)
class Scorer:
    """What scores documents by their kernels: (landmarks, tags) and (tags,)."""

    coefficients: Floats
    biases: Floats

    def __call__(self, kernels: Floats) -> Floats:
        """(documents, tags), about 1 where a tag belongs and 0 where it does not."""
        scores: Floats = kernels @ self.coefficients + self.biases
        return scores


@dataclass(frozen=True)
class KernelRidge:
    """The documents' features, (documents, features), rows of length 1; their tags, sparse; and the landmarks."""

    features: csr_matrix
    tags: csr_matrix
    landmarks: NDArray[np.int64]

    @classmethod
    def of(cls, features: csr_matrix, tags: csr_matrix, *, seed: int) -> "KernelRidge":
        """With as many random landmarks as there is room for."""
        documents = features.shape[0]
        chosen = np.random.default_rng(seed).permutation(documents)[:_MOST_LANDMARKS]
        return cls(features, tags, np.sort(chosen))

    @cached_property
    def _columns(self) -> csr_matrix:
        return self.features[self.landmarks].T.tocsr()

    @cached_property
    def _mean(self) -> Floats:
        typical = csr_matrix(self.features.mean(axis=0))
        mean: Floats = (typical @ self._columns).toarray().ravel().astype(np.float32)
        return mean

    def blocks(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """These documents, a few at a time."""
        return [rows[first : first + _DOCUMENTS_AT_ONCE] for first in range(0, len(rows), _DOCUMENTS_AT_ONCE)]

    def kernels(self, rows: NDArray[np.int64]) -> Floats:
        """The cosine of each of these documents and each landmark, less its mean: (documents, landmarks)."""
        kernels: Floats = (self.features[rows] @ self._columns).toarray()
        kernels -= self._mean
        return kernels

    def moments(self, rows: NDArray[np.int64]) -> Moments:
        """The sums over these documents."""
        landmarks, tags = len(self.landmarks), self.tags.shape[1]
        gram, products = np.zeros((landmarks, landmarks), np.float32, "F"), np.zeros((landmarks, tags), np.float32)
        total = np.zeros(landmarks)
        blocks = self.blocks(rows)
        for some, kernels in zip(blocks, in_threads(self.kernels, blocks), strict=True):
            gram = ssyrk(1.0, kernels.T, beta=1.0, c=gram, overwrite_c=True)
            products += (self.tags[some].T @ kernels).T
            total += kernels.sum(axis=0)
        tag_counts = np.asarray(self.tags[rows].sum(axis=0), float).ravel()
        return Moments(gram, products, total, tag_counts, np.array(len(rows)))

    def solve(self, moments: Moments) -> Scorer:
        """The least squares over the documents of these sums, with a penalty; a bias costs nothing."""
        count = max(int(moments.documents), 1)
        kernels, tags = moments.kernels / count, moments.tags / count
        system = moments.gram.astype(np.float64)
        for some in _slices(len(kernels)):
            system[some] -= count * np.outer(kernels[some], kernels)
        system += _PENALTY * (self._columns.T @ self._columns).toarray()
        system[np.diag_indices_from(system)] += _PENALTY * _JITTER + _ROUNDING * np.trace(moments.gram)
        factor = cho_factor(system, overwrite_a=True, check_finite=False)
        coefficients = np.empty(moments.products.shape, np.float32)
        for some in _slices(len(tags)):
            wanted = moments.products[:, some] - count * np.outer(kernels, tags[some])
            coefficients[:, some] = cho_solve(factor, wanted, overwrite_b=True, check_finite=False)
        return Scorer(coefficients, (tags - kernels @ coefficients).astype(np.float32))


def _slices(length: int) -> list[slice]:
    """Parts of an axis, which bound what is in memory in double precision."""
    return [slice(first, first + _COLUMNS_AT_ONCE) for first in range(0, length, _COLUMNS_AT_ONCE)]
