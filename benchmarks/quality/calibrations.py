"""What a map of each tag's own gains over one for all tags: stored runs of bench.py, calibrated in three ways.

    python benchmarks/quality/calibrations.py SET --base-model DIR --variant before --seeds 1 2 3 --results FOLDER

First the priors: the cross-entropy of a document that selects, by five-fold cross-validation, mean over seeds. Then, as
means over seeds: cross-entropy a test document, calibration errors, rankings, and F1 by the thresholds that the
scores foresee; and the differences with 95% intervals over near-duplicate groups of test documents and seeds.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import one_run
from figures import ECE, Answers, Floats, Truth, calibration_error, chance_error, draws, interval, measure, over_seeds
from numpy.typing import NDArray

from get_tags_train.metrics import calibration
from get_tags_train.metrics.calibration import Calibration, fit_calibration, tune_thresholds

_FIGURES = ("P@1", "P@3", "P@5", "R-precision", "micro F1 tuned", "macro F1 tuned")
_DRAWS = 1000
_FOLDS = 5
_PRIORS = [(0.001, 0.001), (0.001, 0.3), (0.1, 0.2), (0.1, 0.3), (0.1, 0.6), (0.2, 0.3), (0.4, 0.3)]


def loss(logits: Floats, labels: NDArray[np.bool_]) -> float:
    """The cross-entropy of a document, all its tags together."""
    return float((np.logaddexp(0, logits) - labels * logits).sum() / len(labels))


def cross_validated(logits: Floats, labels: NDArray[np.bool_], prior: tuple[float, float]) -> float:
    """The loss of documents that a calibration with this prior has not seen."""
    calibration._OWN_PRIOR = prior
    folds = np.random.default_rng(0).permutation(len(logits)) % _FOLDS
    losses = []
    for fold in range(_FOLDS):
        scale, shift = fit_calibration(logits[folds != fold], labels[folds != fold])
        losses.append(loss(scale * logits[folds == fold] + shift, labels[folds == fold]))
    return float(np.mean(losses))


def main() -> None:
    """Print the losses by prior, and a Markdown table."""
    args, plan, data = one_run.parsed(__doc__, seeds={"nargs": "+", "type": int, "default": [1, 2, 3]})
    groups, labels, chosen = data.groups, data.labels[data.test], data.labels[data.selecting]
    truth = Truth(labels, data.true_counts[data.test], groups, data.counts, data.unknown_tags)
    weights = draws(groups, _DRAWS)
    kept, losses = calibration._OWN_PRIOR, dict[tuple[float, float], list[float]]()
    figures: dict[str, list[dict[str, Floats]]] = {}
    errors: dict[str, list[list[float]]] = {}
    for seed in args.seeds:
        select, test, _facts = one_run.stored(plan, data, args.variant, seed)
        for prior in _PRIORS:
            losses.setdefault(prior, []).append(cross_validated(select, chosen, prior))
        calibration._OWN_PRIOR = kept
        ways = {
            "none": Calibration.unchanged(len(data.tags)),
            "one map": calibration._fit(select.reshape(-1, 1), chosen.reshape(-1, 1), calibration._PRIOR),
            "each its own": fit_calibration(select, chosen),
        }
        for way, (scale, shift) in ways.items():
            own, mapped = (scale * logits + shift for logits in (select, test))
            score = 1 / (1 + np.exp(-mapped))
            answers = Answers(mapped.astype(np.float32), mapped >= 0, score >= tune_thresholds(own))
            figures.setdefault(way, []).append(measure(truth, answers, weights))
            gaps, chance = calibration_error(truth, score), chance_error(truth, score)
            errors.setdefault(way, []).append(
                [loss(mapped, labels), *(gaps[name] for name in ECE), *(chance[name] for name in ECE)]
            )
    found = (f"{scale:g}, {shift:g}: {np.mean(losses[scale, shift]):.3f}" for scale, shift in _PRIORS)
    print(f"{data.name}, priors of scale and shift: {'; '.join(found)}\n")
    print(f"| {data.name} | loss | ECE frequent, middle, rare (chance) | {' | '.join(_FIGURES)} |")
    print("| --- " * (3 + len(_FIGURES)) + "|")
    for way, runs in figures.items():
        entropy, *gaps = np.mean(errors[way], axis=0)
        mean = " | ".join(f"{np.mean([run[name][0] for run in runs]):.3f}" for name in _FIGURES)
        shown = [", ".join(f"{gap:.3f}" for gap in part) for part in (gaps[:3], gaps[3:])]
        print(f"| {way} | {entropy:.3f} | {shown[0]} ({shown[1]}) | {mean} |")
    for way in ("none", "one map"):
        cells = []
        for name in _FIGURES:
            pairs = zip(figures["each its own"], figures[way], strict=True)
            values = over_seeds([own[name] - other[name] for own, other in pairs])
            gain, low, high = interval(values)
            bold = "**" if low > 0 or high < 0 else ""
            cells.append(f"{bold}{gain:+.3f}{bold} ({low:+.3f}–{high:+.3f})")
        print(f"| each its own − {way} | | | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
