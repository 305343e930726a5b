"""Intervals: worked by hand, against known values, and how they behave with groups and at the edges."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from get_tags_train.metrics.intervals import (
    Ratio,
    difference_interval,
    examples_needed,
    mean_of,
    mean_of_f1_interval,
    share_interval,
    wilson,
)

SINGLE = np.arange(40)


def test_wilson_against_published_values() -> None:
    # 81 of 263, Newcombe, Two-sided confidence intervals for the single proportion (1998), table I: .2553 to .3662.
    assert wilson(81 / 263, 263, 1.959964) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20, 1.959964) == pytest.approx((0, 0.1611), abs=5e-5)


def test_a_proportion_over_single_examples_has_plain_wilson() -> None:
    values = (SINGLE < 30).astype(float)
    expected = wilson(0.75, 40, float(stats.t.ppf(0.975, 39)))
    assert share_interval(mean_of(values, SINGLE)) == pytest.approx(expected)


def test_the_standard_error_of_a_mean_is_the_usual_one() -> None:
    values = np.array([0.2, 0.4, 0.4, 1.0])
    found = mean_of(values, np.arange(4))
    assert (found.value, found.error) == pytest.approx((0.5, values.std(ddof=1) / sqrt(4)))


def test_copies_of_an_example_in_its_group_tell_nothing_new() -> None:
    values = (SINGLE < 25).astype(float)
    once = share_interval(mean_of(values, SINGLE))
    copied = share_interval(mean_of(np.repeat(values, 5), np.repeat(SINGLE, 5)))
    assert copied == pytest.approx(once, abs=0.002)
    apart = share_interval(mean_of(np.repeat(values, 5), np.arange(200)))
    assert apart.high - apart.low < (once.high - once.low) / 2


def test_a_group_counts_as_agreeing_even_where_the_few_there_are_do_not() -> None:
    values = np.array([1.0, 0.0] * 20)
    assert mean_of(values, SINGLE // 2).error > mean_of(values, SINGLE).error


def test_a_figure_without_any_spread_still_has_an_interval() -> None:
    low, high = share_interval(mean_of(np.ones(40), SINGLE))
    assert high == 1
    assert 0.85 < low < 0.95
    assert share_interval(mean_of(np.zeros(40), SINGLE)) == pytest.approx((0, 1 - low))


def test_one_group_tells_nothing() -> None:
    assert share_interval(mean_of(np.ones(5), np.zeros(5, int))) == (0, 1)


def test_a_ratio_passes_over_examples_that_have_nothing_to_divide_by() -> None:
    with_empty = Ratio.of(np.array([1, 0, 2, 0]), np.array([1, 0, 4, 0]), np.arange(4))
    assert with_empty == Ratio.of(np.array([1, 2]), np.array([1, 4]), np.arange(2))
    assert with_empty.value == pytest.approx(3 / 5)


def test_the_interval_of_a_difference_by_hand() -> None:
    # Agresti and Min: at k = 1, 8 better, 2 worse, 30 equal, and half a one of each more among 42.
    differences = np.array([1.0] * 8 + [-1.0] * 2 + [0.0] * 30)
    low, high = difference_interval(differences, SINGLE, unit=1)
    mean = 6 / 42
    error = sqrt((8.5 + 2.5 - 42 * mean**2) / 41 / 42)
    reach = stats.t.ppf(0.95, 41) * error
    assert (low, high) == pytest.approx((mean - reach, mean + reach), abs=1e-9)


def test_no_difference_at_all_is_no_proof_of_equality() -> None:
    low, high = difference_interval(np.zeros(40), SINGLE, unit=0.2)
    assert low < 0 < high


def test_how_many_examples_are_needed_by_hand() -> None:
    mean = Ratio(value=0.02, error=0.02, groups=100, independent=100)
    assert examples_needed(mean, 100) == int(np.ceil(100 * (1.644854 + 0.841621) ** 2))
    assert examples_needed(Ratio(0.0, 0.02, 100, 100), 100) is None


def test_the_interval_of_macro_f1_is_about_the_figure_and_always_the_same() -> None:
    generator = np.random.default_rng(4)
    true, predicted = generator.random((60, 5)) < 0.4, generator.random((60, 5)) < 0.4
    found = true & predicted
    figure = np.mean(2 * found.sum(axis=0) / (true.sum(axis=0) + predicted.sum(axis=0)))
    low, high = mean_of_f1_interval(found, predicted, true, groups=np.arange(60))
    assert low < figure < high
    assert (low, high) == mean_of_f1_interval(found, predicted, true, groups=np.arange(60))


@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), min_size=2, max_size=30),
    st.integers(1, 5),
)
def test_every_interval_holds_its_figure_and_stays_between_0_and_1(values: list[float], group_size: int) -> None:
    figure = mean_of(np.array(values), np.arange(len(values)) // group_size)
    low, high = share_interval(figure)
    assert 0 <= low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= high <= 1
