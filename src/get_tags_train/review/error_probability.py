"""How likely a tag is wrong or missing: the evidence as a probability that it belongs, and what labels are worth."""

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from get_tags_train.review.out_of_fold import FOLDS, Corpus, Evidence

Floats = NDArray[np.float64]
Features = NDArray[np.float32]

_MOST_PAIRS = 500_000
_PAIRS_AT_ONCE = 1 << 18
_MOST_LOGIT = 14.0
# The penalty of the logistic regression, beside the log loss of so many tags that are given: without one it believes
# what one error in its own training says.
_LOSS_BESIDE_PENALTY = 3.0
# How much a calibration may stretch or press together; and how finely it sees logits.
_LEAST_SLOPE, _MOST_SLOPE = 0.5, 4.0
_CALIBRATION_CELLS = 2000
# So many tags are assumed to be wrong, and as many to be missing, as a share of those that are given.
_ERRORS = 0.01
# By which factor that may be wrong either way, in 95 of 100 data sets; no more than nearly all labels are errors.
_OFF, _MOST_SHARE, _NORMAL_95 = 7.0, 0.9, 1.959964
# What a tag's clearness counts beside the evidence, and how many documents of other tags its mean has.
_CLEAR, _MEAN_COUNTS = 0.2, 3


def belongs(evidence: Evidence, corpus: Corpus, *, seed: int) -> Floats:
    """The logit of the probability that each pair is given by the database, by models fitted on other folds: (pairs,).

    The mean of two models of the scores, how frequent the tag is and how many others the document has: trees, which may
    not go down where a score goes up, and a logistic regression, which tells apart what ends in the same leaf. Both are
    held back, so that what is nearly certain looks less so: the mean is calibrated at the end.
    """
    features, scores = _features(evidence, corpus)
    fold = corpus.folds[evidence.document]
    found = np.zeros(len(evidence))
    generator = np.random.default_rng(seed)
    for own in np.unique(fold):
        rows, asked = np.flatnonzero(fold != own), np.flatnonzero(fold == own)
        if len(rows) > _MOST_PAIRS:
            rows = np.sort(generator.choice(rows, _MOST_PAIRS, replace=False))
        given, weight = evidence.is_given[rows], evidence.weight[rows]
        trees = _fit_trees(features[rows], scores, given, weight, seed)
        curves = _fit_curves(_bent(features[rows], scores), given, weight)
        for first in range(0, len(asked), _PAIRS_AT_ONCE):
            some = asked[first : first + _PAIRS_AT_ONCE]
            by_trees = trees.decision_function(features[some])
            found[some] = (by_trees + curves.decision_function(_bent(features[some], scores))) / 2
    return np.clip(_calibrated(found, evidence), -_MOST_LOGIT, _MOST_LOGIT)


def _calibrated(logits: Floats, evidence: Evidence) -> Floats:
    """The same in the same order, bent at both ends so that as many pairs are given as the probabilities say: (pairs,).

    A logistic regression of the logits whose slope changes where a half and a tenth of the given lie above, and of the
    others below.
    """
    is_given, weight = evidence.is_given, evidence.weight.astype(float)
    if not 0 < is_given.sum() < len(is_given):
        return logits
    knots = np.unique(
        np.concatenate(
            [
                _quantiles(logits[~is_given], weight[~is_given], (0.1, 0.5)),
                _quantiles(logits[is_given], weight[is_given], (0.5, 0.9)),
            ]
        )
    )
    # Of pairs with nearly the same logit only the sums count.
    cell = np.digitize(logits, np.linspace(logits.min(), logits.max(), _CALIBRATION_CELLS))
    pairs, given = np.bincount(cell, weight), np.bincount(cell, weight * is_given)
    filled = pairs > 0
    pieces = _pieces((np.bincount(cell, weight * logits)[filled] / pairs[filled]), knots)
    pairs, given = pairs[filled], given[filled]

    def loss(values: Floats) -> tuple[float, Floats]:
        bent = pieces @ values
        return float(pairs @ np.logaddexp(0, bent) - given @ bent), pieces.T @ (pairs * expit(bent) - given)

    start = np.append(np.ones(pieces.shape[1] - 1), 0.0)
    bounds = [(_LEAST_SLOPE, _MOST_SLOPE)] * (len(start) - 1) + [(None, None)]
    found: Floats = _pieces(logits, knots) @ minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found


def _pieces(logits: Floats, knots: Floats) -> Floats:
    """What a slope between each two knots, before the first and after the last is to be multiplied by, and a 1."""
    ends = np.concatenate([[-np.inf], knots, [np.inf]])
    parts = [np.clip(logits, low, high) - np.clip(0, low, high) for low, high in pairwise(ends)]
    return np.stack([*parts, np.ones_like(logits)], axis=1)


def _quantiles(values: Floats, weight: Floats, shares: Sequence[float]) -> Floats:
    """Below which these shares of the weight are."""
    order = np.argsort(values)
    so_far = np.cumsum(weight[order])
    places = np.searchsorted(so_far, np.multiply(shares, so_far[-1]))
    found: Floats = values[order][places]
    return found


