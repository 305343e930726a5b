"""How fast this device is, by a few measured steps: how long a training will take, and which batch size is fastest."""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.step import TrainingStep

# How much is computed to see how fast the device is: a second or two of a small model on a processor.
_MEASURED_TOKENS = {"cpu": 4_096, "cuda": 1 << 30}
_LONG_SECONDS = 5.0
_SIZES = (8, 16, 32, 64, 128, 256)
# A batch size has to be so much faster than the next smaller one to be worth what a larger batch costs in learning.
_WORTH = 1.05


def longest_documents(rows: NDArray[np.int64], lengths: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The `count` longest of the documents at `rows`, longest first."""
    return rows[np.argsort(-lengths[rows], kind="stable")[:count]]


def seconds_per_token(training_step: TrainingStep, longest: NDArray[np.int64], lengths: NDArray[np.int32]) -> float:
    """Seconds of training a token takes, by the longest documents, which also shows whether memory holds them."""
    fitting = int((np.cumsum(lengths[longest]) <= _MEASURED_TOKENS[training_step.device]).sum())
    rows = longest[: max(1, fitting)]
    return _seconds(training_step, rows) / int(lengths[rows].sum())


def fastest_batch_size(
    training_step: TrainingStep, rows: NDArray[np.int64], lengths: NDArray[np.int32], group: ProcessGroup
) -> int:
    """The smallest batch size that is about as fast as any whose longest documents fit into memory at once."""
    chosen, best = _SIZES[0], 0.0
    for size in _SIZES:
        if size > len(rows):
            break
        before = training_step.micro_batch_tokens
        seconds = group.from_main(_seconds(training_step, longest_documents(rows, lengths, size)))
        is_split = training_step.micro_batch_tokens < before
        training_step.micro_batch_tokens = before
        # Slower than a smaller one: memory was short, or the driver has begun to use the computer's own.
        if group.any(is_split) or size / seconds < _WORTH * best:
            break
        chosen, best = size, size / seconds
    return chosen


def _seconds(training_step: TrainingStep, rows: NDArray[np.int64]) -> float:
    """Seconds that the gradient of these documents takes, once warm; the weights stay as they are."""
    seconds = 0.0
    for _ in range(2):
        began = perf_counter()
        training_step.accumulate(0, rows)
        training_step.zero_grad()
        seconds = perf_counter() - began
        if seconds > _LONG_SECONDS:  # warming up is a small part of it
            break
    return seconds
