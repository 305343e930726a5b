"""Calibration and thresholds, worked by hand where that can be done."""

import numpy as np
import pytest

from get_tags_train.metrics.calibration import _fit, fit_calibration, tune_thresholds


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def drawn(documents: int, scale: float, shift: float, tags: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with the chances of `scale * logits + shift`."""
    chance = np.random.default_rng(3)
    logits = chance.normal(-2, 2, (documents, tags))
    return logits, chance.random(logits.shape) < sigmoid(scale * logits + shift)


def loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """The cross-entropy of a document, all its tags together."""
    return float((np.logaddexp(0, logits) - labels * logits).sum() / len(labels))


def mapped(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logits as their own calibration maps them."""
    scale, shift = fit_calibration(logits, labels)
    return scale * logits + shift


def test_two_scores_become_the_shares_that_were_true() -> None:
    """1,000 pairs at each of two logits, of which 200 and 600 are true: a line through two points."""
    logits = np.repeat([[-2.0], [2.0]], 1_000, axis=0)
    labels = np.zeros((2_000, 1), bool)
    labels[:200] = labels[1_000:1_600] = True
    scale, shift = fit_calibration(logits, labels)
    assert scale == pytest.approx([(logit(0.6) - logit(0.2)) / 4], abs=0.01)
    assert shift == pytest.approx([(logit(0.6) + logit(0.2)) / 2], abs=0.01)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.4, -1.0), (2.5, 0.5)])
def test_the_map_that_labels_were_drawn_by_is_found(scale: float, shift: float) -> None:
    found = fit_calibration(*drawn(5_000, scale, shift))
    assert found.scale == pytest.approx(np.full(20, scale), rel=0.1)
    assert found.shift == pytest.approx(np.full(20, shift), abs=0.2)


def test_a_tag_that_is_scored_otherwise_than_the_rest_gets_a_map_of_its_own() -> None:
    logits, labels = drawn(5_000, 1.0, 0.0)
    logits[:, 7] = 2 * logits[:, 7] + 1
    scale, shift = fit_calibration(logits, labels)
    assert scale[7] == pytest.approx(0.5, abs=0.1)
    assert shift[7] == pytest.approx(-0.5, abs=0.2)
    assert np.delete(scale, 7) == pytest.approx(np.ones(19), abs=0.15)


def test_a_tag_that_no_document_tells_of_goes_with_the_others() -> None:
    """All 5,000 have a score of .0003 for it and none has it: that is what such a score says."""
    logits, labels = drawn(5_000, 1.0, -1.0)
    logits[:, 3], labels[:, 3] = -8.0, False
    scale, shift = fit_calibration(logits, labels)
    assert scale[3] == pytest.approx(np.median(scale), abs=0.1)
    assert shift[3] == pytest.approx(np.median(shift), abs=0.3)


def test_without_documents_nothing_changes() -> None:
    scale, shift = fit_calibration(np.zeros((0, 4)), np.zeros((0, 4), bool))
    assert (scale, shift) == (pytest.approx(np.ones(4)), pytest.approx(np.zeros(4)))


def test_one_document_does_not_turn_everything_over() -> None:
    """Its only tag had a score of .95; without the prior every tag of every document would get 0 from then on."""
    scale, shift = fit_calibration(np.array([[3.0, -3.0]]), np.array([[False, False]]))
    assert ((scale > 0.1) & (scale < 1)).all()
    assert ((shift > -1.6) & (shift < 0)).all()


def test_a_model_that_ranks_worse_than_chance_is_left_alone() -> None:
    logits, labels = drawn(500, 1.0, 0.0)
    scale, _shift = fit_calibration(-3 * logits, labels)
    assert scale == pytest.approx(np.ones(20), abs=0.3)


def test_a_tag_that_alone_ranks_worse_than_chance_keeps_the_common_map() -> None:
    logits, labels = drawn(2_000, 0.5, 0.0)
    logits[:, 4] *= -1
    scale, _shift = fit_calibration(logits, labels)
    assert (scale > 0).all()
    assert np.delete(scale, 4) == pytest.approx(np.full(19, 0.5), abs=0.15)


