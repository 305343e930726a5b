"""Two models on the same examples: which is better, or what it would take to tell; and what a deployment changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.i18n import _, _n, number
from get_tags_train.evaluation.scorecard import Predictions, by_k_text
from get_tags_train.metrics.intervals import difference_interval, examples_needed, mean_of, padded_mean
from get_tags_train.metrics.ranking import precision

Verdict = Literal["better", "not distinguishable", "worse", "no fair comparison"]
RivalKind = Literal["live", "baseline"]

# With fewer examples that neither model was trained on, nothing is said of which is better.
FEWEST = 20
_MOST_NEEDED = 20_000


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A model against a rival on the examples that neither was trained on; figures by k have k as text.

    The verdict is on precision@top_k alone; differences are the model's figure less the rival's, with 90% intervals.
    rival_precision_at_k is over all examples of the set, seen or not. `needed` examples would tell the two apart with
    a chance of 80%, if they differ as much as they seem to.
    """

    rival: RivalKind
    rival_name: str
    set: str
    examples: int
    trained_on: int | None
    rival_precision_at_k: dict[str, float]
    difference_at_k: dict[str, float] | None
    interval_at_k: dict[str, list[float]] | None
    verdict: Verdict
    needed: int | None
    sentence: str


@dataclass(frozen=True)
class Opponent:
    """What a model is compared with: its scores on a set, and which of its examples it was trained on.

    seen: (examples,); None where the rival does not say.
    """

    kind: RivalKind
    name: str
    scored: Predictions
    seen: NDArray[np.bool_] | None

    @property
    def title(self) -> str:
        """As the sentence has it."""
        return _("the live model {name}", name=self.name) if self.kind == "live" else _("the linear model")


def compare(scored: Predictions, seen: NDArray[np.bool_] | None, rival: Opponent, k: int) -> Comparison:
    """The model, which was trained on the examples that it has `seen`, against a rival.

    Whether a model was trained on an example is known by its text; where either does not say, there is no comparison.
    """
    own, other = precision(scored.hits(k)), precision(rival.scored.hits(k))
    known: dict[str, Any] = {
        "rival": rival.kind,
        "rival_name": rival.name,
        "set": scored.examples.name,
        "rival_precision_at_k": by_k_text(other.mean(axis=0)),
    }
    if seen is None or rival.seen is None:
        reason = (
            _("it keeps no record of what it was trained on, so it may know these examples by heart")
            if rival.seen is None
            else _("the new one keeps no record of what it was trained on, so it may know these examples by heart")
        )
        return _unfair(known, rival, reason, examples=len(own), trained_on=None)
    fair = ~(seen | rival.seen)
    count, trained_on = int(fair.sum()), int((~fair).sum())
    if count < FEWEST:
        reason = _known_by_heart(count, trained_on) if trained_on else _too_few(count)
        return _unfair(known, rival, reason, examples=count, trained_on=trained_on)
    groups, places = scored.examples.groups[fair], range(1, k + 1)
    differences = own[fair] - other[fair]
    intervals = {j: difference_interval(differences[:, j - 1], groups, unit=1 / j) for j in places}
    low, high = intervals[k]
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "not distinguishable"
    needed = None
    if verdict == "not distinguishable" and mean_of(differences[:, -1], groups).value:
        needed = examples_needed(padded_mean(differences[:, -1], groups, 1 / k), count)
    means = (float(own[fair, -1].mean()), float(other[fair, -1].mean()))
    return Comparison(
        **known,
        examples=count,
        trained_on=trained_on,
        difference_at_k=by_k_text(differences.mean(axis=0)),
        interval_at_k={str(j): [round(low, 6), round(high, 6)] for j, (low, high) in intervals.items()},
        verdict=verdict,
        needed=needed,
        sentence=_sentence(verdict, rival, means, intervals[k], (count, needed, k)),
    )


def _too_few(count: int) -> str:
    return _n("{count} example is too few", "{count} examples are too few", count)


def _known_by_heart(count: int, trained_on: int) -> str:
    return _(
        "of {count} examples one of the two was trained on {trained_on}; {left}, and {fewest} is the least",
        count=count + trained_on,
        trained_on=trained_on,
        left=_n("{count} is left", "{count} are left", count) if count else _("none is left"),
        fewest=FEWEST,
    )


def _unfair(
    known: Mapping[str, Any], rival: Opponent, reason: str, *, examples: int, trained_on: int | None
) -> Comparison:
    return Comparison(
        **known,
        examples=examples,
        trained_on=trained_on,
        difference_at_k=None,
        interval_at_k=None,
        verdict="no fair comparison",
        needed=None,
        sentence=_("No fair comparison with {title}: {reason}.", title=rival.title, reason=reason),
    )


def _sentence(
    verdict: Verdict,
    rival: Opponent,
    means: tuple[float, float],
    interval: tuple[float, float],
    sizes: tuple[int, int | None, int],
) -> str:
    examples, needed, k = sizes
    figures = _(
        "precision@{k} {own:.3f} against {other:.3f}, the difference between {low:+.3f} and {high:+.3f}",
        k=k,
        own=means[0],
        other=means[1],
        low=interval[0],
        high=interval[1],
    )
    said = {"title": rival.title, "examples": examples, "figures": figures}
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
