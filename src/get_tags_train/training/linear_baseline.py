"""The linear model that a BERT is measured against, on the same documents."""

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.events import OnEvent
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.linear_fit import fit_linear
from get_tags_train.model.linear_reader import LinearReader
from get_tags_train.splits.training_set import TrainingSet, text_batches


def fit_linear_baseline(
    data: PreparedData, training_set: TrainingSet, validation: NDArray[np.bool_], *, seed: int, on_event: OnEvent
) -> LinearReader:
    """A linear model of these documents; validation, (documents,), fits its C, calibration and thresholds."""
    return fit_linear(
        text_batches(data, training_set, training_set.rows),
        text_batches(data, training_set, np.flatnonzero(validation)),
        len(training_set.tags),
        seed=seed,
        on_event=on_event,
    ).linear
