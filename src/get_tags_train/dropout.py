"""Dropout on a processor with masks of numpy's fast bits, which each thread draws from a generator of its own."""

import threading
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

_STEPS = 1 << 16
_random = threading.local()


def seed_dropout(seed: Sequence[int]) -> None:
    """Let the masks that this thread draws from now on follow from the seed."""
    _random.generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))


def drop_out(states: Tensor, probability: float) -> Tensor:
    """Zero each value with a probability below 1, to the nearest 1/65536, and scale the others to keep the mean."""
    dropped = round(probability * _STEPS)
    if not dropped:
        return states
    count = states.numel()
    bits = _random.generator.integers(0, 1 << 64, -(-count // 4), dtype=np.uint64).view(np.int16)[:count]
    kept = torch.from_numpy(bits).view(states.shape) >= dropped - _STEPS // 2
    return states * (kept.to(states.dtype) * (_STEPS / (_STEPS - dropped)))


class _Dropout(nn.Dropout):
    def forward(self, input: Tensor) -> Tensor:
        return drop_out(input, self.p) if self.training else input


def use_own_dropout(model: nn.Module) -> None:
    """Let every dropout layer of the model draw its masks here."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, _Dropout(child.p))
