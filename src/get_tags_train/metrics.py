"""Ranking metrics on arrays, numpy only."""

import numpy as np
from numpy.typing import NDArray


def rank(y_score: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """Indices of the k highest scores of each row, best first, ties in column order.

    y_score: (n, tags). Returns (n, min(k, tags)).
    """
    return np.argsort(-y_score, axis=1, kind="stable")[:, :k]


def precision_at_k(y_true: NDArray[np.bool_], y_score: NDArray[np.floating], k: int) -> list[float]:
    """precision@1 ... precision@k: true tags among the first j, over j, mean over the rows.

    y_true, y_score: (n, tags) with n > 0. Beyond the number of tags nothing more can be found, and the
    divisor goes on growing. True tags without a column (tags the model does not know) count as missed.
    """
    hits = np.take_along_axis(y_true, rank(y_score, k), axis=1)
    found = np.zeros((len(y_true), k))
    found[:, : hits.shape[1]] = hits
    return [float(p) for p in (found.cumsum(axis=1) / np.arange(1, k + 1)).mean(axis=0)]
