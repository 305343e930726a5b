"""What a model predicts for an evaluation set, beside the truth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from get_tags_train.metrics.calibration import THRESHOLD
from get_tags_train.metrics.ranking import average_precision, first_hits, rank
from get_tags_train.splits.eval_set import EvalSet


@dataclass(frozen=True)
class Predictions:
    """Scores of `tags` for each example, and which are true; true_counts includes tags that are not among them.

    y_true, y_score: (examples, tags); thresholds: (tags,) the score from which each counts as predicted.
    """

    examples: EvalSet
    tags: list[str]
    y_true: NDArray[np.bool_]
    y_score: NDArray[np.float32]
    true_counts: NDArray[np.int64]
    unknown: dict[str, int]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        examples: EvalSet,
        tags: Sequence[str],
        y_score: NDArray[np.float32],
        thresholds: Mapping[str, float] | None = None,
    ) -> "Predictions":
        """Put scores beside the truth; `thresholds` of tags, .5 where there is none."""
        place = {tag: index for index, tag in enumerate(tags)}
        y_true = np.zeros((len(examples), len(tags)), bool)
        unknown = Counter[str]()
        for row, labels in enumerate(examples.labels):
            unknown.update(tag for tag in labels if tag not in place)
            y_true[row, [place[tag] for tag in labels if tag in place]] = True
        counts = np.array([len(labels) for labels in examples.labels], np.int64)
        least = np.array([(thresholds or {}).get(tag, THRESHOLD) for tag in tags])
        return cls(examples, list(tags), y_true, y_score, counts, dict(sorted(unknown.items())), least)

    def hits(self, k: int) -> NDArray[np.bool_]:
        """Whether each of the first k tags is a true one: (examples, k)."""
        return first_hits(self.y_true, self.y_score, k)

    def first(self, k: int) -> NDArray[np.intp]:
        """The places in `tags` of the first k: (examples, min(k, tags))."""
        return rank(self.y_score, k)

    @cached_property
    def average_precision(self) -> NDArray[np.float64]:
        """(examples,)."""
        return average_precision(self.y_true, self.y_score, self.true_counts)

    @cached_property
    def y_pred(self) -> NDArray[np.bool_]:
        """Whether a tag's score reaches its threshold: (examples, tags)."""
        predicted: NDArray[np.bool_] = self.y_score >= self.thresholds
        return predicted
