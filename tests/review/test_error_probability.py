"""Labels against the evidence, by hand."""

import numpy as np
import pytest
from scipy.special import logit

from get_tags_train.review import error_probability
from get_tags_train.review.error_probability import Rates, estimate_rates, is_error


def test_rates_are_counted_where_there_is_no_doubt() -> None:
    # Surest: 1,000 pairs, 10 of them not given; least sure: 100,000 pairs, 50 of them given.
    belongs = np.repeat([0.99, 0.0005], [1000, 100_000])
    is_given = np.concatenate([np.arange(1000) >= 10, np.arange(100_000) % 2000 == 0])
    generator = np.random.default_rng(0).permutation(len(belongs))
    rates = estimate_rates(belongs[generator], is_given[generator], np.ones(len(belongs)))
    assert rates.missing == pytest.approx(0.01, abs=0.012)
    assert rates.wrong == pytest.approx(0.0005, rel=0.5)


def test_a_rate_is_never_nothing() -> None:
    is_given = np.repeat([True, False], [100, 900])
    rates = estimate_rates(np.repeat([0.99, 0.01], [100, 900]), is_given, np.ones(1000))
    assert rates.missing >= 0.002
    assert rates.wrong >= 0.002 * 100 / 900


def test_probabilities_are_bayes_rule_where_errors_are_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_probability, "_PLAUSIBLE", 0.0)
    found = is_error(np.array([0.8, 0.002]), np.array([False, True]), Rates(missing=0.05, wrong=0.001))
    # Missing: odds .05 x .8 / .2 = .2; wrong: .001 x .998 / .002 = .499.
    assert np.exp(found) == pytest.approx([0.2, 0.499])


def test_the_evidence_alone_decides_where_errors_are_plausible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_probability, "_PLAUSIBLE", 1.0)
    found = is_error(np.array([0.8, 0.1]), np.array([False, True]), Rates(0.05, 0.001))
    assert found == pytest.approx(logit([0.8, 0.9]))
