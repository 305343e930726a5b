"""Labels against the evidence, by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

from get_tags_train.review.error_probability import _calibrated, belongs, is_error, rate_deviations
from get_tags_train.review.out_of_fold import FOLDS, Corpus, Evidence


def pairs(is_given: NDArray[np.bool_], weight: float = 1.0, tag: NDArray[np.int32] | None = None) -> Evidence:
    """Pairs of one tag, or these, that stand for `weight` pairs each where they are not given."""
    count = len(is_given)
    nothing = [np.zeros(count, np.float32)] * 4
    tags = np.zeros(count, np.int32) if tag is None else tag
    weights = np.where(is_given, 1, weight).astype(np.float32)
    return Evidence(np.arange(count, dtype=np.int32), tags, is_given, weights, *nothing)


def test_as_many_errors_of_each_kind_as_are_assumed() -> None:
    # 1,000 pairs are given, so 10 errors are assumed of each kind.
    generator = np.random.default_rng(0)
    is_given = np.repeat([True, False], [1000, 5000])
    found = expit(is_error(generator.normal(0, 4, 6000), pairs(is_given)))
    assert found[is_given].sum() == pytest.approx(10, rel=1e-4)
    assert found[~is_given].sum() == pytest.approx(10, rel=1e-4)


def test_probabilities_are_bayes_rule_with_the_same_rate_for_all_of_a_kind() -> None:
    # Missing: odds of a rate times the odds that the tag belongs; wrong: times the odds that it does not.
    probability = np.array([0.8, 0.002, 0.3, 0.7] * 100)
    odds = np.exp(is_error(logit(probability), pairs(np.array([False, True, False, True] * 100))))
    assert odds[0] / odds[2] == pytest.approx((0.8 / 0.2) / (0.3 / 0.7))
    assert odds[1] / odds[3] == pytest.approx((0.998 / 0.002) / (0.3 / 0.7))


def test_a_pair_that_stands_for_many_counts_as_many() -> None:
    found = expit(is_error(np.zeros(110), pairs(np.repeat([True, False], [100, 10]), weight=50.0)))
    assert found[:100] == pytest.approx(np.full(100, 1 / 100), rel=1e-4)
    assert found[100:] == pytest.approx(np.full(10, 1 / 500), rel=1e-4)


def test_a_doubt_counts_more_where_the_tag_is_clear() -> None:
    # Tag 0 has logits of 4 where it is given, tag 1 of 0; both have one of -2. Means: (99 x 4 - 2 + 3 x 1.96) / 103
    # = 3.88 and (99 x 0 - 2 + 3 x 1.96) / 103 = .04, of which a fifth counts.
    logits = np.array([4.0] * 99 + [-2.0] + [0.0] * 99 + [-2.0])
    found = is_error(logits, pairs(np.ones(200, bool), tag=np.repeat([0, 1], 100).astype(np.int32)))
    assert found[99] - found[199] == pytest.approx((3.88 - 0.04) / 5, abs=0.002)


def test_probabilities_that_are_held_back_are_calibrated_in_their_order() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(-3, 4, 200_000)
    is_given = generator.random(len(true)) < expit(true)
    held_back = np.where(np.abs(true) > 2, np.sign(true) * (1 + np.abs(true) / 2), true)
    found = _calibrated(held_back, pairs(is_given))
    assert (np.diff(found[np.argsort(held_back)]) >= 0).all()
    for own in (held_back < -4, held_back > 3):
        before, after = (abs(logit(expit(x[own]).mean()) - logit(is_given[own].mean())) for x in (held_back, found))
        assert after < before / 2


def test_the_clearer_the_evidence_the_further_the_odds_may_be_off() -> None:
    generator = np.random.default_rng(0)
    evidence = pairs(np.repeat([True, False], [1000, 5000]))
    vague, clear = (is_error(generator.normal(0, spread, 6000), evidence) for spread in (0.5, 6))
    assert rate_deviations(vague, evidence) < rate_deviations(clear, evidence)
    # With the same evidence for all, seven times the errors is seven times the odds, nearly: log 7 / 1.96.
    assert rate_deviations(is_error(np.zeros(6000), evidence), evidence) == pytest.approx((0.99, 0.99), abs=0.05)


def test_a_kind_without_pairs_is_no_matter() -> None:
    assert len(is_error(np.zeros(100), pairs(np.ones(100, bool)))) == 100


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
    logits = is_error(found.ravel(), evidence)
    assert set(np.argsort(-logits)[:2].tolist()) == {int(pair @ [5, 1]) for pair in (removed, added)}
