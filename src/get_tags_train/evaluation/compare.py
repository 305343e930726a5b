"""A model compared with the live model or the linear baseline on the same examples: better, worse, or too close."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.i18n import _, _n, number
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.evaluation.scorecard import by_k_text, macro_f1, micro_f1
from get_tags_train.metrics.intervals import Interval, difference_interval, examples_needed, mean_of, padded_mean
from get_tags_train.metrics.ranking import precision

Verdict = Literal["better", "not distinguishable", "worse", "no fair comparison"]
ReferenceKind = Literal["live", "baseline"]

# With fewer examples that neither model was trained on, no verdict is given.
FEWEST = 20
_MOST_NEEDED = 20_000


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A model against a reference (the `rival` of the JSON) on the examples that neither was trained on.

    Values by k have k as text. The verdict is on precision@top_k alone; differences are the model's value less the
    reference's, with 90% intervals. The rival_ metrics are over all examples of the set, seen or not. `needed`
    examples would tell the two apart with a probability of 80%, if they differ as much as they seem to.
    """

    rival: ReferenceKind
    rival_name: str
    set: str
    examples: int
    trained_on: int | None
    rival_precision_at_k: dict[str, float]
    rival_micro_f1: float
    rival_macro_f1: float
    difference_at_k: dict[str, float] | None
    interval_at_k: dict[str, list[float]] | None
    verdict: Verdict
    needed: int | None
    sentence: str


@dataclass(frozen=True)
class Reference:
    """What a model is compared with: its predictions for a set, and which of its examples it was trained on.

    title: as the sentence has it; seen: (examples,), None where the reference keeps no record.
    """

    kind: ReferenceKind
    name: str
    title: str
    predictions: Predictions
    seen: NDArray[np.bool_] | None


def compare(predictions: Predictions, seen: NDArray[np.bool_] | None, reference: Reference, k: int) -> Comparison:
    """The model, which was trained on the examples that it has `seen`, against a reference.

    Whether a model was trained on an example is known by its text; where either keeps no record, there is no
    comparison.
    """
    own, other = precision(predictions.hits(k)), precision(reference.predictions.hits(k))
    known: dict[str, Any] = {
        "rival": reference.kind,
        "rival_name": reference.name,
        "set": predictions.examples.name,
        "rival_precision_at_k": by_k_text(other.mean(axis=0)),
        "rival_micro_f1": round(micro_f1(reference.predictions).value, 6),
        "rival_macro_f1": round(macro_f1(reference.predictions), 6),
    }
    if seen is None or reference.seen is None:
        reason = (
            _("it keeps no record of what it was trained on, so it may have seen these examples")
            if reference.seen is None
            else _("the new one keeps no record of what it was trained on, so it may have seen these examples")
        )
        return _unfair(known, reference, reason, examples=len(own), trained_on=None)
    fair = ~(seen | reference.seen)
    count, trained_on = int(fair.sum()), int((~fair).sum())
    if count < FEWEST:
        reason = _seen_in_training(count, trained_on) if trained_on else _too_few(count)
        return _unfair(known, reference, reason, examples=count, trained_on=trained_on)
    groups = predictions.examples.groups[fair]
    differences = own[fair] - other[fair]
    intervals = {j: difference_interval(differences[:, j - 1], groups, unit=1 / j) for j in range(1, k + 1)}
    verdict, needed = _verdict(intervals[k], differences[:, -1], groups, k)
    return Comparison(
        **known,
        examples=count,
        trained_on=trained_on,
        difference_at_k=by_k_text(differences.mean(axis=0)),
        interval_at_k={str(j): [round(low, 6), round(high, 6)] for j, (low, high) in intervals.items()},
        verdict=verdict,
        needed=needed,
        sentence=_sentence(
            verdict,
            needed,
            title=reference.title,
            examples=count,
            numbers=_numbers(k, float(own[fair, -1].mean()), float(other[fair, -1].mean()), intervals[k]),
        ),
    )


def _verdict(
    interval: Interval, differences: NDArray[np.float64], groups: NDArray[np.int64], k: int
) -> tuple[Verdict, int | None]:
    """The verdict, and how many examples would give one where it is open."""
    if interval.low > 0:
        return "better", None
    if interval.high < 0:
        return "worse", None
    if not mean_of(differences, groups).value:
        return "not distinguishable", None
    return "not distinguishable", examples_needed(padded_mean(differences, groups, 1 / k), len(differences))


def _too_few(count: int) -> str:
    return _n("{count} example is too few", "{count} examples are too few", count)


def _seen_in_training(count: int, trained_on: int) -> str:
    return _(
        "of {count} examples one of the two was trained on {trained_on}; {left}, and {fewest} is the least",
        count=count + trained_on,
        trained_on=trained_on,
        left=_n("{count} is left", "{count} are left", count) if count else _("none is left"),
        fewest=FEWEST,
    )


def _unfair(
    known: Mapping[str, Any], reference: Reference, reason: str, *, examples: int, trained_on: int | None
) -> Comparison:
    return Comparison(
        **known,
        examples=examples,
        trained_on=trained_on,
        difference_at_k=None,
        interval_at_k=None,
        verdict="no fair comparison",
        needed=None,
        sentence=_("No fair comparison with {title}: {reason}.", title=reference.title, reason=reason),
    )


def _numbers(k: int, own: float, other: float, interval: Interval) -> str:
    return _(
        "precision@{k} {own:.3f} against {other:.3f}, the difference between {low:+.3f} and {high:+.3f}",
        k=k,
        own=own,
        other=other,
        low=interval.low,
        high=interval.high,
    )


def _sentence(verdict: Verdict, needed: int | None, *, title: str, examples: int, numbers: str) -> str:
    said = {"title": title, "examples": examples, "figures": numbers}
    match verdict:
        case "better":
            return _("Better than {title} on {examples} examples ({figures}).", **said)
        case "worse":
            return _("Worse than {title} on {examples} examples ({figures}).", **said)
    more = (
        _("about {needed} would be needed", needed=_round(needed))
        if needed and needed <= _MOST_NEEDED
        else _("they are too alike")
    )
    return _("Not distinguishable from {title} on {examples} examples; {more} ({figures}).", more=more, **said)


def _round(value: int) -> str:
    """To two digits, as befits an estimate."""
    digits = max(len(str(value)) - 2, 0)
    return number(round(value, -digits))
