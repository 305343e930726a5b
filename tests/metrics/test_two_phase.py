"""A mean difference of which only a sample was judged: worked by hand, and beside the truth."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from get_tags_train.metrics.intervals import difference_interval
from get_tags_train.metrics.two_phase import Population, documents_needed, estimate, smallest_difference


def nothing_known(documents: int, differing: int) -> Population:
    return Population(documents, np.zeros(differing))


def test_documents_that_do_not_differ_count_as_zero() -> None:
    found = estimate(nothing_known(20, 5), np.arange(5), np.array([0.2, 0.4, 0.0, 0.2, 0.2]), unit=0.2)
    assert found.value == pytest.approx(0.05)  # the sum, 1, over 20


def test_the_error_by_hand() -> None:
    """10 documents, 6 differ, 4 are judged; unit 1."""
    found = estimate(nothing_known(10, 6), np.arange(4), np.array([1.0, 1.0, 0.0, -1.0]), unit=1.0)
    variance = (2.75 + 1) / 5  # squares about the mean .25, and of the two added documents
    residual = (2.75 + 1) / 4
    of_all = 0.6 * (variance + 0.4 * 0.25**2) / 12
    of_drawing = 0.36 * residual * (1 / 6 - 1 / 8)
    assert found.value == pytest.approx(0.6 * 0.25)
    assert found.error == pytest.approx(sqrt(of_all + of_drawing))
    reach = stats.t.ppf(0.975, 2) * found.error
    assert found.interval.low == pytest.approx(0.15 - reach)


def test_where_all_are_judged_it_is_the_paired_interval() -> None:
    judged = np.random.default_rng(1).choice([-0.2, 0.0, 0.2], 60)
    found = estimate(nothing_known(60, 60), np.arange(60), judged, unit=0.2)
    paired = difference_interval(judged, np.arange(60), unit=0.2)  # 90%, and drawn a little towards zero
    wider = stats.t.ppf(0.975, 58) / stats.t.ppf(0.95, 61)
    assert found.interval.high - found.interval.low == pytest.approx((paired.high - paired.low) * wider, rel=1e-3)


def test_another_judgement_that_is_right_leaves_little_to_chance() -> None:
    truth = np.random.default_rng(2).choice([-0.2, 0.0, 0.2, 0.4], 400)
    drawn = np.arange(40)
    helped = estimate(Population(400, truth), drawn, truth[drawn], unit=0.2)
    alone = estimate(nothing_known(400, 400), drawn, truth[drawn], unit=0.2)
    assert abs(helped.value - truth.mean()) < 0.2 * abs(alone.value - truth.mean())
    assert helped.error < 0.5 * alone.error


def test_another_judgement_that_is_wrong_does_not_count() -> None:
    truth = np.random.default_rng(3).choice([-0.2, 0.0, 0.2, 0.4], 400)
    drawn = np.arange(40)
    misled = estimate(Population(400, -truth), drawn, truth[drawn], unit=0.2)
    assert misled.value == pytest.approx(truth[drawn].mean())


def test_an_interval_stays_among_the_differences_there_can_be() -> None:
    found = estimate(nothing_known(12, 12), np.arange(3), np.array([1.0, 1.0, 1.0]), unit=1.0)
    assert found.interval.high == 1.0


@given(
    documents=st.integers(60, 3000),
    share=st.floats(0.2, 1.0),
    variance=st.floats(0.005, 0.3),
    difference=st.floats(0.005, 0.3),
)
def test_so_many_documents_are_enough_and_no_fewer(
    documents: int, share: float, variance: float, difference: float
) -> None:
    population = nothing_known(documents, max(20, int(documents * share)))
    needed = documents_needed(population, variance, difference)
    if needed is None:
        assert smallest_difference(population, variance, population.differing) > difference
    else:
        assert smallest_difference(population, variance, needed) <= difference + 1e-9
        if needed > 1:
            assert smallest_difference(population, variance, needed - 1) > difference
