"""How much each reader of a text counts: few weights for all tags together, fitted on validation documents."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]

# What the weights are where documents say little: a normal prior's means and standard deviations, with the linear
# reader in margins of a tag's plane, the nearest documents in shares from 0 to 1. Both readers count about the same.
# The last two make the shift: what is added for every tag, and how much a tag's log odds count.
_MEAN, _DEVIATION = np.array([0.5, 2.5, 1.0, 0.0, 0.0]), np.array([0.5, 2.5, 2.0, 0.5, 0.3])
_FOLDS = 5
_PAIRS_AT_ONCE = 1 << 20


class Answers(NamedTuple):
    """What each reader says of the same documents: logits before calibration, margins, and shares of the nearest.

    (documents, tags) each.
    """

    bert: Floats
    linear: Floats
    nearest: Floats

    def of(self, rows: NDArray[np.generic]) -> "Answers":
        """Those of some of the documents."""
        return Answers(self.bert[rows], self.linear[rows], self.nearest[rows])


class Blend(NamedTuple):
    """The weights of the three, none below 0, and what is added: the same for every tag, or (tags,)."""

    bert: float
    linear: float
    nearest: float
    shift: float | NDArray[np.float64]

    def added(self, linear: Floats, nearest: Floats) -> NDArray[np.float32]:
        """What the second reader adds to the weighted logits of the BERT."""
        added: NDArray[np.float32] = (self.linear * linear + self.nearest * nearest + self.shift).astype(np.float32)
        return added

    def logits(self, answers: Answers) -> NDArray[np.float32]:
        """(documents, tags)."""
        bert: NDArray[np.float32] = (self.bert * answers.bert).astype(np.float32)
        return bert + self.added(answers.linear, answers.nearest)


def tag_log_odds(counts: NDArray[np.integer], documents: int) -> NDArray[np.float64]:
    """Of a document having each tag, by how many of the training documents have it: (tags,)."""
    odds: NDArray[np.float64] = np.log((counts + 0.5) / (documents - counts + 0.5))
    return odds


def fit_blend(answers: Answers, labels: Bools, log_odds: NDArray[np.float64]) -> Blend:
    """The weights with the least binary cross-entropy over all documents and tags; labels: (documents, tags).

    Every reader's answer already holds the log odds of the tag, (tags,). Their sum holds them more than once, which
    the shift takes back.
    """

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        away = (weights - _MEAN) / _DEVIATION
        value, slope = float(away @ away) / 2, away / _DEVIATION
        rows = max(1, _PAIRS_AT_ONCE // labels.shape[1])
        for first in range(0, len(labels), rows):
            some = slice(first, first + rows)
            of_tags = np.ones(labels[some].size), np.tile(log_odds, len(labels[some]))
            x = np.stack([*(own[some].ravel() for own in answers), *of_tags]).astype(float)
            y, z = labels[some].ravel(), weights @ x
            value += float((np.logaddexp(0, z) - y * z).sum())
            slope += x @ (1 / (1 + np.exp(-np.clip(z, -50, 50))) - y)
        return value, slope

    found = minimize(loss, _MEAN, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 3 + [(None, None)] * 2)
    bert, linear, nearest, shift, of_log_odds = found.x.tolist()
    return Blend(bert, linear, nearest, shift + of_log_odds * log_odds)


def cross_fitted(answers: Answers, labels: Bools, log_odds: NDArray[np.float64], *, seed: int) -> NDArray[np.float32]:
    """The blend's logits of each document by weights that were fitted on the others: (documents, tags)."""
    folds = np.random.default_rng(seed).permutation(len(labels)) % _FOLDS
    logits = np.zeros(labels.shape, np.float32)
    for fold in np.unique(folds):
        own = folds == fold
        logits[own] = fit_blend(answers.of(~own), labels[~own], log_odds).logits(answers.of(own))
    return logits
