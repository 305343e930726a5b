"""Figures of all runs of a set as Markdown tables, and what differs from the references beyond chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from figures import (
    ECE,
    OF_TAGS,
    PER_DOCUMENT,
    Answers,
    Floats,
    Truth,
    best_common,
    calibration_error,
    chance_error,
    draws,
    interval,
    measure,
)
from figures import over_seeds as mean_over_seeds
from one_run import LINEAR, LINEAR_CUT, TRAINER, Plan, path_of, stored
from sets import RealSet

from get_tags_train.metrics.calibration import fit_calibration, tune_thresholds

LINEARS = (LINEAR, LINEAR_CUT)
_DRAWS = 1000
_FIGURES = (*PER_DOCUMENT, *OF_TAGS)
# Pairs of document and tag whose calibration is looked at: those with at least this score.
_PAIRS = {"all": 0.0, "≥ .1": 0.1}


@dataclass(frozen=True)
class Measured:
    """One way to train: its figures for the set and each draw, calibration errors, seconds, seeds.

    errors: of all pairs of document and tag, and of those with a score of .1 or more: before calibration, after it,
    and what chance alone would show.
    """

    figures: dict[str, Floats]
    errors: dict[str, Floats]
    seconds: float
    seeds: int


def collect(plan: Plan, data: RealSet, variants: list[str], seeds: list[int]) -> dict[str, Measured]:
    """What there is of these ways to train."""
    groups = data.groups
    truth = Truth(data.labels[data.test], data.true_counts[data.test], groups, data.counts, data.unknown_tags)
    weights = draws(groups, _DRAWS)
    found = {}
    for variant in variants:
        there = [seed for seed in seeds if path_of(plan, data.name, variant, seed).exists()]
        runs = [_one(data, truth, weights, *stored(plan, data, variant, seed)) for seed in there]
        if runs:
            figures, errors, seconds = zip(*runs, strict=True)
            found[variant] = Measured(
                {name: mean_over_seeds([each[name] for each in figures]) for name in _FIGURES},
                {name: np.mean([each[name] for each in errors], axis=0) for name in errors[0]},
                float(np.mean(seconds)),
                len(runs),
            )
    return found


def _one(
    data: RealSet, truth: Truth, weights: Floats, select: Floats, test: Floats, facts: Mapping[str, Any]
) -> tuple[dict[str, Floats], dict[str, Floats], float]:
    """Figures, calibration errors and seconds of one run; `tuned` is what the product makes of it."""
    chosen = data.labels[data.selecting]
    calibration = scale, shift = fit_calibration(select, chosen)
    if facts["variant"] in LINEARS:  # its own rule is to name what lies above its plane; its distances are no chances
        tuned = test >= best_common(select, chosen)
    else:
        thresholds = tune_thresholds(scale * select + shift)
        tuned = scale * test + shift >= np.log(thresholds / (1 - thresholds))
    # The references rank and name as they come; ours is what the product makes of it.
    ranking = (test if facts["variant"] in (*LINEARS, TRAINER) else scale * test + shift).astype(np.float32)
    before, after = (1 / (1 + np.exp(-(a * test + b))) for a, b in ((1, 0), calibration))
    errors = {}
    for kind, least in _PAIRS.items():
        three = (calibration_error(truth, before, least), calibration_error(truth, after, least))
        three += (chance_error(truth, after, least),)
        errors |= {f"{name}, {kind}": np.array([each[name] for each in three]) for name in ECE}
    return measure(truth, Answers(ranking, ranking >= 0, tuned), weights), errors, facts["seconds"]


def markdown(plan: Plan, data: RealSet, variants: list[str], seeds: list[int]) -> str:
    """One table of figures with 95% intervals, one of differences from the references, one of calibration."""
    found = collect(plan, data, variants, seeds)
    size = f"{len(data.train)} training documents, {len(data.selecting)} to select by, {len(data.test)} to test"
    lines = [f"**{data.name}**, context {plan.context_length}: {size}, {len(data.tags)} tags.", ""]
    lines += _head("", *_FIGURES, "CPU s", "seeds")
    for variant, own in found.items():
        cells = [_with_interval(own.figures[name]) for name in _FIGURES]
        lines.append(_row(variant, *cells, f"{own.seconds:.0f}", own.seeds))
    lines += ["", *_head("difference", *_FIGURES)]
    for variant, reference in product(found, (*LINEARS, TRAINER, "before")):
        if variant in (*LINEARS, TRAINER, reference) or reference not in found:
            continue
        ours, theirs = found[variant].figures, found[reference].figures
        lines.append(_row(f"{variant} - {reference}", *(_difference(ours[name] - theirs[name]) for name in _FIGURES)))
        as_it_is = (_difference(ours[f"{name} tuned"] - theirs[name]) for name in OF_TAGS[:3])
        lines.append(
            _row(f"{variant}, tuned - {reference}, as it is", *[""] * len(PER_DOCUMENT), *as_it_is, "", "", "")
        )
    kinds = [f"{name}, {kind}" for kind in _PAIRS for name in ECE]
    lines += ["", *_head("before, after calibration (chance alone)", *kinds)]
    for variant, own in found.items():
        if variant not in LINEARS:
            cells = [f"{_short(a)}, {_short(b)} ({_short(c)})" for a, b, c in (own.errors[kind] for kind in kinds)]
            lines.append(_row(variant, *cells))
    return "\n".join(lines)


def _head(*names: str) -> list[str]:
    return [_row(*names), _row(*["---"] * len(names))]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def _with_interval(values: Floats) -> str:
    value, low, high = interval(values)
    return f"{_short(value)} ({_short(low)}–{_short(high)})"


def _difference(values: Floats) -> str:
    value, low, high = interval(values)
    sure = "**" if low > 0 or high < 0 else ""
    return f"{sure}{value:+.3f}{sure} ({low:+.3f}–{high:+.3f})".replace("+0.", "+.").replace("-0.", "-.")
