"""The points of a reliability diagram, by hand."""

import numpy as np
import pytest

from get_tags_train.metrics.reliability import reliability


def test_each_tenth_of_the_scale_has_its_share_of_true_tags() -> None:
    y_score = np.array([[0.25, 0.8]] * 20 + [[0.25, 0.9999]] * 20, float)
    y_true = np.zeros((40, 2), bool)
    y_true[:10, 0] = True  # 10 of 40 at .25
    y_true[:15, 1] = True  # 15 of 20 at .8
    y_true[20:, 1] = True  # all at 1
    low, high, highest = reliability(y_true, y_score, np.arange(40))
    assert (low.low, low.scores, low.mean_score, low.share_true) == (0.2, 40, pytest.approx(0.25), 0.25)
    assert (high.scores, high.mean_score, high.share_true) == (20, pytest.approx(0.8), 0.75)
    assert (highest.low, highest.high, highest.share_true) == (0.9, 1.0, 1.0)
    assert high.interval.low < 0.75 < high.interval.high


def test_a_score_of_one_lies_in_the_last_tenth() -> None:
    (only,) = reliability(np.ones((10, 1), bool), np.ones((10, 1)), np.arange(10))
    assert only.low == 0.9


def test_few_scores_are_left_out() -> None:
    assert reliability(np.ones((9, 1), bool), np.full((9, 1), 0.5), np.arange(9)) == []