def _fit_trees(
    features: Features, scores: int, is_given: NDArray[np.bool_], weight: Features, seed: int
) -> HistGradientBoostingClassifier:
    rises = [1] * scores + [0] * (features.shape[1] - scores)
    model = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_iter=150,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=5.0,
        monotonic_cst=rises,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(features, is_given, sample_weight=weight)


def _fit_curves(bent: Features, is_given: NDArray[np.bool_], weight: Features) -> Pipeline:
    strength = _LOSS_BESIDE_PENALTY / max(is_given.sum(), 1)
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression(C=strength, solver="newton-cholesky"))
    return model.fit(bent, is_given, logisticregression__sample_weight=weight)


def _features(evidence: Evidence, corpus: Corpus) -> tuple[Features, int]:
    """(pairs, features), and how many of them, the first, are scores: about 1 where a tag belongs, 0 where not."""
    given_of = np.bincount(evidence.document, evidence.is_given, minlength=int(evidence.document.max(initial=0)) + 1)
    scores = [evidence.linear, evidence.nearest, evidence.others]
    if not np.isnan(evidence.bert).all():
        scores.append(expit(evidence.bert))
    # In other folds: a count with the pair itself would give its label away.
    frequency = np.log1p(_counts_elsewhere(corpus)[corpus.folds[evidence.document], evidence.tag])
    # Every document has a tag: with 0 others the only one could not be judged.
    tags = np.log(np.maximum(given_of[evidence.document] - evidence.is_given, 1))
    columns = [*scores, frequency, tags]
    return np.stack([column.astype(np.float32) for column in columns], axis=1), len(scores)


def _counts_elsewhere(corpus: Corpus) -> NDArray[np.float64]:
    """(folds, tags) the documents of each tag in the other folds."""
    counts = [np.asarray(corpus.tags[corpus.folds != fold].sum(axis=0)).ravel() for fold in range(FOLDS)]
    return np.stack(counts)


def _bent(features: Features, scores: int) -> Features:
    """What a linear model needs to follow curves: roots and products of the scores: (pairs, columns)."""
    frequency, tags = features.T[scores:]
    columns, own = [frequency, frequency**2, tags], [np.clip(score, 0, 1) for score in features.T[:scores]]
    for score in own:
        root = np.sqrt(score)
        columns += [score, root, score * frequency, root * frequency, score * tags]
    for one, other in combinations(own, 2):
        columns += [one * other, np.sqrt(one * other)]
    return np.stack(columns, axis=1)


def is_error(belongs: Floats, evidence: Evidence) -> Floats:
    """The logit of the probability that a label is an error, given what it says and the evidence: (pairs,).

    Were errors strewn evenly, a tag that is not given would be missing with a rate times the odds that it belongs, and
    one that is given would be wrong with a rate times the odds that it does not (Bayes' rule). The labels cannot tell
    these rates from how hard their documents are. So both are what makes as many errors as are assumed of each kind;
    decisions correct them (yield_estimate.py). Doubts about a given tag count more where the tag is a clear one.
    """
    is_given, weight = evidence.is_given, evidence.weight.astype(float)
    found: Floats = np.where(is_given, _CLEAR * _clearness(belongs, evidence) - belongs, belongs)
    errors = _ERRORS * float(weight[is_given].sum())
    for own in (np.flatnonzero(is_given), np.flatnonzero(~is_given)):
        if weight[own].sum() > errors:
            found[own] += _shift(found[own], weight[own], errors)
    return found


def rate_deviations(logits: Floats, evidence: Evidence) -> tuple[float, float]:
    """How far the logits of missing and of wrong tags may be off, as standard deviations.

    As far as they move, in the mean of both ways, where seven times as many errors are assumed, or a seventh.
    """
    is_given, weight = evidence.is_given, evidence.weight.astype(float)
    errors, found = _ERRORS * float(weight[is_given].sum()), []
    for own in (~is_given, is_given):
        most = _MOST_SHARE * float(weight[own].sum())
        if most <= errors / _OFF:
            found.append(1.0)
            continue
        few, many = (_shift(logits[own], weight[own], min(count, most)) for count in (errors / _OFF, errors * _OFF))
        found.append((many - few) / (2 * _NORMAL_95))
    return found[0], found[1]


def _clearness(belongs: Floats, evidence: Evidence) -> Floats:
    """How clear each pair's tag is: the mean logit where it is given, with a few of all tags' where it is rare."""
    own = evidence.tag[evidence.is_given]
    counts = np.bincount(own, minlength=int(evidence.tag.max(initial=0)) + 1)
    total = np.bincount(own, belongs[evidence.is_given], minlength=len(counts))
    of_all = total.sum() / max(counts.sum(), 1)
    means: Floats = (total + _MEAN_COUNTS * of_all) / (counts + _MEAN_COUNTS)
    return means[evidence.tag]


def _shift(logits: Floats, weight: Floats, errors: float) -> float:
    """What is added to all logits so that their probabilities come to so many errors."""
    shift: float = brentq(lambda added: weight @ expit(logits + added) - errors, -50, 50, xtol=1e-6)
    return shift
