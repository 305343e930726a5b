"""Which tags are taken for each other."""

import numpy as np

from get_tags_train.evaluation.confusions import Confusion, most_confused
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.splits.eval_set import EvalSet

TAGS = ["a", "b", "c"]


def predictions(labels: list[list[str]], scores: list[list[float]]) -> Predictions:
    examples = EvalSet.of_documents("set", [f"text {n}" for n in range(len(labels))], labels)
    return Predictions.of(examples, TAGS, np.array(scores, np.float32))


def test_a_pair_is_a_true_tag_that_is_missed_and_a_wrong_one_that_is_predicted() -> None:
    found = most_confused(
        predictions([["a"], ["a"], ["a", "c"], ["b"]], [[0.1, 0.9, 0], [0.1, 0.8, 0], [0.9, 0.9, 0.1], [0.9, 0.9, 0]])
    )
    assert found == [Confusion("a", "b", 2)]  # c for b, on one example only, may be chance


def test_the_most_frequent_pair_comes_first() -> None:
    labels = [["a"]] * 2 + [["b"]] * 3
    found = most_confused(predictions(labels, [[0, 1, 0]] * 2 + [[0, 0, 1]] * 3))
    assert [(pair.true, pair.predicted, pair.examples) for pair in found] == [("b", "c", 3), ("a", "b", 2)]
