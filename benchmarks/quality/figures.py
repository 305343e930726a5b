"""Figures of scores on one set, and intervals over test documents and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from get_tags_train.metrics.ranking import f1, first_hits, rank

Floats = NDArray[np.float64]
BANDS = {"frequent": (100, 10**9), "middle": (10, 100), "rare": (1, 10)}
PER_DOCUMENT = ("P@1", "P@3", "P@5", "R-precision")
OF_TAGS = ("micro F1", "macro F1", "macro F1 rare", "micro F1 tuned", "macro F1 tuned", "macro F1 rare tuned")
ECE = tuple(f"ECE {band}" for band in BANDS)
_BINS = 15
_NOISE_DRAWS = 20


@dataclass(frozen=True)
class Truth:
    """What is true of the test documents: labels (documents, tags), all true tags, near-duplicates, tags' counts."""

    labels: NDArray[np.bool_]
    true_counts: NDArray[np.int64]
    groups: NDArray[np.int64]
    counts: NDArray[np.int64]
    unknown_tags: int


@dataclass(frozen=True)
class Answers:
    """What one model says of them: scores that rank, and which tags it names at .5 and at tuned thresholds."""

    ranking: NDArray[np.float32]
    named: NDArray[np.bool_]
    tuned: NDArray[np.bool_]


def draws(groups: NDArray[np.int64], count: int) -> Floats:
    """(count + 1, documents): how often each document is drawn; the first row is the set itself. Groups go together."""
    chance = np.random.default_rng(0)
    numbers, place = np.unique(groups, return_inverse=True)
    drawn = chance.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=count)
    return np.vstack([np.ones(len(groups)), drawn[:, place]])


def measure(truth: Truth, answers: Answers, weights: Floats) -> dict[str, Floats]:
    """Every figure for each row of weights: {figure: (rows,)}."""
    total = weights.sum(axis=1)
    hits = first_hits(truth.labels, answers.ranking, 5)
    by_document = {f"P@{k}": hits[:, :k].sum(axis=1) / k for k in (1, 3, 5)}
    by_document["R-precision"] = _r_precision(truth, answers.ranking)
    result = {name: weights @ values / total for name, values in by_document.items()}
    for suffix, named in (("", answers.named), (" tuned", answers.tuned)):
        found = weights @ (named & truth.labels)
        predicted, support = weights @ named, weights @ truth.labels
        missed = weights @ (truth.true_counts - truth.labels.sum(axis=1))  # tags that no training document has
        both = predicted.sum(axis=1) + support.sum(axis=1) + missed
        result[f"micro F1{suffix}"] = 2 * found.sum(axis=1) / both
        scores, is_there = f1(found, predicted, support), support > 0
        result[f"macro F1{suffix}"] = (scores * is_there).sum(axis=1) / (is_there.sum(axis=1) + truth.unknown_tags)
        is_rare = is_there & (truth.counts < BANDS["middle"][0])
        result[f"macro F1 rare{suffix}"] = (scores * is_rare).sum(axis=1) / np.maximum(is_rare.sum(axis=1), 1)
    return result


def _r_precision(truth: Truth, ranking: NDArray[np.float32]) -> Floats:
    """True tags among as many of the first as there are true tags."""
    order = rank(ranking, ranking.shape[1])
    hits = np.take_along_axis(truth.labels, order, axis=1)
    counted = np.arange(hits.shape[1]) < truth.true_counts[:, None]
    found: Floats = (hits & counted).sum(axis=1) / truth.true_counts
    return found


def calibration_error(truth: Truth, scores: NDArray[np.floating], least: float = 0.0) -> dict[str, float]:
    """Expected calibration error of each band of tags, over all pairs of document and tag with such a score.

    15 bins of equal width; Guo et al., On Calibration of Modern Neural Networks (ICML 2017).
    """
    errors = {}
    for band, (low, high) in BANDS.items():
        own = (truth.counts >= low) & (truth.counts < high)
        score, true = scores[:, own].ravel().astype(float), truth.labels[:, own].ravel()
        score, true = score[score >= least], true[score >= least]
        bins = np.minimum((score * _BINS).astype(int), _BINS - 1)
        gaps = np.abs(np.bincount(bins, score, _BINS) - np.bincount(bins, true, _BINS))
        errors[f"ECE {band}"] = float(gaps.sum() / len(score)) if len(score) else float("nan")
    return errors


def chance_error(truth: Truth, scores: NDArray[np.floating], least: float = 0.0) -> dict[str, float]:
    """What calibration_error is where the scores are the chances: the part of it that is noise of so few documents."""
    chance = np.random.default_rng(2)
    drawn = [replace(truth, labels=chance.random(scores.shape) < scores) for _ in range(_NOISE_DRAWS)]
    errors = [calibration_error(each, scores, least) for each in drawn]
    return {name: float(np.mean([error[name] for error in errors])) for name in errors[0]}


def over_seeds(runs: Sequence[Floats]) -> Floats:
    """Mean over seeds of a figure, for the set itself and each draw; in a draw the seeds are drawn too."""
    values = np.array(runs)
    chance = np.random.default_rng(1)
    seeds = chance.integers(len(values), size=(values.shape[1], len(values)))
    drawn: Floats = values[seeds, np.arange(values.shape[1])[:, None]].mean(axis=1)
    drawn[0] = values[:, 0].mean()
    return drawn


def interval(values: Floats) -> tuple[float, float, float]:
    """The value on the set itself, and the 95% interval of the draws."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return float(values[0]), float(low), float(high)


def best_common(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """The score from which naming every tag gives these documents the best micro F1."""
    order = np.argsort(-scores, axis=None)
    found = labels.ravel()[order].cumsum()
    micro_f1 = 2 * found / (np.arange(1, len(order) + 1) + labels.sum())
    return float(scores.ravel()[order][micro_f1.argmax()])
