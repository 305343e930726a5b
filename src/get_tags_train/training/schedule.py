"""Which documents each training step has, and its learning rate."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.settings import TrainingSettings
from get_tags_train.training.batches import order_of_epoch


@dataclass(frozen=True)
class Schedule:
    """Which documents each step has, and at which learning rate.

    rows, validation: places of the training and the validation documents; lengths: (documents,) tokens of all.
    """

    rows: NDArray[np.int64]
    validation: NDArray[np.int64]
    lengths: NDArray[np.int32]
    training: TrainingSettings
    batch_size: int
    top_k: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch; the last may have fewer documents."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.steps_per_epoch * self.training.epochs

    @property
    def tokens(self) -> int:
        """Tokens of all epochs, without padding."""
        return int(self.lengths[self.rows].sum()) * self.training.epochs

    def learning_rate_share(self, step: int) -> float:
        """The share of the peak learning rate at a step (from 0): linear warm-up, then linear decay."""
        warmup = math.ceil(self.steps * self.training.warmup_ratio)
        return (step + 1) / (warmup + 1) if step < warmup else (self.steps - step) / max(1, self.steps - warmup)

    def batches(self, step: int) -> Iterator[NDArray[np.int64]]:
        """The documents of each step from `step` on, without a look at those before."""
        for epoch in range(step // self.steps_per_epoch, self.training.epochs):
            order = order_of_epoch(self.rows, self.lengths, self.batch_size, [self.training.seed, epoch])
            first = step - epoch * self.steps_per_epoch if step > epoch * self.steps_per_epoch else 0
            for place in range(first, self.steps_per_epoch):
                yield order[place * self.batch_size : (place + 1) * self.batch_size]
