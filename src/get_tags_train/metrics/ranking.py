"""Ranking metrics on arrays, numpy only.

Everything here is per example: what is shown is a mean or a ratio of sums over examples, with an interval.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_CELLS_AT_ONCE = 1 << 22


def rank(y_score: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """Indices of the k highest scores of each row, best first, ties in column order, NaN last.

    y_score: (n, tags). Returns (n, min(k, tags)).
    """
    k = min(k, y_score.shape[1])
    first = np.zeros((len(y_score), k), np.intp)
    for rows in _row_batches(y_score) if k else ():
        first[rows] = _rank(-y_score[rows], k)
    return first


def _rank(costs: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """The k lowest of each row: only those not above the k-th are sorted, which with ties may be more than k."""
    kth = np.partition(costs, k - 1, axis=1)[:, k - 1, None]
    rows, columns = np.nonzero(~(costs > kth))
    order = np.lexsort((columns, costs[rows, columns], rows))
    starts = np.searchsorted(rows, np.arange(len(costs)))
    best: NDArray[np.intp] = columns[order][starts[:, None] + np.arange(k)]
    return best


def _row_batches(y_score: NDArray[np.floating]) -> Iterator[slice]:
    """Rows in batches, so that temporary arrays stay small however many rows and tags there are."""
    size = max(1, _CELLS_AT_ONCE // max(1, y_score.shape[1]))
    return (slice(first, first + size) for first in range(0, len(y_score), size))


def first_hits(y_true: Bools, y_score: NDArray[np.floating], k: int) -> Bools:
    """Whether each of the first k tags of a row is a true one; places beyond the number of tags never are.

    y_true, y_score: (n, tags). Returns (n, k).
    """
    found = np.take_along_axis(y_true, rank(y_score, k), axis=1)
    hits = np.zeros((len(y_true), k), bool)
    hits[:, : found.shape[1]] = found
    return hits


def precision_at_k(y_true: Bools, y_score: NDArray[np.floating], k: int) -> list[float]:
    """precision@1 ... precision@k: true tags among the first j, over j, mean over the rows.

    y_true, y_score: (n, tags) with n > 0. Beyond the number of tags nothing more can be found, and the
    divisor goes on growing. True tags without a column (tags the model does not know) count as missed.
    """
    return [float(p) for p in precision(first_hits(y_true, y_score, k)).mean(axis=0)]


def precision(hits: Bools) -> Floats:
    """True tags among the first j, over j, for j = 1 ... k: (n, k)."""
    found: Floats = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return found


def best_precision(true_counts: Counts, k: int) -> Floats:
    """The most that precision@j can be for an example with so many true tags, for j = 1 ... k: (n, k)."""
    places = np.arange(1, k + 1)
    best: Floats = np.minimum(true_counts[:, None], places) / places
    return best


def recall(hits: Bools, true_counts: Counts) -> Floats:
    """True tags among the first j, over all true tags, for j = 1 ... k: (n, k); true_counts > 0, unknown tags too."""
    found: Floats = hits.cumsum(axis=1) / true_counts[:, None]
    return found


def r_precision(hits: Bools, true_counts: Counts) -> Floats:
    """True tags among the first j, over the most there can be there, min(j, true tags), for j = 1 ... k: (n, k).

    R-Precision@K of Chalkidis et al., Large-Scale Multi-Label Text Classification on EU Legislation (ACL 2019).
    """
    return precision(hits) / best_precision(true_counts, hits.shape[1])


def ndcg(hits: Bools, true_counts: Counts) -> Floats:
    """Normalised discounted cumulative gain at j = 1 ... k: (n, k); gain 1 a true tag, discount log2(place + 1).

    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (TOIS 2002).
    """
    k = hits.shape[1]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], discounts.cumsum()])
    best = ideal[np.minimum(true_counts[:, None], np.arange(1, k + 1))]
    gained: Floats = (hits * discounts).cumsum(axis=1) / best
    return gained


def average_precision(y_true: Bools, y_score: NDArray[np.floating], true_counts: Counts) -> Floats:
    """precision at the place of each true tag in the whole ranking, mean over the true tags: (n,).

    A true tag that the model does not know has no place and counts as 0.
    """
    found = np.zeros(len(y_true))
    for rows in _row_batches(y_score):
        hits = first_hits(y_true[rows], y_score[rows], y_true.shape[1])
        found[rows] = (precision(hits) * hits).sum(axis=1) / true_counts[rows]
    return found


def f1(true_positives: Floats, predicted: Floats, support: Floats) -> Floats:
    """Twice the true positives over predicted and true ones; 0 where there is neither. Arrays of one shape."""
    both = predicted + support
    return np.divide(2 * true_positives, both, out=np.zeros_like(both, np.float64), where=both > 0)
