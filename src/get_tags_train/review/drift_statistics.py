"""What newer documents tell against a reference: differences of means, tags that came or changed, with their error.

Pure functions of arrays. docs/adr/0023 says why these tests, benchmarks/drift.py how often they are right.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from get_tags_train.metrics.intervals import Interval, Ratio, mean_of, share_interval
from get_tags_train.metrics.ranking import first_hits, rank

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]
Counts = NDArray[np.int64]

# There are two ways to a retraining, a loss and new tags: each may err at one end of its interval in 40 cases.
CONFIDENCE = 0.95
# Of all tags that are said to have changed, at most so many have not (Benjamini and Hochberg, 1995).
FALSE_DISCOVERIES = 0.05
# How many times as frequent, or as rare, a tag must have become to be named.
_TIMES = 2.0
# A tag on fewer of the sampled documents is a rare one, which a retraining could hardly learn.
FEWEST_OF_A_TAG = 3


class Answers(NamedTuple):
    """How good a model is on documents, and how good it expects to be: (documents,) each.

    precision: true tags among the first k, over k; expected: the mean score of these k, which are probabilities;
    groups: near-duplicates share a number.
    """

    precision: Floats
    expected: Floats
    groups: Groups

    @classmethod
    def of(cls, y_true: NDArray[np.bool_], y_score: NDArray[np.floating], k: int, groups: Groups) -> "Answers":
        """y_true, y_score: (documents, tags)."""
        best = np.take_along_axis(y_score, rank(y_score, k), axis=1)
        return cls(first_hits(y_true, y_score, k).sum(axis=1) / k, best.sum(axis=1) / k, groups)

    def __len__(self) -> int:
        return len(self.precision)

    @property
    def surplus(self) -> Floats:
        """By how much a document went better than expected."""
        return self.precision - self.expected


class Precision(NamedTuple):
    """precision@k on some documents, with its interval of 95%."""

    value: float
    interval: Interval

    @classmethod
    def of(cls, answers: Answers) -> "Precision":
        """Over groups of near-duplicates."""
        mean = mean_of(answers.precision, answers.groups)
        low, high = share_interval(mean, CONFIDENCE)
        return cls(round(mean.value, 6), Interval(round(low, 6), round(high, 6)))


@dataclass(frozen=True)
class Difference:
    """A mean on newer documents less the same mean on reference documents, with its interval of 95%.

    error is its standard error, error_of_reference the part of it that newer documents cannot reduce.
    """

    reference: float
    newer: float
    low: float
    high: float
    error: float
    error_of_reference: float
    quantile: float

    @property
    def value(self) -> float:
        """Positive where it is more on newer documents."""
        return self.newer - self.reference

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded."""
        values = {"before": self.reference, "now": self.newer, "value": self.value}
        interval = [round(self.low, 6), round(self.high, 6)]
        return {**{name: round(value, 6) for name, value in values.items()}, "interval": interval}

    @property
    def is_clear(self) -> bool:
        """Whether 0 is outside the interval."""
        return not self.low <= 0 <= self.high


def difference(newer: Ratio, reference: Ratio, confidence: float = CONFIDENCE) -> Difference:
    """Welch's interval of the difference of two means of independent documents (Welch, 1947), over groups."""
    error = sqrt(newer.error**2 + reference.error**2)
    quantile = float(stats.t.ppf((1 + confidence) / 2, _freedom(newer, reference)))
    value = newer.value - reference.value
    return Difference(
        reference=reference.value,
        newer=newer.value,
        low=value - quantile * error,
        high=value + quantile * error,
        error=error,
        error_of_reference=reference.error,
        quantile=quantile,
    )


def _freedom(one: Ratio, other: Ratio) -> float:
    """Degrees of freedom by Satterthwaite's approximation (1946)."""
    below = sum(mean.error**4 / (mean.groups - 1) for mean in (one, other) if mean.groups > 1)
    fewest = max(min(one.groups, other.groups) - 1, 1)
    return max((one.error**2 + other.error**2) ** 2 / below, fewest) if below else float(fewest)


def precision_difference(newer: Answers, reference: Answers) -> Difference:
    """precision@k on newer documents less that on the reference."""
    return difference(mean_of(newer.precision, newer.groups), mean_of(reference.precision, reference.groups))


def loss(newer: Answers, reference: Answers) -> Difference:
    """How much less than expected the model finds on newer documents, against the same on the reference.

    Scores are probabilities: on documents that are merely harder, or have other tags than before, the model expects
    less, and what is left is what it does not know. Positive where it is a loss.
    """
    return difference(mean_of(-newer.surplus, newer.groups), mean_of(-reference.surplus, reference.groups))


def documents_needed(found: Difference, documents: int, width: float) -> int | None:
    """How many newer documents like these `documents` make an interval of at most that width.

    None where no number does, because the reference has too few.
    """
    room = _variance_of(found, width) - found.error_of_reference**2
    own = found.error**2 - found.error_of_reference**2
    return int(np.ceil(documents * own / room)) if room > 0 else None


