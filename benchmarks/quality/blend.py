"""What a second reader adds to a BERT: stored runs of bench.py, blended as the product does.

    python benchmarks/quality/blend.py SET --base-model DIR --seeds 1 2 3 --results FOLDER

The runs are the variants "defaults" and "trainer"; those that are not there are left out. The linear model and the
nearest documents are fitted here, on a processor. A table of figures, with 95% intervals over near-duplicate groups
of test documents and over seeds, and of what the blend gains.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import one_run
from figures import Answers, Floats, Truth, draws, interval, measure, over_seeds
from numpy.typing import NDArray
from sets import RealSet

from get_tags_train.core.events import ignored
from get_tags_train.metrics.blending import Answers as OfReaders
from get_tags_train.metrics.blending import fit_blend
from get_tags_train.metrics.calibration import fit_calibration, tune_thresholds
from get_tags_train.model.linear_fit import TextBatches, fit_linear
from get_tags_train.training.second_reader import Readers

FIGURES = ("P@1", "P@3", "P@5", "R-precision", "micro F1 tuned", "macro F1 tuned", "ECE", "rare found")
NAMES = ("P@1", "P@3", "P@5", "R-precision", "micro F1", "macro F1", "ECE", "tags on ≤ 5 documents, in first 10")
_DRAWS = 1000
_BINS = 15
_RARE = 5
_BYTES = 137_000_000  # of multilingual-e5-small without the pieces that no text here has


def batches(data: RealSet, rows: NDArray[np.int64]) -> TextBatches:
    """Documents as the product reads them."""
    yield [data.texts[row] for row in rows], [np.flatnonzero(data.labels[row]) for row in rows]


def readers_of(data: RealSet, seed: int) -> Readers:
    """The product's linear model and nearest documents of the training documents."""
    parts = (batches(data, data.train), batches(data, data.selecting))
    fitted = fit_linear(*parts, len(data.tags), seed=seed, on_event=ignored)
    return Readers.within(_BYTES, fitted, no_names(len(data.train)))


def no_names(documents: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Names that say nothing, as the readers have them."""
    name = b'[0,""]'
    return np.frombuffer(name * documents, np.uint8), len(name) * np.arange(1, documents + 1)


def ways(data: RealSet, plan: one_run.Plan, seed: int) -> Iterator[tuple[str, Floats, Floats]]:
    """Each way to rank, with its uncalibrated logits of the selecting and of the test documents."""
    started = perf_counter()
    readers = readers_of(data, seed)
    texts = [data.texts[row] for row in data.test]
    features = readers.linear.tfidf.features(texts)
    linear = readers.linear.margins(readers.held_out.features), readers.linear.margins(features)
    yield "linear, thresholds", *linear
    assert readers.nearest is not None
    nearest = readers.nearest.shares(readers.held_out.features), readers.nearest.shares(features)
    yield "nearest documents", *nearest
    print(f"seed {seed}: linear and nearest {perf_counter() - started:.1f} s", file=sys.stderr)
    for variant, name in (("trainer", "Trainer's defaults"), ("defaults", "BERT alone")):
        if one_run.path_of(plan, data.name, variant, seed).exists():
            select, test, _facts = one_run.stored(plan, data, variant, seed)
            yield name, select, test
    if not one_run.path_of(plan, data.name, "defaults", seed).exists():
        return
    labels = data.labels[data.selecting]
    for name, weight in (("blend", 0.0), ("blend, nearest too", 1.0)):
        select, test = (
            OfReaders(bert, of_linear, weight * of_nearest)
            for bert, of_linear, of_nearest in zip((select, test), linear, nearest, strict=True)
        )
        found = fit_blend(select, labels, readers.log_odds)
        print(f"seed {seed}: {name} {np.round(found[:3], 2)}", file=sys.stderr)
        yield name, found.logits(select), found.logits(test)
        select, test = select.bert, test.bert


def calibration_error(labels: NDArray[np.bool_], scores: Floats) -> Floats:
    """What each pair of document and tag adds to the error: (documents, bins), true less score."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    gaps = np.zeros((len(scores), _BINS))
    np.add.at(gaps, (np.arange(len(scores))[:, None], bins), labels - scores)
    return gaps


def figures_of(truth: Truth, data: RealSet, select: Floats, test: Floats, weights: Floats) -> dict[str, Floats]:
    """The figures of one way for each row of weights, calibrated and with thresholds as the product does."""
    scale, shift = fit_calibration(select, data.labels[data.selecting])
    select, test = scale * select + shift, scale * test + shift
    score = 1 / (1 + np.exp(-test))
    named = score >= tune_thresholds(select)
    found = measure(truth, Answers(test.astype(np.float32), named, named), weights)
    gaps = weights @ calibration_error(truth.labels, score)
    found["ECE"] = np.abs(gaps).sum(axis=1) / (weights.sum(axis=1) * score.shape[1])
    rare = (truth.counts <= _RARE) & (truth.counts > 0)
    first = np.zeros_like(truth.labels)
    order = np.argsort(-test, axis=1)[:, :10]
    np.put_along_axis(first, order, True, axis=1)
    hits, there = (first & truth.labels)[:, rare].sum(axis=1), truth.labels[:, rare].sum(axis=1)
    found["rare found"] = (weights @ hits) / np.maximum(weights @ there, 1)
    return found


def main() -> None:
    """Print the figures and the differences."""
    args, plan, data = one_run.parsed(__doc__, seeds={"nargs": "+", "type": int, "default": [1, 2, 3]})
    truth = Truth(data.labels[data.test], data.true_counts[data.test], data.groups, data.counts, data.unknown_tags)
    weights = draws(truth.groups, _DRAWS)
    found: dict[str, list[dict[str, Floats]]] = {}
    for seed in args.seeds:
        for name, select, test in ways(data, plan, seed):
            found.setdefault(name, []).append(figures_of(truth, data, select, test, weights))
    size = f"{len(data.train)} to train on, {len(data.selecting)} to select by, {len(data.test)} to test"
    print(f"**{data.name}**, context {plan.context_length}: {size}, {len(data.tags)} tags.\n")
    print(f"| | {' | '.join(NAMES)} | seeds |\n{'| --- ' * (len(NAMES) + 2)}|")
    for name, runs in found.items():
        cells = [f"{interval(over_seeds([run[own] for run in runs]))[0]:.3f}" for own in FIGURES]
        print(f"| {name} | {' | '.join(cells)} | {len(runs)} |")
    print()
    for one, other in (
        *((name, "linear, thresholds") for name in ("BERT alone", "blend", "blend, nearest too")),
        ("blend, nearest too", "BERT alone"),
        ("blend, nearest too", "blend"),
        ("BERT alone", "Trainer's defaults"),
    ):
        if one in found and other in found:
            print(f"| {one} − {other} | {' | '.join(_differences(found[one], found[other]))} | |")


def _differences(ours: list[dict[str, Floats]], theirs: list[dict[str, Floats]]) -> Iterator[str]:
    for name in FIGURES:
        value, low, high = interval(over_seeds([a[name] - b[name] for a, b in zip(ours, theirs, strict=False)]))
        bold = "**" if low > 0 or high < 0 else ""
        yield f"{bold}{value:+.3f}{bold} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
