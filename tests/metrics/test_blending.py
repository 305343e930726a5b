"""Blending: each reader counts as much as it is worth on the validation documents."""

import numpy as np
import pytest

from get_tags_train.metrics.blending import Answers, cross_fitted, fit_blend

CHANCE = np.random.default_rng(5)
LABELS = CHANCE.random((400, 6)) < 0.2


def reader(noise: float) -> np.ndarray:
    """A reader that knows the labels, but for so much noise."""
    return (2 * LABELS - 1 + noise * CHANCE.normal(size=LABELS.shape)).astype(np.float32)


def test_the_better_reader_counts_more() -> None:
    one, other, nearest = reader(0.5), reader(2.0), np.zeros(LABELS.shape, np.float32)
    first, second = (
        fit_blend(answers, LABELS) for answers in (Answers(one, other, nearest), Answers(other, one, nearest))
    )
    assert first.bert > first.linear
    assert second.linear > second.bert


def test_a_reader_that_is_always_wrong_counts_nothing() -> None:
    assert fit_blend(Answers(reader(0.5), -reader(0.5), -reader(0.5)), LABELS)[1:3] == (0.0, 0.0)


def test_both_together_are_better_than_each() -> None:
    answers = Answers(reader(1.0), reader(1.0), np.zeros(LABELS.shape, np.float32))
    blended = cross_fitted(answers, LABELS, seed=1)
    right = [float(((logits > 0) == LABELS).mean()) for logits in (blended, answers.bert, answers.linear)]
    assert right[0] > max(right[1:])


def test_without_documents_both_count_about_the_same() -> None:
    none = np.zeros((0, 6), np.float32)
    blend = fit_blend(Answers(none, none, none), LABELS[:0])
    assert blend == pytest.approx((0.5, 2.5, 1.0, 0.0))


def test_the_same_seed_gives_the_same_folds() -> None:
    answers = Answers(reader(1.0), reader(1.0), reader(1.0))
    assert np.array_equal(cross_fitted(answers, LABELS, seed=3), cross_fitted(answers, LABELS, seed=3))