def reference_needed(found: Difference, reference_documents: int, width: float) -> int:
    """How many reference documents leave half of that width's variance to the newer ones."""
    return int(np.ceil(2 * reference_documents * found.error_of_reference**2 / _variance_of(found, width)))


def _variance_of(found: Difference, width: float) -> float:
    return (width / 2 / found.quantile) ** 2


class TagCounts(NamedTuple):
    """On how many of the documents each tag is."""

    counts: Mapping[str, int]
    documents: int


@dataclass(frozen=True)
class TagChange:
    """A tag's share of the documents, and how surely it is another one now (adjusted for the number of tags)."""

    tag: str
    reference: float
    newer: float
    q_value: float


def changed_tags(newer: TagCounts, reference: TagCounts) -> list[TagChange]:
    """Tags of the reference that became at least twice as frequent, or half as frequent, most changed first.

    Fisher's exact test for each (twice the smaller tail), at most 5% of those named by chance.
    """
    tags = list(reference.counts)
    if not tags or not newer.documents:
        return []
    before, now = _both(tags, newer, reference)
    drawn = _draws(before, now, newer, reference)
    q_values = stats.false_discovery_control(np.minimum(1.0, 2 * np.minimum(drawn.sf(now - 1), drawn.cdf(now))))
    times = (now + 0.5) / (newer.documents + 1) / ((before + 0.5) / (reference.documents + 1))
    is_changed = (q_values <= FALSE_DISCOVERIES) & ((times >= _TIMES) | (times <= 1 / _TIMES))
    order = np.flatnonzero(is_changed)[np.argsort(-np.abs(np.log(times[is_changed])), kind="stable")]
    shares = before / reference.documents, now / newer.documents
    return [TagChange(tags[n], float(shares[0][n]), float(shares[1][n]), float(q_values[n])) for n in order.tolist()]


def arrived_tags(newer: TagCounts, reference: TagCounts, known: Collection[str]) -> tuple[set[str], set[str]]:
    """Tags that the model does not know and that came since its data: surely, and those that may have.

    A model does not know rare tags of its own data either, which are as rare as before. Surely: more frequent than in
    the data by Fisher's exact test over all tags, as those that a model does not know are no random choice of them.
    Maybe: at least twice as frequent.
    """
    tags = list(dict.fromkeys([*reference.counts, *newer.counts]))
    if not tags or not newer.documents:
        return set(), set()
    before, now = _both(tags, newer, reference)
    q_values = stats.false_discovery_control(_draws(before, now, newer, reference).sf(now - 1))
    maybe = (now >= FEWEST_OF_A_TAG) & (now / newer.documents >= _TIMES * before / reference.documents)
    surely = (now >= FEWEST_OF_A_TAG) & (q_values <= FALSE_DISCOVERIES)
    arrived, possible = ({tags[n] for n in np.flatnonzero(found)} for found in (surely, maybe | surely))
    return arrived.difference(known), possible.difference(known)


def _both(tags: Sequence[str], newer: TagCounts, reference: TagCounts) -> tuple[Counts, Counts]:
    before, now = (np.array([of.counts.get(tag, 0) for tag in tags]) for of in (reference, newer))
    return before, now


def _draws(before: Counts, now: Counts, newer: TagCounts, reference: TagCounts) -> Any:
    """How often each tag would be on newer documents if these were drawn from all."""
    return stats.hypergeom(reference.documents + newer.documents, before + now, newer.documents)


@dataclass(frozen=True)
class NewTags:
    """Tags that the model does not know.

    documents: of each, most frequent first; `arrived` surely came since its data, and `share` of the documents has one
    of these, with its interval of 95%; possible_share has one that may have come since; `any_share` any unknown tag.
    """

    documents: dict[str, int]
    arrived: list[str]
    share: float
    interval: Interval
    possible_share: float
    possible_interval: Interval
    any_share: float


def new_tags(labels: list[list[str]], groups: Groups, known: Collection[str], reference: TagCounts) -> NewTags:
    """labels: the tags of each document; groups: (documents,); reference: all documents of the model's data."""
    counts = Counter(tag for own in labels for tag in own)
    arrived, possible = arrived_tags(TagCounts(counts, len(labels)), reference, known)
    unknown = sorted(counts.keys() - set(known), key=lambda tag: (-counts[tag], tag))
    has_any = [not set(unknown).isdisjoint(own) for own in labels]
    share, interval = _share_with(arrived, labels, groups)
    possible_share, possible_interval = _share_with(possible, labels, groups)
    return NewTags(
        documents={tag: counts[tag] for tag in unknown},
        arrived=[tag for tag in unknown if tag in arrived],
        share=share,
        interval=interval,
        possible_share=possible_share,
        possible_interval=possible_interval,
        any_share=round(float(np.mean(has_any)), 6) if has_any else 0.0,
    )


def _share_with(tags: set[str], labels: list[list[str]], groups: Groups) -> tuple[float, Interval]:
    """The share of documents with one of the tags, and its interval."""
    found = mean_of(np.array([not tags.isdisjoint(own) for own in labels], float), groups)
    return round(found.value, 6), Interval(*(round(end, 6) for end in share_interval(found, CONFIDENCE)))
