"""How likely a tag is wrong or missing: the evidence as a probability that it belongs, and what labels are worth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from get_tags_train.review.out_of_fold import FOLDS, Corpus, Evidence

Floats = NDArray[np.float64]

_MOST_PAIRS = 1_000_000
_LEAST, _MOST = 1e-6, 1 - 1e-6
# Where the evidence is strongest, tags that lack are taken for missing ones; where it is weakest, tags that are given
# for wrong ones. These shares of all given, and of all absent, are looked at.
_SUREST, _LEAST_SURE = 0.1, 0.5
_LEAST_PAIRS = 100
# What people get wrong at the least, as shares of the tags that are given: without it a sample may show nothing.
_LEAST_RATE = 0.002
# How far errors are where a tag is plausible: 0 would be anywhere, 1 wherever the evidence speaks against the label.
_PLAUSIBLE = 0.35


class Rates(NamedTuple):
    """How often a tag that belongs is missing, and how often one that does not is given."""

    missing: float
    wrong: float


def belongs(evidence: Evidence, corpus: Corpus, *, seed: int) -> Floats:
    """The probability that each pair is given by the database, by models fitted on other folds: (pairs,).

    Gradient boosted trees over the scores, how frequent the tag is and how many others the document has. None of them
    may go down where a score goes up.
    """
    features, rises = _features(evidence, corpus)
    fold = corpus.folds[evidence.document]
    found = np.zeros(len(evidence))
    generator = np.random.default_rng(seed)
    for own in np.unique(fold):
        rows = np.flatnonzero(fold != own)
        if len(rows) > _MOST_PAIRS:
            rows = np.sort(generator.choice(rows, _MOST_PAIRS, replace=False))
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
        model.fit(features[rows], evidence.is_given[rows], sample_weight=evidence.weight[rows])
        found[fold == own] = model.predict_proba(features[fold == own])[:, 1]
    return np.clip(found, _LEAST, _MOST)


def _features(evidence: Evidence, corpus: Corpus) -> tuple[NDArray[np.float32], list[int]]:
    """(pairs, features), and which of them may only raise the probability."""
    given_of = np.bincount(evidence.document, evidence.is_given, minlength=int(evidence.document.max(initial=0)) + 1)
    columns = {
        "linear": evidence.linear,
        "nearest": evidence.nearest,
        "others": evidence.others,
        "bert": evidence.bert,
        # In other folds: a count with the pair itself would give its label away.
        "frequency": np.log1p(_counts_elsewhere(corpus)[corpus.folds[evidence.document], evidence.tag]),
        # Every document has a tag: with 0 others the only one could not be judged.
        "tags": np.maximum(given_of[evidence.document] - evidence.is_given, 1),
    }
    if np.isnan(evidence.bert).all():
        del columns["bert"]
    rises = [int(name not in ("frequency", "tags")) for name in columns]
    return np.stack([column.astype(np.float32) for column in columns.values()], axis=1), rises


def _counts_elsewhere(corpus: Corpus) -> NDArray[np.float64]:
    """(folds, tags) the documents of each tag in the other folds."""
    counts = [np.asarray(corpus.tags[corpus.folds != fold].sum(axis=0)).ravel() for fold in range(FOLDS)]
    return np.stack(counts)


def estimate_rates(belongs: Floats, is_given: NDArray[np.bool_], weight: NDArray[np.floating]) -> Rates:
    """How often labels are wrong, by the pairs that the evidence leaves no doubt about.

    The idea of confident learning (Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset
    Labels, 2021), with shares of the surest pairs instead of a threshold for each class.
    """
    order = np.argsort(-belongs, kind="stable")
    given, absent = weight[order] * is_given[order], weight[order] * ~is_given[order]
    surest = max(_SUREST * given.sum(), min(_LEAST_PAIRS, given.sum()))
    last = int(np.searchsorted(np.cumsum(given), surest)) + 1
    missing = (absent[:last].sum() + 0.5) / (given[:last].sum() + absent[:last].sum() + 1)
    from_below = np.cumsum(absent[::-1])
    first = int(np.searchsorted(from_below, _LEAST_SURE * from_below[-1])) + 1
    wrong = (given[::-1][:first].sum() + 0.5) / (from_below[first - 1] + 1)
    least = _LEAST_RATE * given.sum() / max(absent.sum(), 1)
    return Rates(float(np.clip(missing, _LEAST_RATE, 0.5)), float(np.clip(wrong, min(least, 0.1), 0.1)))


def is_error(belongs: Floats, is_given: NDArray[np.bool_], rates: Rates) -> Floats:
    """The logit of the probability that a label is an error, given what it says and the evidence: (pairs,).

    Were errors strewn evenly, a tag that is not given would be missing with odds of `rates.missing` to 1 times those
    that it belongs, and one that is given would be wrong with odds of `rates.wrong` times those that it does not
    (Bayes' rule). People err where a tag is plausible, and the evidence is no more than their labels say: the rates
    count less than that, by an exponent that was chosen on planted errors (docs/experiments.md).
    """
    odds = np.log(belongs) - np.log1p(-belongs)
    rate = np.log(np.array(rates))[is_given.astype(np.intp)]
    found: Floats = np.where(is_given, -odds, odds) + (1 - _PLAUSIBLE) * rate
    return found
