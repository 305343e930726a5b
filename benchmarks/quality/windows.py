"""What reading more of a document at prediction gains: stored runs of bench.py that scored windows, alone and blended.

    python benchmarks/quality/windows.py SET --base-model DIR --variant whole --seeds 1 2 3 \\
        --context-length 256 --results FOLDER

The BERT's logits are those of the first window, or the mean or maximum of those of up to four; each is then blended
with the linear model and the nearest documents as the product does, fitted on the same logits of the documents that
select. A table of figures, and of the differences from the first window with 95% intervals; before it, what the cut
costs the linear model in precision@5.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import one_run
from blend import FIGURES, NAMES, figures_of, readers_of
from figures import Floats, Truth, draws, interval, over_seeds
from sets import RealSet

from get_tags_train.metrics.blending import Answers, fit_blend
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.training.second_reader import Readers

_DRAWS = 1000
_WAYS = {
    "first": lambda windows: windows[:, 0],
    "mean of 2": lambda windows: np.nanmean(windows[:, :2], axis=1),
    "mean of 4": lambda windows: np.nanmean(windows, axis=1),
    "maximum of 4": lambda windows: np.nanmax(windows, axis=1),
}


def stored(plan: one_run.Plan, data: RealSet, variant: str, seed: int) -> tuple[Floats, Floats]:
    """Logits of the windows of the documents that select and that test: (documents, windows, tags) each."""
    kept = np.load(one_run.path_of(plan, data.name, f"{variant}, windows", seed))
    logits = kept["logits"].astype(float)
    return logits[: len(data.selecting)], logits[len(data.selecting) :]


def cut_cost(data: RealSet, plan: one_run.Plan, readers: Readers) -> str:
    """precision@5 of the linear model on whole texts, and on what one window reads."""
    lines = []
    for name, rows in (("select", data.selecting), ("test", data.test)):
        texts = (own.texts for own in (data, data.cut(plan.base_model, plan.context_length)))
        features = [readers.linear.tfidf.features([own[row] for row in rows]) for own in texts]
        whole, read = (precision_at_k(data.labels[rows], readers.linear.margins(own), 5)[-1] for own in features)
        lines.append(f"{name}: {whole:.3f} on whole texts, {read:.3f} on what is read, {whole - read:+.3f}")
    return "; ".join(lines)


def main() -> None:
    """Print the figures and the differences."""
    args, plan, data = one_run.parsed(__doc__, seeds={"nargs": "+", "type": int, "default": [1, 2, 3]})
    truth = Truth(data.labels[data.test], data.true_counts[data.test], data.groups, data.counts, data.unknown_tags)
    weights, labels = draws(truth.groups, _DRAWS), data.labels[data.selecting]
    found: dict[str, list[dict[str, Floats]]] = {}
    for seed in args.seeds:
        readers = readers_of(data, seed)
        print(f"seed {seed}: {cut_cost(data, plan, readers)}")
        features = readers.linear.tfidf.features([data.texts[row] for row in data.test])
        assert readers.nearest is not None
        others = [
            (readers.linear.margins(own), readers.nearest.shares(own)) for own in (readers.held_out.features, features)
        ]
        for way, combined in _WAYS.items():
            select, test = (combined(windows) for windows in stored(plan, data, args.variant, seed))
            found.setdefault(f"BERT alone, {way}", []).append(figures_of(truth, data, select, test, weights))
            answers = [Answers(bert, *own) for bert, own in zip((select, test), others, strict=True)]
            blend = fit_blend(answers[0], labels, readers.log_odds)
            print(f"seed {seed}: {way} {np.round(blend[:3], 2)}", file=sys.stderr)
            blended = (blend.logits(own).astype(float) for own in answers)
            found.setdefault(f"blend, {way}", []).append(figures_of(truth, data, *blended, weights))
    print(f"| {data.name}, context {plan.context_length}, {args.variant} | {' | '.join(NAMES)} |")
    print("| --- " * (len(NAMES) + 1) + "|")
    for name, runs in found.items():
        mean, *first = (f"{interval(over_seeds([run[own] for run in runs]))[0]:.3f}" for own in FIGURES)
        print(f"| {name} | {' | '.join([mean, *first])} |")
        reader = name.partition(",")[0]
        if not name.endswith("first"):
            pairs = list(zip(runs, found[f"{reader}, first"], strict=True))
            print(f"| − first | {' | '.join(_difference([a[own] - b[own] for a, b in pairs]) for own in FIGURES)} |")


def _difference(runs: list[Floats]) -> str:
    value, low, high = interval(over_seeds(runs))
    bold = "**" if low > 0 or high < 0 else ""
    return f"{bold}{value:+.3f}{bold} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
