"""All metrics of one model on one evaluation set, with 95% intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from get_tags_train.evaluation.confusions import Confusion, most_confused
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.metrics.intervals import Interval, Ratio, mean_of, mean_of_f1_interval, share_interval
from get_tags_train.metrics.ranking import best_precision, f1, ndcg, precision, r_precision, recall
from get_tags_train.metrics.reliability import reliability

# By documents of the training data that have the tag: from this number on.
BANDS = {"frequent": 100, "middle": 10, "rare": 0}
_WORST = 10
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """Metrics by k have k as text, as JSON has it; `intervals` holds [low, high] under the same names.

    best_possible_precision_at_k is that of a perfect model. F1, and precision and recall of single tags, count a tag
    as predicted from its threshold on, 0.5 where the model has none; macro F1 is over the tags that are true somewhere
    in the set. `bands` are tags by how many training documents have them, None where that is not known. never_named
    are true tags that are never among the first k. unknown_tags counts examples by true tag that the model does not
    know: such tags count as missed everywhere. `reliability` has the points of a reliability diagram.
    """

    examples: int
    top_k: int
    precision_at_k: dict[str, float]
    best_possible_precision_at_k: dict[str, float]
    recall_at_k: dict[str, float]
    r_precision_at_k: dict[str, float]
    ndcg_at_k: dict[str, float]
    mean_average_precision: float
    micro_f1: float
    macro_f1: float
    intervals: dict[str, Any]
    bands: list[dict[str, Any]] | None
    tags: list[dict[str, Any]]
    never_named: list[str]
    worst_examples: list[dict[str, Any]]
    reliability: list[dict[str, Any]]
    confusions: list[Confusion]
    examples_without_tags: int
    unknown_tags: dict[str, int]
    samples: str
    samples_sha256: str


def compute_scorecard(predictions: Predictions, k: int, documents_of: Mapping[str, int] | None) -> Scorecard:
    """All metrics at 1 ... k; documents_of: training documents by tag, where they are known."""
    hits, counts, groups = predictions.hits(k), predictions.true_counts, predictions.examples.groups
    by_k = {
        "precision_at_k": precision(hits),
        "recall_at_k": recall(hits, counts),
        "r_precision_at_k": r_precision(hits, counts),
        "ndcg_at_k": ndcg(hits, counts),
    }
    intervals: dict[str, Any] = {
        name: {str(j): _mean_interval(values[:, j - 1], groups) for j in range(1, k + 1)}
        for name, values in by_k.items()
    }
    intervals["mean_average_precision"] = _mean_interval(predictions.average_precision, groups)
    micro = micro_f1(predictions)
    intervals["micro_f1"] = _rounded(share_interval(micro))
    tags, intervals["macro_f1"] = _tag_metrics(predictions, k)
    supported = {entry["tag"] for entry in tags if entry["support"]}
    return Scorecard(
        examples=len(predictions.examples),
        top_k=k,
        **{name: by_k_text(values.mean(axis=0)) for name, values in by_k.items()},
        best_possible_precision_at_k=by_k_text(best_precision(counts, k).mean(axis=0)),
        mean_average_precision=round(float(predictions.average_precision.mean()), 6),
        micro_f1=round(micro.value, 6),
        macro_f1=round(macro_f1(predictions), 6),
        intervals=intervals,
        bands=None if documents_of is None else _bands(predictions, k, documents_of),
        tags=tags,
        never_named=sorted(supported - {entry["tag"] for entry in tags if entry["named"]}),
        worst_examples=_worst(predictions, k, by_k["r_precision_at_k"][:, -1]),
        reliability=_reliability(predictions),
        confusions=most_confused(predictions),
        examples_without_tags=predictions.examples.without_tags,
        unknown_tags=predictions.unknown,
        samples=predictions.examples.source,
        samples_sha256=predictions.examples.sha256,
    )


def micro_f1(predictions: Predictions) -> Ratio:
    """F1 over all pairs of example and tag, true tags that the model does not know included."""
    true_positives = (predictions.y_true & predictions.y_pred).sum(axis=1)
    both = predictions.y_pred.sum(axis=1) + predictions.true_counts
    return Ratio.of(2 * true_positives, both, predictions.examples.groups)


def macro_f1(predictions: Predictions) -> float:
    """The mean F1 of the tags that are true somewhere, 0 for those that the model does not know."""
    support, predicted = predictions.y_true.sum(axis=0), predictions.y_pred.sum(axis=0)
    found = (predictions.y_true & predictions.y_pred).sum(axis=0)
    scores = f1(found.astype(float), predicted.astype(float), support.astype(float))
    return float(scores[support > 0].sum() / (np.count_nonzero(support) + len(predictions.unknown)))


def by_k_text(values: NDArray[np.floating]) -> dict[str, float]:
    """Values at 1, 2, ..., by k as text."""
    return {str(k): round(float(value), 6) for k, value in enumerate(values, start=1)}


def _mean_interval(values: NDArray[np.float64], groups: NDArray[np.int64]) -> list[float]:
    return _rounded(share_interval(mean_of(values, groups)))


def _rounded(interval: Interval) -> list[float]:
    return [round(interval.low, 6), round(interval.high, 6)]


def _tag_metrics(predictions: Predictions, k: int) -> tuple[list[dict[str, Any]], list[float]]:
    """A row for each tag that is true, predicted or among the first k somewhere; and the interval of macro F1."""
    true_positives = predictions.y_true & predictions.y_pred
    support, predicted = predictions.y_true.sum(axis=0), predictions.y_pred.sum(axis=0)
    in_first_k = np.bincount(predictions.first(k).ravel(), minlength=len(predictions.tags))
    found = true_positives.sum(axis=0)
    scores = f1(found.astype(float), predicted.astype(float), support.astype(float))
    rows: list[dict[str, Any]] = [
        {
            "tag": predictions.tags[n],
            "support": int(support[n]),
            "precision": round(float(found[n] / predicted[n]), 6) if predicted[n] else None,
            "recall": round(float(found[n] / support[n]), 6) if support[n] else None,
            "f1": round(float(scores[n]), 6),
            "named": int(in_first_k[n]),
        }
        for n in np.flatnonzero((support > 0) | (predicted > 0) | (in_first_k > 0))
    ]
    unknown: list[dict[str, Any]] = [
        {"tag": tag, "support": count, "precision": None, "recall": 0.0, "f1": 0.0, "named": 0}
        for tag, count in predictions.unknown.items()
    ]
    supported = np.flatnonzero(support > 0)
    columns = (true_positives[:, supported], predictions.y_pred[:, supported], predictions.y_true[:, supported])
    interval = mean_of_f1_interval(*columns, groups=predictions.examples.groups, extra_tags=len(unknown))
    rows = sorted(rows + unknown, key=lambda row: (-row["support"], row["tag"]))
    return rows, _rounded(interval)


def _bands(predictions: Predictions, k: int, documents_of: Mapping[str, int]) -> list[dict[str, Any]]:
    """Of the true tags of each band, the share that is among the first k."""
    first = [{predictions.tags[n] for n in row} for row in predictions.first(k)]
    found, there = ({band: np.zeros(len(first)) for band in BANDS} for _ in range(2))
    tags: dict[str, set[str]] = {band: set() for band in BANDS}
    for row, labels in enumerate(predictions.examples.labels):
        for tag in labels:
            band = next(name for name, least in BANDS.items() if documents_of.get(tag, 0) >= least)
            tags[band].add(tag)
            there[band][row] += 1
            found[band][row] += tag in first[row]
    found_share = {band: Ratio.of(found[band], there[band], predictions.examples.groups) for band in BANDS}
    return [
        {
            "band": band,
            "least_documents": least,
            "tags": len(tags[band]),
            "true_tags": int(there[band].sum()),
            "recall_at_k": round(found_share[band].value, 6) if tags[band] else None,
            "interval": _rounded(share_interval(found_share[band])) if tags[band] else None,
        }
        for band, least in BANDS.items()
    ]


def _reliability(predictions: Predictions) -> list[dict[str, Any]]:
    bins = reliability(predictions.y_true, predictions.y_score, predictions.examples.groups)
    return [
        {
            "low": one.low,
            "high": one.high,
            "count": one.scores,
            "mean_score": round(one.mean_score, 6),
            "share_true": round(one.share_true, 6),
            "interval": _rounded(one.interval),
        }
        for one in bins
    ]


def _worst(predictions: Predictions, k: int, r_precision_at_k: NDArray[np.float64]) -> list[dict[str, Any]]:
    """The examples with the least of what there was to find, among equals those whose true tags score lowest."""
    of_true = np.where(predictions.y_true, predictions.y_score, 0).sum(axis=1) / predictions.true_counts
    order = np.lexsort((of_true, r_precision_at_k))
    first = predictions.first(k)
    return [
        {
            "text": shortened(predictions.examples.texts[row]),
            "true": predictions.examples.labels[row],
            "predicted": [[predictions.tags[n], round(float(predictions.y_score[row, n]), 4)] for n in first[row]],
        }
        for row in order[:_WORST]
        if r_precision_at_k[row] < 1
    ]


def shortened(text: str) -> str:
    """The beginning of a text, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS].rpartition(" ")[0] + " …"
