"""Linear SVMs with squared hinge loss for many tags at once: conjugate gradients over the documents' coefficients.

For each tag it minimises |w|² / 2 + C Σ max(0, 1 - y (w·x + b))², as LinearSVC does, with a bias that costs nothing.
w is a sum of documents, so a tag has a number for each document (its dual) and never one for each feature.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Similarities = Callable[[Floats], Floats]
"""The similarities of all documents, times duals: (documents, tags) -> (documents, tags)."""

# So many documents have all their similarities in memory, 64 MiB, where a product is ten times as fast.
MOST_DENSE = 4096
MOST_PASSES = 40
_CLOSE_ENOUGH = 1e-3  # of the first gradient's length
_LINE_STEPS = 5


def similarities_of(features: csr_matrix) -> Similarities:
    """Those of documents with these features, (documents, features), rows of length 1."""
    if features.shape[0] > MOST_DENSE:
        return lambda dual: features @ (features.T @ dual)
    similarities: Floats = (features @ features.T).toarray()
    return lambda dual: similarities @ dual


def solve(
    similarities: Similarities, labels: Bools, c: float, counts: Floats | None = None, passes: int = MOST_PASSES
) -> tuple[Floats, Floats]:
    """The duals, (documents, tags), so that features.T @ dual are the weights; and the biases, (tags,).

    labels: (documents, tags); counts: (documents, 1) how many documents each stands for, 1 without it. Polak and
    Ribière's directions, the bias's scaled by its curvature, and along each the lowest point by Newton's method.
    """
    y = np.where(labels, 1, -1).astype(np.float32)
    cost = np.float32(2 * c) * (np.ones((len(y), 1), np.float32) if counts is None else counts)
    dual, decision, bias = np.zeros_like(y), np.zeros_like(y), -np.ones(y.shape[1], np.float32)
    step, before, first = _Direction.none(y), None, np.zeros(1, np.float32)
    for _ in range(passes):
        slack = np.maximum(1 - y * (decision + bias), 0)
        pull = cost * slack * y
        down = pull - dual
        own = _Direction(down, similarities(down), pull.sum(axis=0))
        curvature = np.maximum((cost * (slack > 0)).sum(axis=0), 2 * c)
        length = own.times(own, curvature)
        first = np.maximum(first, length)
        if (length <= _CLOSE_ENOUGH**2 * first).all():
            break
        if before is not None:
            share = np.maximum(length - before[0].times(own, curvature), 0) / np.maximum(before[1], 1e-30)
            step = step.scaled(share).plus(own, curvature)
        else:
            step = step.plus(own, curvature)
        before = own, length
        far = _lowest(y, decision + bias, dual, step, cost)
        dual += far * step.dual
        decision += far * step.decision
        bias += far * step.bias
    return dual, bias


@dataclass(frozen=True)
class _Direction:
    """A direction of each tag: duals and what they change of the decisions, (documents, tags) each; bias: (tags,)."""

    dual: Floats
    decision: Floats
    bias: Floats

    @classmethod
    def none(cls, like: Floats) -> "_Direction":
        return cls(np.zeros_like(like), np.zeros_like(like), np.zeros(like.shape[1], np.float32))

    def times(self, other: "_Direction", curvature: Floats) -> Floats:
        """The inner product of two gradients, in the space of the weights: (tags,)."""
        product: Floats = (self.dual * other.decision).sum(axis=0) + self.bias * other.bias / curvature
        return product

    def scaled(self, share: Floats) -> "_Direction":
        return _Direction(share * self.dual, share * self.decision, share * self.bias)

    def plus(self, gradient: "_Direction", curvature: Floats) -> "_Direction":
        return _Direction(
            self.dual + gradient.dual, self.decision + gradient.decision, self.bias + gradient.bias / curvature
        )


def _lowest(y: Floats, decision: Floats, dual: Floats, step: _Direction, cost: Floats) -> Floats:
    """How far to go along each tag's direction: (tags,)."""
    margin, change = y * decision, y * (step.decision + step.bias)
    slope, bend = (dual * step.decision).sum(axis=0), (step.dual * step.decision).sum(axis=0)
    far = np.zeros(y.shape[1], np.float32)
    for _ in range(_LINE_STEPS):
        slack = np.maximum(1 - margin - far * change, 0)
        down = slope + far * bend - (cost * slack * change).sum(axis=0)
        up = bend + (cost * (slack > 0) * change * change).sum(axis=0)
        far -= down / np.maximum(up, 1e-20)
    return far
