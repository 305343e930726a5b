"""Whether scores are the probabilities that they say they are: of the tags scored .8, four in five are right."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from get_tags_train.metrics.intervals import Interval, Ratio, share_interval

_BINS = 10
# Fewer scores than these say nothing of a bin.
_FEWEST = 10


class ReliabilityBin(NamedTuple):
    """Scores from `low` to below `high`: how many, their mean, and the share of them whose tag is a true one."""

    low: float
    high: float
    scores: int
    mean_score: float
    share_true: float
    interval: Interval


def reliability(
    y_true: NDArray[np.bool_], y_score: NDArray[np.floating], groups: NDArray[np.integer]
) -> list[ReliabilityBin]:
    """The points of a reliability diagram; bins with fewer than 10 scores are left out.

    y_true, y_score: (examples, tags); groups: (examples,), as for intervals.
    """
    place = np.minimum((y_score * _BINS).astype(int), _BINS - 1)
    bins = []
    for n in range(_BINS):
        inside = place == n
        count = int(inside.sum())
        if count >= _FEWEST:
            share = Ratio.of((inside & y_true).sum(axis=1), inside.sum(axis=1), groups)
            score = float(y_score[inside].mean())
            bins.append(ReliabilityBin(n / _BINS, (n + 1) / _BINS, count, score, share.value, share_interval(share)))
    return bins
