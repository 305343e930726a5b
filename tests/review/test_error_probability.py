"""Labels against the evidence, by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

from get_tags_train.review.error_probability import belongs, is_error
from get_tags_train.review.out_of_fold import FOLDS, Corpus, Evidence


def test_as_many_errors_of_each_kind_as_are_assumed() -> None:
    # 1,000 pairs are given, so 10 errors are assumed of each kind.
    generator = np.random.default_rng(0)
    is_given = np.repeat([True, False], [1000, 5000])
    found = expit(is_error(generator.normal(0, 4, 6000), is_given, np.ones(6000)))
    assert found[is_given].sum() == pytest.approx(10, rel=1e-4)
    assert found[~is_given].sum() == pytest.approx(10, rel=1e-4)


def test_probabilities_are_bayes_rule_with_the_same_rate_for_all_of_a_kind() -> None:
    # Missing: odds of a rate times the odds that the tag belongs; wrong: times the odds that it does not.
    probability = np.array([0.8, 0.002, 0.3, 0.7] * 100)
    is_given = np.array([False, True, False, True] * 100)
    odds = np.exp(is_error(logit(probability), is_given, np.ones(400)))
    assert odds[0] / odds[2] == pytest.approx((0.8 / 0.2) / (0.3 / 0.7))
    assert odds[1] / odds[3] == pytest.approx((0.998 / 0.002) / (0.3 / 0.7))


def test_a_pair_that_stands_for_many_counts_as_many() -> None:
    is_given = np.array([True] * 100 + [False] * 10)
    weight = np.array([1.0] * 100 + [50.0] * 10)
    found = expit(is_error(np.zeros(110), is_given, weight))
    assert found[:100] == pytest.approx(np.full(100, 1 / 100), rel=1e-4)
    assert found[100:] == pytest.approx(np.full(10, 1 / 500), rel=1e-4)


def test_a_kind_without_pairs_is_no_matter() -> None:
    assert len(is_error(np.zeros(100), np.ones(100, bool), np.ones(100))) == 100


def test_a_missing_and_a_wrong_tag_are_told_by_the_scores() -> None:
    # 400 documents, 5 tags, 2 each; scores follow the true tags, and two labels do not.
    generator = np.random.default_rng(0)
    true = np.zeros((400, 5), bool)
    np.put_along_axis(true, np.argsort(generator.random((400, 5)), axis=1)[:, :2], True, axis=1)
    given = true.copy()
    removed, added = np.argwhere(true)[7], np.argwhere(~true)[900]
    given[tuple(removed)], given[tuple(added)] = False, True
    document, tag = np.indices(true.shape).reshape(2, -1).astype(np.int32)
    score = (true + generator.normal(0, 0.1, true.shape)).ravel().astype(np.float32)
    nothing = np.full(true.size, np.nan, np.float32)
    evidence = Evidence(document, tag, given.ravel(), np.ones(true.size, np.float32), *[score] * 3, nothing)
    folds = (np.arange(400) % FOLDS).astype(np.int8)
    corpus = Corpus(None, csr_matrix((400, 1)), csr_matrix(given.astype(np.float32)), folds)  # type: ignore[arg-type]
    found = belongs(evidence, corpus, seed=0).reshape(true.shape)
    assert found[tuple(removed)] > 0
    assert found[tuple(added)] < 0
    logits = is_error(found.ravel(), evidence.is_given, evidence.weight)
    assert set(np.argsort(-logits)[:2].tolist()) == {int(pair @ [5, 1]) for pair in (removed, added)}
