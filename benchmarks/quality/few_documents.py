"""How many documents calibration and thresholds need: a stored run of bench.py, fitted on fewer that select.

    python benchmarks/quality/few_documents.py SET --base-model DIR --variant before --seed 1 --results FOLDER

Mean over draws of the documents that select: scale and shift (means over tags), calibration errors, and micro and
macro F1 of four ways to name tags: from .5 on, uncalibrated and calibrated; from the threshold that the labels of these
documents favour, shrunk as the product's; from the threshold that the calibrated scores foresee (the product's way).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import one_run
from figures import ECE, Answers, Floats, Truth, calibration_error, measure
from numpy.typing import NDArray

from get_tags_train.metrics.calibration import fit_calibration, tune_thresholds

_DRAWS = 6
_SHRINK = 10.0


def by_labels(scores: Floats, labels: NDArray[np.bool_]) -> Floats:
    """The threshold with the best F1 on labelled documents, own counts joined by those of all tags: (tags,)."""
    levels, support = np.arange(1, 50) / 50, labels.sum(axis=0).astype(float)
    common, f1 = _SHRINK / support.sum(), []
    for least in levels:
        named = scores >= least
        found, count = (named & labels).sum(axis=0), named.sum(axis=0)
        both = count + common * count.sum() + support + _SHRINK
        f1.append(2 * (found + common * found.sum()) / both)
    is_best = np.array(f1) >= np.max(f1, axis=0) - 1e-12
    thresholds: Floats = levels @ is_best / is_best.sum(axis=0)
    return thresholds


def main() -> None:
    """Print a Markdown table, a row for each number of documents."""
    args, plan, data = one_run.parsed(__doc__, seed={"type": int, "default": 1})
    select, test, _facts = one_run.stored(plan, data, args.variant, args.seed)
    chosen, alone = data.labels[data.selecting], np.arange(len(data.test))
    truth = Truth(data.labels[data.test], data.true_counts[data.test], alone, data.counts, data.unknown_tags)
    print("| documents | scale, shift | ECE frequent, middle, rare | .5, uncalibrated | .5 | by labels | foreseen |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    chance = np.random.default_rng(0)
    for size in (6, 12, 30, len(select) // 2, len(select)):
        rows = []
        for _ in range(_DRAWS if size < len(select) else 1):
            some = chance.permutation(len(select))[:size]
            scale, shift = fit_calibration(select[some], chosen[some])
            own, mapped = (scale * logits + shift for logits in (select[some], test))
            score = 1 / (1 + np.exp(-mapped))
            ways = (by_labels(1 / (1 + np.exp(-own)), chosen[some]), tune_thresholds(own))
            named = [test >= 0, score >= 0.5, *(score >= least for least in ways)]
            found = [measure(truth, Answers(test, each, each), np.ones((1, len(test)))) for each in named]
            errors = calibration_error(truth, score)
            f1 = [figures[name][0] for figures in found for name in ("micro F1", "macro F1")]
            rows.append([scale.mean(), shift.mean(), *(errors[name] for name in ECE), *f1])
        mean = [f"{value:.3f}" for value in np.mean(rows, axis=0)]
        pairs = [f"{mean[n]} {mean[n + 1]}" for n in (5, 7, 9, 11)]
        print(f"| {size} | {mean[0]}, {mean[1]} | {', '.join(mean[2:5])} | {' | '.join(pairs)} |")


if __name__ == "__main__":
    main()
