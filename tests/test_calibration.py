"""Calibration and thresholds, worked by hand where that can be done."""

import numpy as np
import pytest

from get_tags_train.calibration import UNCHANGED, Calibration, fit_calibration, tune_thresholds
from get_tags_train.metrics import rank


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def drawn(documents: int, scale: float, shift: float, tags: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with the chances of `scale * logits + shift`."""
    chance = np.random.default_rng(3)
    logits = chance.normal(-2, 2, (documents, tags))
    return logits, chance.random(logits.shape) < sigmoid(scale * logits + shift)


def test_two_scores_become_the_shares_that_were_true() -> None:
    """1,000 pairs at each of two logits, of which 200 and 600 are true: a line through two points."""
    logits = np.repeat([[-2.0], [2.0]], 1_000, axis=0)
    labels = np.zeros((2_000, 1), bool)
    labels[:200] = labels[1_000:1_600] = True
    scale, shift = fit_calibration(logits, labels)
    assert scale == pytest.approx((logit(0.6) - logit(0.2)) / 4, abs=0.01)
    assert shift == pytest.approx((logit(0.6) + logit(0.2)) / 2, abs=0.01)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.4, -1.0), (2.5, 0.5)])
def test_the_map_that_labels_were_drawn_by_is_found(scale: float, shift: float) -> None:
    found = fit_calibration(*drawn(5_000, scale, shift))
    assert found.scale == pytest.approx(scale, rel=0.05)
    assert found.shift == pytest.approx(shift, abs=0.1)


def test_without_documents_nothing_changes() -> None:
    assert fit_calibration(np.zeros((0, 4)), np.zeros((0, 4), bool)) == pytest.approx(UNCHANGED)


def test_one_document_does_not_turn_everything_over() -> None:
    """Its only tag had a score of .95; without the prior every tag of every document would get 0 from then on."""
    scale, shift = fit_calibration(np.array([[3.0, -3.0]]), np.array([[False, False]]))
    assert 0.1 < scale < 1
    assert -1.5 < shift < 0


def test_a_model_that_ranks_worse_than_chance_is_left_alone() -> None:
    logits, labels = drawn(500, 1.0, 0.0)
    assert fit_calibration(-3 * logits, labels) == UNCHANGED


def test_far_logits_do_no_harm() -> None:
    scale, shift = fit_calibration(np.array([[1e4, -1e4]] * 50), np.array([[True, False]] * 50))
    assert np.isfinite([scale, shift]).all()


def test_a_positive_scale_and_one_shift_keep_every_ranking() -> None:
    logits, labels = drawn(200, 0.4, -1.0)
    scale, shift = fit_calibration(logits, labels)
    assert (rank(scale * logits + shift, 5) == rank(logits, 5)).all()


def test_a_calibration_is_a_pair() -> None:
    assert Calibration(2.0, 1.0) == (2.0, 1.0)


def test_a_threshold_parts_what_is_true_from_what_is_not() -> None:
    """Of one tag, true from a score of .3 on: .22, .24, ... .30 all part it, and .26 is their mean."""
    score = np.array([0.1, 0.2, 0.3, 0.9])[np.arange(4_000) % 4]
    thresholds = tune_thresholds(np.log(score / (1 - score))[:, None], score[:, None] > 0.25)
    assert thresholds == pytest.approx([0.26])


def test_a_rare_tag_goes_by_all_tags_together() -> None:
    """Three tags are true from .3 on; of the fourth one document says .8, which is not enough."""
    score = np.tile(np.array([0.1, 0.2, 0.3, 0.9])[np.arange(400) % 4][:, None], 4)
    labels = score > 0.25
    score[:, 3], labels[:, 3] = 0.02, False
    score[0, 3], labels[0, 3] = 0.8, True
    thresholds = tune_thresholds(np.log(score / (1 - score)), labels)
    assert thresholds[3] == pytest.approx(thresholds[0])


def test_without_true_documents_thresholds_are_a_half() -> None:
    assert tune_thresholds(np.zeros((3, 2)), np.zeros((3, 2), bool)).tolist() == [0.5, 0.5]
    assert tune_thresholds(np.zeros((0, 2)), np.zeros((0, 2), bool)).tolist() == [0.5, 0.5]
