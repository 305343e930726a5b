"""Figures of all runs of a set as Markdown tables, and what differs from the references beyond chance."""

import json
from dataclasses import dataclass

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
    draws,
    interval,
    measure,
)
from figures import over_seeds as mean_over_seeds
from one_run import LINEAR, TRAINER, Plan, path_of
from sets import RealSet

from get_tags_train.calibration import UNCHANGED, fit_calibration, tune_thresholds

_DRAWS = 1000
_FIGURES = (*PER_DOCUMENT, *OF_TAGS)


@dataclass(frozen=True)
class Measured:
    """One way to train: its figures for the set and each draw, errors of calibration, seconds, seeds."""

    figures: dict[str, Floats]
    ece: dict[str, list[float]]  # before and after calibration
    named_ece: dict[str, list[float]]  # the same of pairs with a score of .1 or more
    seconds: float
    seeds: int


def collect(plan: Plan, data: RealSet, variants: list[str], seeds: list[int]) -> dict[str, Measured]:
    """What there is of these ways to train."""
    labels = data.labels[data.test]
    groups = data.groups
    truth = Truth(labels, data.true_counts[data.test], groups, data.counts, data.unknown_tags)
    weights = draws(groups, _DRAWS)
    found = {}
    for variant in variants:
        paths = [path for seed in seeds if (path := path_of(plan, data.name, variant, seed)).exists()]
        runs = [_one(data, truth, weights, np.load(path)) for path in paths]
        if runs:
            found[variant] = Measured(
                {name: mean_over_seeds([run[0][name] for run in runs]) for name in _FIGURES},
                *(
                    {name: [float(np.mean([r[n][s][name] for r in runs])) for s in (0, 1)] for name in ECE}
                    for n in (1, 2)
                ),
                float(np.mean([run[3] for run in runs])),
                len(runs),
            )
    return found


def _one(data: RealSet, truth: Truth, weights: Floats, stored: "np.lib.npyio.NpzFile") -> tuple:
    place = {row: n for n, row in enumerate(stored["rows"].tolist())}
    select, test = (stored["logits"][[place[row] for row in rows.tolist()]] for rows in (data.selecting, data.test))
    chosen = data.labels[data.selecting]
    is_linear = json.loads(str(stored["facts"]))["variant"] == LINEAR
    calibration = fit_calibration(select, chosen)
    scale, shift = calibration
    if is_linear:  # its own rule is to name what lies above its plane; its distances are no chances
        named, tuned = test >= 0, test >= best_common(select, chosen)
    else:
        thresholds = tune_thresholds(scale * select + shift)
        named, tuned = test >= 0, scale * test + shift >= np.log(thresholds / (1 - thresholds))
    figures = measure(truth, Answers(test, named, tuned), weights)
    scores = [1 / (1 + np.exp(-(a * test.astype(float) + b))) for a, b in (UNCHANGED, calibration)]
    eces = [[calibration_error(truth, score, least) for score in scores] for least in (0.0, 0.1)]
    return figures, *eces, json.loads(str(stored["facts"]))["seconds"]


def markdown(plan: Plan, data: RealSet, variants: list[str], seeds: list[int]) -> str:
    """One table of figures with 95% intervals, one of differences from the references, one of calibration."""
    found = collect(plan, data, variants, seeds)
    size = f"{len(data.train)} training documents, {len(data.selecting)} to select by, {len(data.test)} to test"
    lines = [f"**{data.name}**, context {plan.context_length}: {size}, {len(data.tags)} tags.", ""]
    lines += _head("", *_FIGURES, "CPU s", "seeds")
    for variant, own in found.items():
        cells = [_with_interval(own.figures[name]) for name in _FIGURES]
        lines.append(_row(variant, *cells, f"{own.seconds:.0f}", own.seeds))
    references = [name for name in (LINEAR, TRAINER, "before") if name in found]
    lines += ["", *_head("difference", *_FIGURES)]
    for variant in found:
        for reference in references:
            if variant not in (LINEAR, TRAINER, reference):
                gaps = [found[variant].figures[name] - found[reference].figures[name] for name in _FIGURES]
                lines.append(_row(f"{variant} - {reference}", *map(_difference, gaps)))
    lines += ["", *_head("ECE before, after calibration", *(f"{e}, {w}" for w in ("all", "≥ .1") for e in ECE))]
    for variant, own in found.items():
        errors = [*own.ece.values(), *own.named_ece.values()]
        lines.append(_row(variant, *(f"{_short(a)}, {_short(b)}" for a, b in errors)))
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
