"""How many errors to expect, and what decisions change."""

import numpy as np
import pytest

from get_tags_train.data.decisions import Answer, Decision
from get_tags_train.review.yield_estimate import Shift, fit_shift, foresee, foresee_decided, reliability


def decided(answer: Answer, probability: float = 0.5, estimate: float = 0.0) -> Decision:
    return Decision("1", "a", "missing", answer, probability, estimate, "00", "2026-01-01", "list.xlsx")


def test_without_decisions_nothing_is_shifted() -> None:
    assert fit_shift([], "missing") == Shift(0.0, 1.0)


def test_decisions_shift_their_own_kind() -> None:
    decisions = [decided("error") for _ in range(90)] + [decided("no error") for _ in range(10)]
    shift = fit_shift(decisions, "missing")
    # 90 of 100 are errors, log odds 2.2; the prior draws it back a little.
    assert shift.mean == pytest.approx(2.0, abs=0.1)
    assert shift.deviation < 0.4
    assert fit_shift(decisions, "wrong") == Shift(0.0, 1.0)


def test_a_wider_prior_yields_to_decisions() -> None:
    decisions = [decided("error") for _ in range(9)] + [decided("no error")]
    assert fit_shift(decisions, "missing", 3.0).mean > fit_shift(decisions, "missing").mean
    assert fit_shift([], "missing", 3.0) == Shift(0.0, 3.0)


def test_who_does_not_know_decides_nothing() -> None:
    assert fit_shift([decided("don't know")] * 50, "missing") == Shift(0.0, 1.0)


def test_the_foreseen_errors_are_the_sum_of_probabilities() -> None:
    found = foresee(np.full(200, 0.7), np.zeros(200, bool), Shift(0, 0), Shift(0, 0))
    # 140, and 1.96 x sqrt(200 x .7 x .3) = 12.7 on both sides.
    assert found == pytest.approx((140, 127.3, 152.7), abs=0.1)


def test_an_unsure_rate_widens_the_interval() -> None:
    sure = foresee(np.full(200, 0.7), np.zeros(200, bool), Shift(0, 0.1), Shift())
    unsure = foresee(np.full(200, 0.7), np.zeros(200, bool), Shift(), Shift())
    assert unsure.low < sure.low < sure.high < unsure.high <= 200


def test_reliability_is_told_by_bands() -> None:
    decisions = [decided("error", 0.9), decided("no error", 0.85), decided("error", 0.1), decided("don't know", 0.9)]
    assert [(band.low, band.decided, band.errors) for band in reliability(decisions)] == [(0.0, 1, 1), (0.8, 2, 1)]
    assert foresee_decided(decisions).errors == pytest.approx(1.85)
