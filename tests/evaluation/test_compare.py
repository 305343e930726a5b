"""Comparisons: the sentence, who is refused one, and what a deployment changes for the users of the tags."""

from dataclasses import replace

import numpy as np
import pytest

from get_tags_train.evaluation.compare import FEWEST, Comparison, Reference, compare
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.evaluation.tag_changes import TagChanges, tag_changes
from get_tags_train.splits.eval_set import HELD_OUT, EvalSet

EXAMPLES = 100
TAGS = ["a", "b"]
UNSEEN = np.zeros(EXAMPLES, bool)


def predictions(right: int, groups: np.ndarray | None = None) -> Predictions:
    """A model that puts the one true tag, a, first for the first `right` of the examples."""
    examples = EvalSet.of_documents(HELD_OUT, [f"text {n}" for n in range(EXAMPLES)], [["a"]] * EXAMPLES)
    examples = replace(examples, groups=np.arange(EXAMPLES) if groups is None else groups)
    y_score = np.where(np.arange(EXAMPLES)[:, None] < right, [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    return Predictions.of(examples, TAGS, y_score)


def live(own: Predictions, seen: np.ndarray | None) -> Reference:
    return Reference("live", "old", "the live model old", own, seen)


def against(
    own: int, other: int, seen: np.ndarray | None = UNSEEN, live_seen: np.ndarray | None = UNSEEN
) -> Comparison:
    return compare(predictions(own), seen, live(predictions(other), live_seen), 1)


def test_better_worse_and_not_distinguishable() -> None:
    assert against(90, 70).verdict == "better"
    assert against(70, 90).verdict == "worse"
    assert against(81, 80).verdict == "not distinguishable"


def test_the_sentence_says_figures_and_interval() -> None:
    found = against(90, 70)
    assert found.sentence.startswith(
        "Better than the live model old on 100 examples (precision@1 0.900 against 0.700, the difference between +0.1"
    )
    assert found.difference_at_k == {"1": pytest.approx(0.2)}


def test_where_nothing_can_be_told_it_says_how_many_examples_would() -> None:
    # One better, none worse: mean 1/102, variance (1 + 1 - 102 mean^2) / 101.
    found = against(81, 80)
    error = np.sqrt((2 - 102 / 102**2) / 101 / 102)
    assert found.needed == int(np.ceil(100 * ((1.644854 + 0.841621) * error * 102) ** 2))
    assert found.sentence.startswith("Not distinguishable from the live model old on 100 examples; about 1,200 ")
    equal = against(80, 80)
    assert equal.needed is None
    assert "they are too alike" in equal.sentence


def test_near_duplicates_make_it_harder_to_tell() -> None:
    groups = np.arange(EXAMPLES) // 20
    alone = compare(predictions(90), UNSEEN, live(predictions(75), UNSEEN), 1)
    grouped = compare(predictions(90, groups), UNSEEN, live(predictions(75, groups), UNSEEN), 1)
    assert (alone.verdict, grouped.verdict) == ("better", "not distinguishable")


def test_only_what_neither_was_trained_on_counts() -> None:
    seen, live_seen = UNSEEN.copy(), UNSEEN.copy()
    seen[:10], live_seen[5:30] = True, True
    found = against(90, 70, seen, live_seen)
    assert (found.examples, found.trained_on) == (70, 30)
    assert found.difference_at_k == {"1": pytest.approx((60 - 40) / 70, abs=1e-6)}


def test_a_live_model_that_was_trained_on_its_test_set_is_refused() -> None:
    everything = np.ones(EXAMPLES, bool)
    found = against(60, 100, live_seen=everything)
    assert found.verdict == "no fair comparison"
    assert found.sentence == (
        "No fair comparison with the live model old: of 100 examples one of the two was trained on 100; none is left, "
        f"and {FEWEST} is the least."
    )
    assert found.interval_at_k is None


def test_a_live_model_that_does_not_say_what_it_was_trained_on_is_refused() -> None:
    assert against(60, 100, live_seen=None).sentence == (
        "No fair comparison with the live model old: it keeps no record of what it was trained on, so it may have seen "
        "these examples."
    )
    assert "the new one keeps no record" in against(60, 100, seen=None).sentence


def test_tags_come_go_and_change_their_names() -> None:
    old = [{"tag": "taxe", "ids": ["1"]}, {"tag": "muncă", "ids": ["2"]}, {"tag": "vechi", "ids": ["3"]}]
    new = [{"tag": "impozite și taxe", "ids": ["1"]}, {"tag": "muncă", "ids": ["2"]}, {"tag": "nou", "ids": ["4"]}]
    assert tag_changes(old, new) == TagChanges(came=["nou"], gone=["vechi"], renamed=[("taxe", "impozite și taxe")])


def test_a_tag_merged_into_one_that_was_there_is_gone() -> None:
    old = [{"tag": "TVA", "ids": ["1"]}, {"tag": "taxe", "ids": ["2"]}]
    assert tag_changes(old, [{"tag": "taxe", "ids": ["1", "2"]}]) == TagChanges([], ["TVA"], [])


def test_without_ids_a_new_name_is_a_new_tag() -> None:
    assert tag_changes([{"tag": "a"}], [{"tag": "b"}]) == TagChanges(["b"], ["a"], [])
