"""How many of the listed tags are errors: foreseen, with an interval, and corrected by what people have decided."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from get_tags_train.data.decisions import Decision, Suspicion

Floats = NDArray[np.float64]

# Before anybody has decided, the odds of all errors of a kind may be that far off, as a standard deviation of their
# logarithm, where nothing is known of the data.
_PRIOR_DEVIATION = 1.0
_NORMAL_95 = 1.959964
_STEPS = 50
_BANDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Shift(NamedTuple):
    """What is added to the logits of one kind of suspicion, and how sure that is."""

    mean: float = 0.0
    deviation: float = _PRIOR_DEVIATION


class Foreseen(NamedTuple):
    """How many of the listed are errors, and the interval that holds it with a probability of 95%."""

    errors: float
    low: float
    high: float


class Band(NamedTuple):
    """Decided tags with a probability from `low` to `high`: how many, errors foreseen, and errors found."""

    low: float
    high: float
    decided: int
    foreseen: float
    errors: int


def fit_shift(decisions: Sequence[Decision], suspicion: Suspicion, prior_deviation: float = _PRIOR_DEVIATION) -> Shift:
    """The most likely shift by what was decided, with a normal prior, and Laplace's approximation of its deviation."""
    own = [d for d in decisions if d.suspicion == suspicion and d.answer != "don't know"]
    logits, errors = np.array([d.estimate for d in own]), np.array([d.answer == "error" for d in own], float)
    shift, precision = 0.0, prior_deviation**-2
    for _ in range(_STEPS):
        probability = expit(logits + shift)
        precision = prior_deviation**-2 + float((probability * (1 - probability)).sum())
        step = (float((errors - probability).sum()) - shift * prior_deviation**-2) / precision
        shift += float(np.clip(step, -1, 1))
    return Shift(shift, precision**-0.5)


def foresee(probabilities: Floats, is_given: NDArray[np.bool_], missing: Shift, wrong: Shift) -> Foreseen:
    """The errors among suspicions with these probabilities, which have gone through the shifts: (pairs,) each.

    The interval holds what chance does to each, and that both kinds may be off.
    """
    low = high = 0.0
    logits = np.log(probabilities) - np.log1p(-probabilities)
    for own, shift in ((~is_given, missing), (is_given, wrong)):
        away = _NORMAL_95 * shift.deviation
        low += float(expit(logits[own] - away).sum())
        high += float(expit(logits[own] + away).sum())
    errors = float(probabilities.sum())
    chance = _NORMAL_95 * float(np.sqrt((probabilities * (1 - probabilities)).sum()))
    below, above = np.hypot(errors - low, chance), np.hypot(high - errors, chance)
    return Foreseen(errors, max(errors - float(below), 0.0), min(errors + float(above), float(len(probabilities))))


def reliability(decisions: Sequence[Decision]) -> list[Band]:
    """How right the probabilities of these decisions were, where they say whether it is an error."""
    known = [d for d in decisions if d.answer != "don't know"]
    bands = []
    for low, high in pairwise(_BANDS):
        own = [d for d in known if low <= d.probability < high or d.probability == high == 1.0]
        if own:
            errors = sum(d.answer == "error" for d in own)
            bands.append(Band(low, high, len(own), sum(d.probability for d in own), errors))
    return bands


def foresee_decided(decisions: Sequence[Decision]) -> Foreseen:
    """The errors that the audit foresaw among these, where they say whether it is an error, as if nothing was known."""
    known = [d for d in decisions if d.answer != "don't know"]
    probabilities = np.clip(np.array([d.probability for d in known]), 1e-6, 1 - 1e-6)
    return foresee(probabilities, np.array([d.suspicion == "wrong" for d in known], bool), Shift(), Shift())
