"""Which tags a model takes for each other: one is true and missed where the other is predicted and wrong."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from get_tags_train.evaluation.predictions import Predictions

_SHOWN = 20
# One example may be a coincidence.
_FEWEST = 2


@dataclass(frozen=True)
class Confusion:
    """On so many `examples`, the tag `true` is missed and `predicted`, which is wrong there, takes its place."""

    true: str
    predicted: str
    examples: int


def most_confused(predictions: Predictions) -> list[Confusion]:
    """The pairs on most examples; a tag counts as predicted from its threshold on."""
    missed = predictions.y_true & ~predictions.y_pred
    wrong = predictions.y_pred & ~predictions.y_true
    pairs = Counter(
        (int(true), int(predicted))
        for row in np.flatnonzero(missed.any(axis=1) & wrong.any(axis=1))
        for true in np.flatnonzero(missed[row])
        for predicted in np.flatnonzero(wrong[row])
    )
    tags = predictions.tags
    found = [Confusion(tags[true], tags[predicted], count) for (true, predicted), count in pairs.items()]
    found = [pair for pair in found if pair.examples >= _FEWEST]
    return sorted(found, key=lambda pair: (-pair.examples, pair.true, pair.predicted))[:_SHOWN]
