"""Blending: each reader counts as much as it is worth on the validation documents."""

import numpy as np
import pytest

from get_tags_train.metrics.blending import Answers, cross_fitted, fit_blend, tag_log_odds

CHANCE = np.random.default_rng(5)
LABELS = CHANCE.random((400, 6)) < 0.2
ODDS = tag_log_odds(LABELS.sum(axis=0), len(LABELS))


def reader(noise: float) -> np.ndarray:
    """A reader that knows the labels, but for so much noise."""
    return (2 * LABELS - 1 + noise * CHANCE.normal(size=LABELS.shape)).astype(np.float32)


def test_the_better_reader_counts_more() -> None:
    one, other, nearest = reader(0.5), reader(2.0), np.zeros(LABELS.shape, np.float32)
    first, second = (
        fit_blend(answers, LABELS, ODDS) for answers in (Answers(one, other, nearest), Answers(other, one, nearest))
    )
    assert first.bert > first.linear
    assert second.linear > second.bert


def test_a_reader_that_is_always_wrong_counts_nothing() -> None:
    assert fit_blend(Answers(reader(0.5), -reader(0.5), -reader(0.5)), LABELS, ODDS)[1:3] == (0.0, 0.0)


def test_both_together_are_better_than_each() -> None:
    answers = Answers(reader(1.0), reader(1.0), np.zeros(LABELS.shape, np.float32))
    blended = cross_fitted(answers, LABELS, ODDS, seed=1)
    right = [float(((logits > 0) == LABELS).mean()) for logits in (blended, answers.bert, answers.linear)]
    assert right[0] > max(right[1:])


def test_without_documents_both_count_about_the_same() -> None:
    none = np.zeros((0, 6), np.float32)
    *weights, shift = fit_blend(Answers(none, none, none), LABELS[:0], ODDS)
    assert weights == pytest.approx([0.5, 2.5, 1.0])
    assert shift == pytest.approx(np.zeros(6))


def test_log_odds_that_two_readers_hold_are_counted_once() -> None:
    frequencies = np.array([0.5, 0.3, 0.1, 0.03, 0.01, 0.003])
    labels = CHANCE.random((20_000, 6)) < frequencies
    odds = tag_log_odds(labels.sum(axis=0), len(labels))
    one, other = (odds + labels + CHANCE.normal(size=labels.shape) - 0.5 for _ in range(2))
    blend = fit_blend(Answers(one, other, np.zeros(labels.shape)), labels, odds)
    assert (blend.bert, blend.linear) == pytest.approx((1, 1), abs=0.05)
    assert blend.shift == pytest.approx(-odds, abs=0.3)


def test_the_same_seed_gives_the_same_folds() -> None:
    answers = Answers(reader(1.0), reader(1.0), reader(1.0))
    assert np.array_equal(cross_fitted(answers, LABELS, ODDS, seed=3), cross_fitted(answers, LABELS, ODDS, seed=3))
