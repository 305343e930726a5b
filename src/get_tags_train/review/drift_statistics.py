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

from get_tags_train.metrics.calibration import THRESHOLD
from get_tags_train.metrics.intervals import Interval, Ratio, mean_of, share_interval
from get_tags_train.metrics.ranking import first_hits, rank

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Groups = NDArray[np.int64]
Counts = NDArray[np.int64]

# There are three ways to a retraining: a loss may err at one end of its interval in 40 cases, new and wrong tags may
# together as often.
CONFIDENCE = 0.95
_FALSE_ALARMS = 0.0125
# Of all tags that are said to have changed, at most so many have not (Benjamini and Hochberg, 1995).
FALSE_DISCOVERIES = 0.05
# How many times as frequent, or as rare, a tag must have become to be named.
_TIMES = 2.0
# A tag on fewer of the sampled documents is a rare one, which a retraining could hardly learn.
FEWEST_OF_A_TAG = 3


class Answers(NamedTuple):
    """How good a model is on documents, and how good it expects to be: (documents,) each.

    precision: true tags among the first k, over k; expected: the mean score of these k, which are probabilities;
    groups: near-duplicates share a number. predicted: tags that are more likely than not, right: those of them that
    are true, (documents, tags) each.
    """

    precision: Floats
    expected: Floats
    groups: Groups
    predicted: Bools
    right: Bools

    @classmethod
    def of(cls, y_true: NDArray[np.bool_], y_score: NDArray[np.floating], k: int, groups: Groups) -> "Answers":
        """y_true, y_score: (documents, tags)."""
        best = np.take_along_axis(y_score, rank(y_score, k), axis=1)
        predicted = y_score >= THRESHOLD
        return cls(
            precision=first_hits(y_true, y_score, k).sum(axis=1) / k,
            expected=best.sum(axis=1) / k,
            groups=groups,
            predicted=predicted,
            right=predicted & y_true,
        )

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

    A model does not know rare tags of its own data either, which are as rare as before. Maybe: more frequent than in
    the data by Fisher's exact test of this tag alone. Surely: by that test over all tags. Bonferroni's bound for
    discrete tests (Tarone, 1990; Westfall and Wolfinger, 1997) sums what each tag can add: the probability that chance
    makes it as surprising, while no more of the data have it than have an unknown tag. A frequent tag adds nothing.
    """
    tags = list(dict.fromkeys([*reference.counts, *newer.counts]))
    unknown = np.array([tag not in known for tag in tags], bool)
    if not unknown.any() or not newer.documents:
        return set(), set()
    before, now = _both(tags, newer, reference)
    fewer = np.arange(before[unknown].max() + 1)[:, None]  # documents of the data, (n, 1)
    p_values = stats.hypergeom(reference.documents + newer.documents, before + now, reference.documents).cdf(fewer)
    p_values[before + now - fewer < FEWEST_OF_A_TAG] = np.inf
    candidates = np.flatnonzero(unknown & (now >= FEWEST_OF_A_TAG))
    possible = {n: p_values[before[n], n] for n in candidates.tolist() if p_values[before[n], n] <= 1 - CONFIDENCE}
    arrived = {n for n, p in possible.items() if _sum_of_attainable(p_values, p) <= _FALSE_ALARMS}
    return {tags[n] for n in arrived}, {tags[n] for n in possible}


def _sum_of_attainable(p_values: Floats, most: float) -> float:
    """The largest p-value up to `most` of each test, summed: (attainable, tests)."""
    return float(np.where(p_values <= most, p_values, 0.0).max(axis=0).sum())


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
    """labels: the tags of each document; groups: (documents,); reference: all documents of the model's data.

    Near-duplicates count once where it is asked whether a tag came.
    """
    counts = Counter(tag for own in labels for tag in own)
    first = _first_of_each(groups).tolist()
    distinct = TagCounts(Counter(tag for row in first for tag in labels[row]), len(first))
    arrived, possible = arrived_tags(distinct, reference, known)
    unknown = sorted(counts.keys() - set(known), key=lambda tag: (-counts[tag], tag))
    share, interval = _share_with(arrived, labels, groups)
    possible_share, possible_interval = _share_with(possible, labels, groups)
    return NewTags(
        documents={tag: counts[tag] for tag in unknown},
        arrived=[tag for tag in unknown if tag in arrived],
        share=share,
        interval=interval,
        possible_share=possible_share,
        possible_interval=possible_interval,
        any_share=_share(_have_one_of(set(unknown), labels)),
    )


def _share_with(tags: set[str], labels: list[list[str]], groups: Groups) -> tuple[float, Interval]:
    """The share of documents with one of the tags, and its interval."""
    found = mean_of(_have_one_of(tags, labels).astype(float), groups)
    return round(found.value, 6), Interval(*(round(end, 6) for end in share_interval(found, CONFIDENCE)))


def _have_one_of(tags: set[str], labels: list[list[str]]) -> Bools:
    return np.array([not tags.isdisjoint(own) for own in labels], bool)


def _share(documents: Bools) -> float:
    return round(float(documents.mean()), 6) if len(documents) else 0.0


@dataclass(frozen=True)
class WrongTags:
    """Tags that the model still predicts and that are no longer right.

    tags: by name, how often the prediction was right on reference documents and how often it is now, most frequent
    first; `share` of the newer documents has a wrong prediction of one of these.
    """

    tags: dict[str, tuple[float, float]]
    share: float


def wrong_tags(newer: Answers, reference: Answers, tags: Sequence[str]) -> WrongTags:
    """Known tags whose predictions are right at most half as often as on the reference, by Fisher's exact test.

    Near-duplicates count once. Tested are tags with at least three right predictions to expect, which says nothing of
    how many there are; Bonferroni's bound over these.
    """
    now, before = (_predictions(answers) for answers in (newer, reference))
    with np.errstate(invalid="ignore"):
        was_right = before.right / before.predicted  # nan where it was never predicted
    expected = now.predicted * was_right
    tested = np.flatnonzero(expected >= FEWEST_OF_A_TAG)
    p_values = stats.hypergeom(
        (before.predicted + now.predicted)[tested], (before.right + now.right)[tested], now.predicted[tested]
    ).cdf(now.right[tested])
    is_wrong = (p_values * len(tested) <= _FALSE_ALARMS) & (now.right[tested] <= expected[tested] / _TIMES)
    found = sorted(tested[is_wrong].tolist(), key=lambda tag: -now.predicted[tag])
    shares = {tags[n]: (round(float(was_right[n]), 6), round(float(now.right[n] / now.predicted[n]), 6)) for n in found}
    wrong = newer.predicted[:, found] & ~newer.right[:, found]
    return WrongTags(shares, _share(wrong.sum(axis=1) > 0))


class _Predictions(NamedTuple):
    """How often each tag was predicted, and how often that was right: (tags,) each."""

    predicted: Counts
    right: Counts


def _predictions(answers: Answers) -> _Predictions:
    first = _first_of_each(answers.groups)
    return _Predictions(answers.predicted[first].sum(axis=0), answers.right[first].sum(axis=0))


def _first_of_each(groups: Groups) -> Groups:
    """A document of each group of near-duplicates."""
    first: Groups = np.unique(groups, return_index=True)[1]
    return first
