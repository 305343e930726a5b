"""Scores that mean something: an affine map of a model's logits, and the score from which each tag counts as named.

Both come from documents that the model was not trained on. numpy only.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# The score from which a tag counts as named where no document says better.
THRESHOLD = 0.5
# How far scale and shift go from 1 and 0 where the documents say little: a normal prior of this standard deviation.
_PRIOR = 0.5
_MOST_STEPS = 100
_CLOSE_ENOUGH = 1e-9
_THRESHOLDS = np.arange(1, 50) / 50
# A tag's threshold is as much its own as it has true documents beside these, else that of all tags together.
_COMMON_DOCUMENTS = 10.0


class Calibration(NamedTuple):
    """The map `scale * logit + shift`; scale is positive, so that no ranking changes."""

    scale: float
    shift: float


UNCHANGED = Calibration(1.0, 0.0)


def fit_calibration(logits: NDArray[np.floating], labels: Bools) -> Calibration:
    """The map with the least binary cross-entropy over all pairs of document and tag: (documents, tags) each.

    Platt scaling (Platt, Probabilistic outputs for support vector machines, 1999), one for all tags, with a prior
    that leaves everything as it is where there are few documents. A model that ranks worse than chance is not mapped.
    """
    x, y = logits.astype(float).ravel(), labels.ravel().astype(float)
    at: NDArray[Any] = np.array(UNCHANGED)
    step, value = np.zeros_like(at), np.inf
    for _ in range(_MOST_STEPS):
        tried = at + step
        tried_value = _cross_entropy(x, y, tried)
        if tried_value > value:
            step /= 2
            if np.abs(step).max() < _CLOSE_ENOUGH:
                break
            continue
        at, value = tried, tried_value
        score = _sigmoid(at[0] * x + at[1])
        missing, spread = score - y, score * (1 - score)
        gradient = np.array([missing @ x, missing.sum()]) + (at - UNCHANGED) / _PRIOR**2
        cross = spread @ x
        curvature = np.array([[spread @ (x * x), cross], [cross, spread.sum()]]) + np.eye(2) / _PRIOR**2
        step = -np.linalg.solve(curvature, gradient)
        if np.abs(step).max() < _CLOSE_ENOUGH:
            break
    return Calibration(float(at[0]), float(at[1])) if at[0] > 0 else UNCHANGED


def tune_thresholds(logits: NDArray[np.floating]) -> Floats:
    """The score from which each tag is to be named for the best F1 that these documents promise: (tags,).

    logits: calibrated, (documents, tags). As scores are chances, the F1 of naming all from a score on can be foreseen
    without labels, and the best such score is half of the best F1 (Lipton, Elkan and Naryanaswamy, Optimal
    Thresholding of Classifiers to Maximize F1 Measure, 2014). A tag of which few documents are likely to be goes by
    all tags together: its own sums are joined by those of the whole, scaled to 10 true documents.
    """
    scores = _sigmoid(logits.astype(float))
    support = scores.sum(axis=0)
    common = _COMMON_DOCUMENTS / support.sum()
    best = np.zeros(len(support))
    for least in _THRESHOLDS:
        named = np.where(scores >= least, scores, 0)
        found, count = named.sum(axis=0), np.count_nonzero(named, axis=0)
        both = count + common * count.sum() + support + _COMMON_DOCUMENTS
        best = np.maximum(best, 2 * (found + common * found.sum()) / both)
    return best / 2


def _cross_entropy(x: Floats, y: Floats, at: Floats) -> float:
    z = at[0] * x + at[1]
    return float((np.logaddexp(0, z) - y * z).sum() + ((at - UNCHANGED) ** 2).sum() / (2 * _PRIOR**2))


def _sigmoid(x: Floats) -> Floats:
    sigmoid: Floats = 1 / (1 + np.exp(-np.clip(x, -50, 50)))
    return sigmoid
