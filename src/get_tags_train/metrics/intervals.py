"""Confidence intervals of metrics, and how many examples it takes to tell two models apart.

Examples come in groups of near-duplicates, which are drawn together; docs/adr/0007 says why these methods, and
benchmarks/intervals.py how often they cover the truth.
"""

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

RESAMPLES = 1000
# Of a difference: "better" is then wrong at most one time in twenty.
DIFFERENCE_CONFIDENCE = 0.9
_SEED = 20261124
_POWER = 0.8
_TAGS_AT_ONCE = 256


class Interval(NamedTuple):
    """Both ends belong to it."""

    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums over examples (a mean where the lower one counts them), with its standard error.

    error is the standard error with groups as what is drawn, by linearisation (Cochran, Sampling Techniques, 1977,
    ch. 6), but never less than if the examples of a group always agreed: few groups say little about that.
    groups is their number, independent what examples in such groups are worth where they agree.
    """

    value: float
    error: float
    groups: int
    independent: float

    @classmethod
    def of(cls, above: NDArray[np.number], below: NDArray[np.number], groups: NDArray[np.integer]) -> "Ratio":
        """above, below and groups (any integers): (examples,). Examples with nothing below are passed over."""
        counts = below > 0
        above, below = above[counts].astype(np.float64), below[counts].astype(np.float64)
        if not len(below):
            return cls(0.0, 0.0, 0, 0.0)
        _, place, sizes = np.unique(groups[counts], return_inverse=True, return_counts=True)
        total, examples, drawn = below.sum(), len(below), len(sizes)
        value = float(above.sum() / total)
        independent = float(examples**2 / (sizes.astype(np.float64) ** 2).sum())
        if drawn < 2:
            return cls(value, 0.0, drawn, independent)
        residuals = above - value * below
        between = drawn / (drawn - 1) * (np.bincount(place, residuals) ** 2).sum()
        agreeing = (residuals**2).sum() / (examples - 1) * (sizes.astype(np.float64) ** 2).sum()
        return cls(value, float(sqrt(max(between, agreeing)) / total), drawn, independent)


def mean_of(values: NDArray[np.number], groups: NDArray[np.integer]) -> Ratio:
    """The mean of a value that each example has: (examples,) each."""
    return Ratio.of(values, np.ones(len(values)), groups)


def wilson(share: float, size: float, z: float) -> Interval:
    """Wilson's score interval of a proportion among `size` draws (Wilson 1927); z is the normal or t quantile."""
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z * sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2) / (1 + z * z / size)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def share_interval(metric: Ratio, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a metric between 0 and 1, at the number of independent yes-or-no draws it is worth.

    That number is value x (1 - value) / error squared, as for complex samples (Korn and Graubard, 1998), with the t
    quantile of the groups. For a proportion over single examples it is their number: plain Wilson.
    """
    if metric.groups < 2:
        return Interval(0.0, 1.0)
    share = min(max(metric.value, 0.0), 1.0)
    correction = metric.groups / (metric.groups - 1)
    is_inside = metric.error > 0 and 0 < share < 1
    size = share * (1 - share) / metric.error**2 * correction if is_inside else metric.independent
    return wilson(share, size, _quantile(metric.groups, confidence))


def difference_interval(differences: NDArray[np.number], groups: NDArray[np.integer], unit: float) -> Interval:
    """The interval of a mean difference that holds the truth nine times in ten: (examples,) each.

    `unit` is the smallest difference an example can have. Student's t over one example more that is a unit better and
    one that is a unit worse, at half weight each: Agresti and Min (2005), so that few differences do not pass for none.
    """
    mean = padded_mean(differences, groups, unit)
    reach = _quantile(mean.groups, DIFFERENCE_CONFIDENCE) * mean.error
    return Interval(max(-1.0, mean.value - reach), min(1.0, mean.value + reach))


def padded_mean(differences: NDArray[np.number], groups: NDArray[np.integer], unit: float) -> Ratio:
    """The mean with these two examples added."""
    half = unit / sqrt(2)
    new = (groups.max() if len(groups) else 0) + np.array([1, 2])
    return mean_of(np.append(differences, [half, -half]), np.append(groups, new))


def examples_needed(mean: Ratio, examples: int) -> int | None:
    """How many examples like these would show this difference with a probability of 80%; None where there is none."""
    if mean.value == 0:
        return None
    reach = stats.norm.ppf((1 + DIFFERENCE_CONFIDENCE) / 2) + stats.norm.ppf(_POWER)
    return int(np.ceil(examples * (reach * mean.error / mean.value) ** 2))


def _quantile(groups: int, confidence: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, groups - 1))


def mean_of_f1_interval(
    found: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    true: NDArray[np.bool_],
    *,
    groups: NDArray[np.integer],
    extra_tags: int = 0,
) -> Interval:
    """The 95% interval of macro F1: (examples, tags) each; `extra_tags` are true somewhere and never predicted.

    A bootstrap over groups, centred on the value itself: a resample often has no example of a tag that has few, which
    pulls the resampled values down, so only their spread is used.
    """
    _, place = np.unique(groups, return_inverse=True)
    tags = found.shape[1]
    count = int(place.max()) + 1
    if not tags + extra_tags or count < 2:
        return Interval(0.0, 1.0)
    drawn = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    weights = np.vstack([np.ones(count), drawn])  # the set as it is, then the resamples
    total = np.zeros(len(weights))
    for first in range(0, tags, _TAGS_AT_ONCE):
        some = slice(first, first + _TAGS_AT_ONCE)
        above, below = np.zeros((2, count, found[:, some].shape[1]))
        np.add.at(above, place, 2.0 * found[:, some])
        np.add.at(below, place, predicted[:, some].astype(float) + true[:, some])
        both = weights @ below
        total += np.divide(weights @ above, both, out=np.zeros_like(both), where=both > 0).sum(axis=1)
    macro = total / (tags + extra_tags)
    value, reach = float(macro[0]), stats.norm.ppf(0.975) * macro[1:].std()
    return Interval(max(0.0, value - reach), min(1.0, value + reach))
