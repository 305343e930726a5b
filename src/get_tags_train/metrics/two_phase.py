"""A mean difference over all documents of which only a sample of those that can differ was judged.

Two-phase sampling (Cochran, Sampling Techniques, 1977, ch. 12): documents are drawn from a population, and of those on
which two models differ a simple random sample is judged; the rest of them count as zero, which is known. Another
judgement of the same differences that is known for all of them sharpens the mean by regression (ibid., ch. 7), however
wrong it may be: only what it explains of the judged ones counts.
"""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from get_tags_train.metrics.intervals import Interval

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
POWER = 0.8
_REACH = float(stats.norm.ppf((1 + CONFIDENCE) / 2) + stats.norm.ppf(POWER))


@dataclass(frozen=True)
class Population:
    """So many distinct documents, and the other judgement of those that differ: (differing,), 0 where there is none."""

    documents: int
    known: Floats

    @property
    def differing(self) -> int:
        """On how many the two models differ."""
        return len(self.known)

    @property
    def share(self) -> float:
        """The share of documents that differ."""
        return self.differing / self.documents


@dataclass(frozen=True)
class Difference:
    """An estimated mean difference over all documents, with its standard error and its 95% interval."""

    value: float
    error: float
    interval: Interval


def estimate(population: Population, drawn: NDArray[np.integer], judged: Floats, *, unit: float) -> Difference:
    """The mean over all documents, of those `drawn` (places in the population) and `judged`: (drawn,) each, 2 at least.

    `unit` is the smallest difference that a document can have. The interval is Student's t over one document more that
    is a unit better and one that is a unit worse, at half weight each (Agresti and Min, 2005).
    """
    known, count = population.known[drawn], len(drawn)
    slope = _slope(known, judged, unit)
    residuals = judged - slope * known
    mean = residuals.mean() + slope * population.known.mean()
    variance = _of_all(population, _variance(judged, unit), float(judged.mean()))
    variance += _of_drawing(population, _variance(residuals, unit, fitted=1), count)
    error = sqrt(variance)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 2)) * error
    value = population.share * float(mean)
    return Difference(value, error, Interval(max(-1.0, value - reach), min(1.0, value + reach)))


def smallest_difference(population: Population, variance: float, count: int) -> float:
    """The difference that `count` judged documents show with a probability of 80%.

    variance: of the judged differences, as far as it is known beforehand.
    """
    return _REACH * sqrt(_of_all(population, variance, 0.0) + _of_drawing(population, variance, count))


def documents_needed(population: Population, variance: float, difference: float) -> int | None:
    """How many judged documents show this difference with a probability of 80%; None where all of them would not."""
    left = (difference / _REACH) ** 2 - _of_all(population, variance, 0.0)
    if left < 0:
        return None
    least = 1 / (population.differing + 2) + left / (population.share**2 * variance)
    return min(population.differing, max(1, ceil(1 / least - 2)))


def _slope(known: Floats, judged: Floats, unit: float) -> float:
    """How much of the other judgement counts, 0 to 1; the fewer documents, the less."""
    centred = known - known.mean()
    return float(np.clip(centred @ judged / (centred @ centred + unit**2), 0.0, 1.0))


def _variance(values: Floats, unit: float, *, fitted: int = 0) -> float:
    """The variance of these and the two added documents, from which so many slopes were fitted."""
    return float(((values - values.mean()) ** 2).sum() + unit**2) / (len(values) + 1 - fitted)


def _of_all(population: Population, variance: float, mean: float) -> float:
    """The variance of the mean that comes from which documents there are."""
    share = population.share
    return share * (variance + (1 - share) * mean**2) / (population.documents + 2)


def _of_drawing(population: Population, variance: float, count: int) -> float:
    """The variance of the mean that comes from which of the differing documents were judged."""
    return population.share**2 * variance * max(0.0, 1 / (count + 2) - 1 / (population.differing + 2))
