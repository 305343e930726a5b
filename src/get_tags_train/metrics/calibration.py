"""Calibrated probabilities: an affine map of each tag's logits, and the threshold from which a tag is predicted.

Both are fitted on validation documents. numpy only.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# The score from which a tag counts as predicted where no validation document says better.
THRESHOLD = 0.5
# How far scale and shift go where documents say little, as standard deviations of a normal prior: those of all tags
# together from 1 and 0, and each tag's own from those.
_PRIOR = (0.5, 0.5)
_OWN_PRIOR = (0.1, 0.3)
_LONGEST_STEP = 0.5
_MOST_STEPS = 100
_CLOSE_ENOUGH = 1e-7
_TAGS_AT_ONCE = 64
_THRESHOLDS = np.arange(1, 50) / 50
# A tag's threshold is as much its own as it has true documents beside these, else that of all tags together.
_COMMON_DOCUMENTS = 10.0


class Calibration(NamedTuple):
    """The map `scale * logit + shift` of each tag, its scale positive: (tags,) both."""

    scale: Floats
    shift: Floats

    @classmethod
    def unchanged(cls, tags: int) -> "Calibration":
        """The map that leaves every logit as it is."""
        return cls(np.ones(tags), np.zeros(tags))


def fit_calibration(logits: NDArray[np.floating], labels: Bools) -> Calibration:
    """Each tag's map with the least binary cross-entropy: (documents, tags) each.

    Platt scaling (Platt, Probabilistic outputs for support vector machines, 1999): first one map for all tags, then
    each tag's own close to it, as far as its documents say so. A map that would turn a ranking over is not taken.
    """
    tags = logits.shape[1]
    common = _fit(logits.reshape(-1, 1), labels.reshape(-1, 1), _PRIOR)
    own = Calibration.unchanged(tags)
    for first in range(0, tags, _TAGS_AT_ONCE):
        some = slice(first, first + _TAGS_AT_ONCE)
        own.scale[some], own.shift[some] = _fit(
            common.scale * logits[:, some] + common.shift, labels[:, some], _OWN_PRIOR
        )
    return Calibration(own.scale * common.scale, own.scale * common.shift + own.shift)


def _fit(logits: NDArray[np.floating], labels: Bools, prior: tuple[float, float]) -> Calibration:
    """The map of each column, by Newton's method; all columns step together, each halving a step that went too far."""
    x, y = logits.astype(float), labels.astype(float)
    middle = np.array([[1.0], [0.0]])
    weight = 1 / np.square(prior)[:, None]
    at, step = np.repeat(middle, x.shape[1], axis=1), np.zeros((2, x.shape[1]))
    least = np.full(x.shape[1], np.inf)
    for _ in range(_MOST_STEPS):
        tried = at + step
        z = tried[0] * x + tried[1]
        value = (np.logaddexp(0, z) - y * z).sum(axis=0) + (weight * (tried - middle) ** 2).sum(axis=0) / 2
        is_better = value < least
        at, least = np.where(is_better, tried, at), np.where(is_better, value, least)
        step = np.where(is_better, _newton(x, y, at, weight, middle), step / 2)
        if np.abs(step).max(initial=0) < _CLOSE_ENOUGH:
            break
    scale, shift = np.where(at[0] > 0, at, middle)
    return Calibration(scale, shift)


def _newton(x: Floats, y: Floats, at: Floats, weight: Floats, middle: Floats) -> Floats:
    """The step to the lowest point of the parabola at each column's cross-entropy, none too long: (2, columns)."""
    score = _sigmoid(at[0] * x + at[1])
    missing, spread = score - y, score * (1 - score)
    down = np.array([(missing * x).sum(axis=0), missing.sum(axis=0)]) + weight * (at - middle)
    both, cross = (spread * x * x).sum(axis=0) + weight[0], (spread * x).sum(axis=0)
    alone = spread.sum(axis=0) + weight[1]
    step = np.array([cross * down[1] - alone * down[0], cross * down[0] - both * down[1]]) / (both * alone - cross**2)
    # As a whole, not each part: what is left must still lead down.
    shortened: Floats = step * (_LONGEST_STEP / np.maximum(np.abs(step).max(axis=0), _LONGEST_STEP))
    return shortened


def tune_thresholds(logits: NDArray[np.floating]) -> Floats:
    """The threshold of each tag with the best F1 to expect on documents like these: (tags,).

    logits: calibrated, (documents, tags). As scores are probabilities, the expected F1 of a threshold needs no labels,
    and the best threshold is half of the best F1 (Lipton, Elkan and Naryanaswamy, Optimal
    Thresholding of Classifiers to Maximize F1 Measure, 2014). A tag that few documents
    are likely to have goes by all tags together: their sums, scaled to 10 true documents, are added to its own.
    """
    scores = _sigmoid(logits.astype(float))
    support = scores.sum(axis=0)
    common = _COMMON_DOCUMENTS / support.sum()
    best = np.zeros(len(support))
    for least in _THRESHOLDS:
        predicted = np.where(scores >= least, scores, 0)
        found, count = predicted.sum(axis=0), np.count_nonzero(predicted, axis=0)
        both = count + common * count.sum() + support + _COMMON_DOCUMENTS
        best = np.maximum(best, 2 * (found + common * found.sum()) / both)
    return best / 2


def _sigmoid(x: Floats) -> Floats:
    sigmoid: Floats = 1 / (1 + np.exp(-np.clip(x, -50, 50)))
    return sigmoid
