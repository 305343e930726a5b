"""Differences between newer documents and a reference: worked by hand, and how often they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from get_tags_train.metrics.intervals import mean_of
from get_tags_train.review.drift_statistics import (
    Answers,
    TagCounts,
    arrived_tags,
    changed_tags,
    difference,
    documents_needed,
    loss,
    new_tags,
    precision_difference,
    reference_needed,
    wrong_tags,
)


def answers(precision: list[float], expected: list[float]) -> Answers:
    none = np.zeros((len(precision), 0), bool)
    return Answers(np.array(precision), np.array(expected), np.arange(len(precision)), none, none)


def predictions(*right: list[bool], groups: list[int] | None = None) -> Answers:
    """One list a tag: of each document that it is predicted on, whether that is right."""
    documents = sum(map(len, right))
    predicted, found = np.zeros((2, documents, len(right)), bool)
    first = 0
    for tag, own in enumerate(right):
        predicted[first : first + len(own), tag] = True
        found[first : first + len(own), tag] = own
        first += len(own)
    nothing = np.zeros(documents)
    return Answers(nothing, nothing, np.arange(documents) if groups is None else np.array(groups), predicted, found)


def test_answers_by_hand() -> None:
    y_true = np.array([[True, False, True], [False, False, True]])
    y_score = np.array([[0.9, 0.5, 0.1], [0.2, 0.3, 0.25]])
    found = Answers.of(y_true, y_score, 2, np.arange(2))
    assert found.precision.tolist() == [0.5, 0.5]
    assert found.expected == pytest.approx([0.7, 0.275])
    assert found.surplus == pytest.approx([-0.2, 0.225])
    assert found.predicted.tolist() == [[True, True, False], [False, False, False]]  # .5 is as likely as not
    assert found.right.tolist() == [[True, False, False], [False, False, False]]


def test_a_k_above_the_number_of_tags_still_divides_by_k() -> None:
    found = Answers.of(np.array([[True]]), np.array([[0.8]]), 4, np.arange(1))
    assert (found.precision[0], found.expected[0]) == (0.25, pytest.approx(0.2))


def test_the_interval_is_welchs() -> None:
    one, other = np.array([0.2, 0.4, 0.4, 0.8, 0.6]), np.array([0.1, 0.3, 0.2, 0.2])
    found = difference(mean_of(one, np.arange(5)), mean_of(other, np.arange(4)))
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == pytest.approx(0.48 - 0.2)


def test_documents_that_are_only_harder_are_no_loss() -> None:
    easy, hard = answers([1.0, 0.8] * 50, [0.9] * 100), answers([0.5, 0.3] * 50, [0.4] * 100)
    assert precision_difference(hard, easy).high < -0.4
    assert loss(hard, easy).value == pytest.approx(0)


def test_finding_less_than_expected_is_a_loss() -> None:
    before, now = answers([0.6, 0.4] * 50, [0.5] * 100), answers([0.5, 0.3] * 50, [0.5] * 100)
    found = loss(now, before)
    assert found.value == pytest.approx(0.1)
    assert found.is_clear


def test_so_many_documents_make_the_interval_that_narrow() -> None:
    generator = np.random.default_rng(1)
    reference = mean_of(generator.normal(size=4000), np.arange(4000))
    few = difference(mean_of(generator.normal(size=200), np.arange(200)), reference)
    needed = documents_needed(few, 200, 0.2)
    assert needed is not None
    enough = difference(mean_of(generator.normal(size=needed), np.arange(needed)), reference)
    assert enough.high - enough.low == pytest.approx(0.2, rel=0.1)


def test_no_number_makes_up_for_a_small_reference() -> None:
    generator = np.random.default_rng(1)
    reference = mean_of(generator.normal(size=50), np.arange(50))
    found = difference(mean_of(generator.normal(size=9000), np.arange(9000)), reference)
    assert documents_needed(found, 9000, 0.1) is None
    needed = reference_needed(found, 50, 0.1)
    assert needed == pytest.approx(2 * 50 * found.error_of_reference**2 * (2 * found.quantile / 0.1) ** 2, abs=1)


def test_tags_that_changed_much_are_named_most_changed_first() -> None:
    reference = {"same": 1000, "gone": 500, "more": 100, "rare": 1}
    newer = {"same": 105, "more": 60, "rare": 1}
    changed = changed_tags(TagCounts(newer, 1000), TagCounts(reference, 10_000))
    assert [change.tag for change in changed] == ["gone", "more"]
    assert (changed[1].reference, changed[1].newer) == (0.01, 0.06)
    assert all(change.q_value <= 0.05 for change in changed)


def test_the_p_value_is_fishers() -> None:
    (change,) = changed_tags(TagCounts({"a": 9}, 20), TagCounts({"a": 5}, 100))
    table = [[9, 11], [5, 95]]
    assert change.q_value == pytest.approx(2 * stats.fisher_exact(table, alternative="greater").pvalue)


def test_nothing_changes_where_there_is_nothing() -> None:
    assert changed_tags(TagCounts({}, 0), TagCounts({"a": 5}, 100)) == []
    assert changed_tags(TagCounts({"a": 1}, 10), TagCounts({}, 100)) == []


def test_few_tags_are_named_that_did_not_change() -> None:
    generator = np.random.default_rng(1)
    shares = 1 / np.arange(2, 152)
    runs = 40
    named = 0
    for _ in range(runs):
        before, now = generator.binomial(20_000, shares), generator.binomial(1000, shares)
        reference, newer = ({str(tag): int(n) for tag, n in enumerate(counts)} for counts in (before, now))
        named += bool(changed_tags(TagCounts(newer, 1000), TagCounts(reference, 20_000)))
    assert named / runs <= 0.05


def test_new_tags_by_hand() -> None:
    labels = [["a", "x"], ["x"], ["x", "y"], ["a"], ["y"], ["b"]]
    found = new_tags(labels, np.arange(6), ["a", "b"], TagCounts({"a": 90, "b": 10}, 100))
    assert found.documents == {"x": 3, "y": 2}
    assert found.arrived == ["x"]  # y is on too few
    assert (found.share, found.any_share) == (0.5, round(4 / 6, 6))
    assert found.possible_interval.low < found.possible_share < found.possible_interval.high


def test_near_duplicates_with_a_new_tag_are_one_document() -> None:
    labels, data = [["new"]] * 9 + [["a"]] * 91, TagCounts({"a": 1000}, 1000)
    assert new_tags(labels, np.arange(100), ["a"], data).arrived == ["new"]
    assert new_tags(labels, np.maximum(np.arange(100), 8), ["a"], data).arrived == []


def test_a_rare_tag_of_the_models_data_that_is_as_rare_as_before_did_not_arrive() -> None:
    data = TagCounts({"rare": 30, "frequent": 900}, 1000)  # the model does not know it: it was held out, or too rare
    assert arrived_tags(TagCounts({"rare": 3, "frequent": 90}, 100), data, ["frequent"]) == (set(), set())
    assert arrived_tags(TagCounts({"rare": 20, "frequent": 90}, 100), data, ["frequent"]) == ({"rare"}, {"rare"})


def test_a_tag_on_few_documents_may_have_arrived() -> None:
    data = TagCounts({f"frequent {n}": 300 for n in range(9)}, 400)
    # Chance alone puts all three on the newer ones with a probability of (150 x 149 x 148) / (550 x 549 x 548) = 0.020.
    assert arrived_tags(TagCounts({"rare": 3}, 150), data, data.counts) == (set(), {"rare"})
    assert arrived_tags(TagCounts({"rare": 4}, 150), data, data.counts) == ({"rare"}, {"rare"})


def test_the_more_tags_are_rare_the_more_it_takes() -> None:
    data = TagCounts({f"rare {n}": 4 for n in range(9)}, 400)  # each could have been on newer ones alone
    assert arrived_tags(TagCounts({"new": 4}, 100), data, data.counts) == (set(), {"new"})
    assert arrived_tags(TagCounts({"new": 6}, 100), data, data.counts) == ({"new"}, {"new"})


def test_no_tag_arrives_where_none_did() -> None:
    """Documents in random order, with many rare tags: the model knows those of its training documents."""
    generator = np.random.default_rng(1)
    shares = 1 / np.arange(20, 2020)
    runs, wrong = 200, 0
    for _ in range(runs):
        trained, held_out, newer = (generator.binomial(size, shares) for size in (600, 400, 300))
        known = {str(tag) for tag in np.flatnonzero(trained)}
        both = ({str(tag): int(n) for tag, n in enumerate(counts) if n} for counts in (newer, trained + held_out))
        now, before = both
        wrong += bool(arrived_tags(TagCounts(now, 300), TagCounts(before, 1000), known)[0])
    assert wrong / runs <= 0.0125


def test_a_known_tag_does_not_arrive() -> None:
    data = TagCounts({"a": 10}, 1000)
    assert arrived_tags(TagCounts({"a": 50}, 100), data, ["a"]) == (set(), set())
    assert arrived_tags(TagCounts({}, 0), data, []) == (set(), set())


@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, unique=True), min_size=2, max_size=40))
def test_shares_of_new_tags_stay_in_order(labels: list[list[str]]) -> None:
    found = new_tags(labels, np.arange(len(labels)), ["a", "b"], TagCounts({"a": 70, "b": 30, "c": 3}, 100))
    assert 0 <= found.share <= found.possible_share <= found.any_share <= 1
    assert found.possible_interval.low <= found.possible_share <= found.possible_interval.high
    assert set(found.arrived) <= set(found.documents) <= {"c", "d", "e"}


def test_a_tag_that_is_never_right_any_more_is_wrong() -> None:
    before = predictions([True] * 38 + [False] * 2, [True] * 20)
    now = predictions([False] * 6, [True] * 14)
    found = wrong_tags(now, before, ["moved", "same"])
    assert found.tags == {"moved": (0.95, 0.0)}
    assert found.share == 0.3


def test_a_tag_that_is_right_a_little_less_often_is_not_wrong() -> None:
    before, now = predictions([True] * 360 + [False] * 40), predictions([True] * 200 + [False] * 200)
    assert wrong_tags(now, before, ["tag"]).tags == {}  # 50% of 90% would be 45%


def test_too_few_predictions_tell_nothing_of_a_tag() -> None:
    before = predictions([True] * 40, [False] * 40, [])
    assert wrong_tags(predictions([False] * 2, [False] * 40, [True] * 9), before, ["few", "never", "new"]).tags == {}


def test_near_duplicates_are_one_wrong_prediction() -> None:
    before, now = predictions([True] * 40), predictions([False] * 8, groups=[1] * 8)
    assert wrong_tags(now, before, ["tag"]).tags == {}


def test_no_tag_is_wrong_where_nothing_moved() -> None:
    generator = np.random.default_rng(1)
    accuracy = generator.uniform(0.5, 1, 60)
    runs, wrong = 300, 0
    for _ in range(runs):
        before, now = (predictions(*(generator.random(8) < right for right in accuracy)) for _ in range(2))
        wrong += bool(wrong_tags(now, before, [str(n) for n in range(60)]).tags)
    assert wrong / runs <= 0.0125