@pytest.mark.parametrize(("logits_scale", "logits_shift"), [(1.0, -6.0), (2.0, -4.0), (5.0, -8.0), (0.2, 3.0)])
def test_logits_far_from_chances_come_back_to_them(logits_scale: float, logits_shift: float) -> None:
    """Chances of one in fifty or so: the two numbers of the map hang together closely there."""
    chance = np.random.default_rng(5)
    true = chance.normal(-4, 1, (1_000, 100))
    labels = chance.random(true.shape) < sigmoid(true)
    missed = loss(mapped(logits_scale * true + logits_shift, labels), labels) - loss(true, labels)
    assert missed < 0.01 * loss(true, labels)


@pytest.mark.parametrize("mean", [-8.0, -3.0, 0.0])
@pytest.mark.parametrize("spread", [0.3, 1.5, 6.0])
@pytest.mark.parametrize("share", [0.01, 0.3])
def test_the_map_is_at_the_bottom_of_its_loss(mean: float, spread: float, share: float) -> None:
    chance = np.random.default_rng(7)
    logits = chance.normal(mean, spread, (2_000, 1))
    labels = chance.random(logits.shape) < share * sigmoid((logits - mean) / spread)
    scale, shift = _fit(logits, labels, (0.5, 0.5))
    missing = sigmoid(scale * logits + shift) - labels
    downhill = [(missing * logits).sum() + (scale[0] - 1) / 0.25, missing.sum() + shift[0] / 0.25]
    assert downhill == pytest.approx([0, 0], abs=1e-3)


def test_far_logits_do_no_harm() -> None:
    assert np.isfinite(mapped(np.array([[1e4, -1e4]] * 50), np.array([[True, False]] * 50))).all()


def test_no_map_turns_the_ranking_of_a_tags_documents_over() -> None:
    logits, labels = drawn(200, 0.4, -1.0)
    assert (np.argsort(mapped(logits, labels), axis=0) == np.argsort(logits, axis=0)).all()


@pytest.mark.parametrize("tags", [1, 64, 65, 200])
def test_every_tag_has_its_map_however_many_there_are(tags: int) -> None:
    logits, labels = drawn(300, 0.5, 0.0, tags)
    scale, shift = fit_calibration(logits, labels)
    assert scale.shape == shift.shape == (tags,)
    assert ((scale > 0.3) & (scale < 0.8)).all()


def logits_of(*scores: float, documents: int) -> np.ndarray:
    """One tag with these scores in turn: (documents, 1)."""
    score = np.array(scores)[np.arange(documents) % len(scores)]
    return np.log(score / (1 - score))[:, None]


def test_the_threshold_is_half_of_the_best_f1_by_hand() -> None:
    """Of 4,000 documents 2,000 have a score of .9 and 2,000 of .2: 1,800 and 400 true ones are to be expected.

    Naming the first: 2 * 1,800 / (2,000 + 2,200); naming all: 2 * 2,200 / (4,000 + 2,200), which is less.
    """
    assert tune_thresholds(logits_of(0.9, 0.2, documents=4_000)) == pytest.approx([0.5 * 2 * 1_800 / 4_200])


def test_a_tag_that_is_hard_to_tell_is_named_at_a_lower_score() -> None:
    easy, hard = logits_of(0.99, 0.01, documents=2_000), logits_of(0.3, 0.1, documents=2_000)
    of_easy, of_hard = tune_thresholds(np.hstack([easy, hard]))
    assert of_hard < 0.25 < 0.45 < of_easy < 0.5


def test_a_rare_tag_goes_by_all_tags_together() -> None:
    common = np.hstack([logits_of(0.9, 0.05, documents=2_000)] * 3)
    thresholds = tune_thresholds(np.hstack([common, logits_of(1e-6, documents=2_000)]))
    assert thresholds[3] == pytest.approx(thresholds[0], abs=0.01)


def test_a_few_documents_are_enough_for_thresholds_that_make_sense() -> None:
    thresholds = tune_thresholds(logits_of(0.8, 0.1, 0.02, documents=3))
    assert 0.2 < thresholds[0] < 0.5
