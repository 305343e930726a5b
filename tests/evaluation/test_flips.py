"""What changes for each tag from the live model to another."""

import numpy as np

from get_tags_train.evaluation.flips import flips
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.splits.eval_set import EvalSet


def predictions(examples: EvalSet, tags: list[str], scores: list[list[float]]) -> Predictions:
    return Predictions.of(examples, tags, np.array(scores, np.float32))


def test_true_tags_that_are_found_now_or_no_longer_are_counted() -> None:
    examples = EvalSet.of_documents("set", ["one", "two", "three"], [["a"], ["a"], ["a", "b"]])
    now = predictions(examples, ["a", "b"], [[0.9, 0.1], [0.2, 0.3], [0.9, 0.1]])
    live = predictions(examples, ["b", "a"], [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    (row,) = flips(now, live, 1)  # b is true on a single example
    assert (row.tag, row.support, row.live_found, row.found, row.gained, row.lost) == ("a", 3, 2, 2, 1, 1)
    gained, lost = row.examples
    assert (gained.text, gained.is_gained, gained.predicted, gained.live_predicted) == (
        "one", True, [("a", 0.9)], [("b", 0.9)],
    )  # fmt: skip
    assert (lost.text, lost.is_gained) == ("two", False)


def test_tags_that_the_live_model_does_not_know_count_as_missed_by_it() -> None:
    examples = EvalSet.of_documents("set", ["one", "two"], [["new"], ["new"]])
    now = predictions(examples, ["new", "old"], [[0.9, 0.1]] * 2)
    live = predictions(examples, ["old"], [[0.9]] * 2)
    (row,) = flips(now, live, 1)
    assert (row.live_found, row.found, row.gained) == (0, 2, 2)


def test_where_nothing_flips_there_is_nothing_to_tell() -> None:
    examples = EvalSet.of_documents("set", ["one", "two"], [["a"], ["a"]])
    same = predictions(examples, ["a", "b"], [[0.9, 0.1]] * 2)
    assert flips(same, same, 1) == []
