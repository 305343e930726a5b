"""precision@k by hand, against a naive implementation, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score, label_ranking_average_precision_score, ndcg_score, precision_score

from get_tags_train.metrics import ranking
from get_tags_train.metrics.ranking import (
    average_precision,
    best_precision,
    f1,
    first_hits,
    ndcg,
    precision_at_k,
    r_precision,
    rank,
    recall,
)


def truth(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=bool)


def scores(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_the_best_come_first() -> None:
    assert rank(scores([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]]), 2).tolist() == [[1, 2], [0, 1]]


def test_ties_go_by_column() -> None:
    assert rank(scores([[0.5, 0.9, 0.5, 0.9]]), 4).tolist() == [[1, 3, 0, 2]]


def test_no_more_than_all_columns_are_ranked() -> None:
    assert rank(scores([[0.1, 0.2]]), 5).tolist() == [[1, 0]]


@st.composite
def rankings(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Scores with many ties, infinities and NaN, up to all columns alike, and a k."""
    shape = draw(st.tuples(st.integers(0, 5), st.integers(0, 12)))
    values = st.sampled_from([0.0, -0.0, 0.25, 0.5, np.float32(0.1), -np.inf, np.inf, np.nan])
    return draw(hnp.arrays(np.float32, shape, elements=values)), draw(st.integers(1, 14))


@given(rankings())
def test_the_first_k_are_those_of_a_full_stable_sort(case: tuple[np.ndarray, int]) -> None:
    y_score, k = case
    assert rank(y_score, k).tolist() == np.argsort(-y_score, axis=1, kind="stable")[:, :k].tolist()


def test_batches_of_rows_do_not_change_the_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    y_true, y_score = np.random.default_rng(4).random((2, 50, 30)).astype(np.float32)
    y_score = y_score.round(1)
    counts = (y_true < 0.2).sum(axis=1) + 1
    whole = (rank(y_score, 7), average_precision(y_true < 0.2, y_score, counts))
    monkeypatch.setattr(ranking, "_CELLS_AT_ONCE", 100)  # three rows at once
    assert np.array_equal(rank(y_score, 7), whole[0])
    assert np.array_equal(average_precision(y_true < 0.2, y_score, counts), whole[1])


def test_precision_by_hand() -> None:
    # Row 1 ranks columns 2, 0, 1 (true: 0, 2): 1/1, 2/2, 2/3. Row 2 ranks 0, 1, 2 (true: 1): 0/1, 1/2, 1/3.
    y_true = truth([[1, 0, 1], [0, 1, 0]])
    y_score = scores([[0.8, 0.1, 0.9], [0.7, 0.6, 0.5]])
    assert precision_at_k(y_true, y_score, 3) == pytest.approx([0.5, 0.75, 0.5])


def test_a_tie_is_decided_by_tag_order() -> None:
    # All scores equal: column 0 comes first, and only the second row's true tag is there.
    assert precision_at_k(truth([[0, 1], [1, 0]]), scores([[0.5, 0.5], [0.5, 0.5]]), 2) == pytest.approx([0.5, 0.5])


def test_k_above_the_number_of_tags_still_divides_by_k() -> None:
    assert precision_at_k(truth([[1, 1]]), scores([[0.2, 0.1]]), 5) == pytest.approx([1, 1, 2 / 3, 2 / 4, 2 / 5])


def test_a_row_whose_tags_the_model_does_not_know_counts_as_missed() -> None:
    # The second row's true tags have no column: nothing can be found for it, and it stays in the mean.
    assert precision_at_k(truth([[1, 0], [0, 0]]), scores([[0.9, 0.1], [0.9, 0.1]]), 2) == pytest.approx([0.5, 0.25])


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Truth and scores of one shape, with many ties, and a k."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    y_true = draw(hnp.arrays(bool, shape))
    y_score = draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    return y_true, y_score, draw(st.integers(1, 8))


def naive_precision(y_true: list[list[bool]], y_score: list[list[float]], k: int) -> float:
    found = 0
    for row_true, row_score in zip(y_true, y_score, strict=True):
        best = sorted(range(len(row_score)), key=lambda column: (-row_score[column], column))[:k]
        found += sum(row_true[column] for column in best)
    return found / k / len(y_true)


@given(predictions())
def test_precision_equals_the_naive_one(case: tuple[np.ndarray, np.ndarray, int]) -> None:
    y_true, y_score, k = case
    expected = [naive_precision(y_true.tolist(), y_score.tolist(), j) for j in range(1, k + 1)]
    assert precision_at_k(y_true, y_score, k) == pytest.approx(expected)


def test_precision_equals_scikit_learns_where_the_first_k_are_taken_as_predicted() -> None:
    generator = np.random.default_rng(1)
    y_true, y_score = generator.random((50, 9)) < 0.3, generator.random((50, 9))
    for k in (1, 3, 9):
        predicted = np.zeros_like(y_true)
        np.put_along_axis(predicted, rank(y_score, k), True, axis=1)
        expected = precision_score(y_true, predicted, average="samples", zero_division=0)
        assert precision_at_k(y_true, y_score, k)[-1] == pytest.approx(expected)


def test_a_perfect_ranking_is_perfect_for_scikit_learn_too() -> None:
    y_true, y_score = truth([[0, 1, 1], [1, 1, 0]]), scores([[0.1, 0.8, 0.9], [0.6, 0.7, 0.2]])
    assert precision_at_k(y_true, y_score, 2) == [1.0, 1.0]
    assert label_ranking_average_precision_score(y_true, y_score) == 1.0


# Row 1 ranks 2 0 1 3 (true: 0, 3), row 2 ranks 0 1 2 3 (true: 1, and one tag that has no column).
Y_TRUE = truth([[1, 0, 0, 1], [0, 1, 0, 0]])
Y_SCORE = scores([[0.8, 0.5, 0.9, 0.1], [0.7, 0.6, 0.5, 0.4]])
TRUE_COUNTS = np.array([2, 2])


def test_hits_beyond_the_number_of_tags_are_none() -> None:
    assert first_hits(Y_TRUE, Y_SCORE, 6).tolist() == [[0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0]]


def test_recall_by_hand() -> None:
    found = recall(first_hits(Y_TRUE, Y_SCORE, 4), TRUE_COUNTS)
    assert found.tolist() == [[0, 0.5, 0.5, 1], [0, 0.5, 0.5, 0.5]]


def test_r_precision_divides_by_what_can_be_found_at_k() -> None:
    found = r_precision(first_hits(Y_TRUE, Y_SCORE, 3), TRUE_COUNTS)
    assert found.tolist() == [[0, 0.5, 0.5], [0, 0.5, 0.5]]


def test_the_best_possible_precision_by_hand() -> None:
    # Two true tags: 1, 1, 2/3, 2/4, 2/5.
    assert best_precision(np.array([2]), 5).tolist() == [pytest.approx([1, 1, 2 / 3, 0.5, 0.4])]


def test_ndcg_by_hand() -> None:
    # Row 1: a hit at place 2 of two that could be at 1 and 2.
    gained, ideal = 1 / np.log2(3), 1 + 1 / np.log2(3)
    assert ndcg(first_hits(Y_TRUE, Y_SCORE, 2), TRUE_COUNTS)[0].tolist() == pytest.approx([0, gained / ideal])


def test_average_precision_by_hand() -> None:
    # Row 1: true tags at places 2 and 4: (1/2 + 2/4) / 2. Row 2: one at place 2, one nowhere: (1/2 + 0) / 2.
    assert average_precision(Y_TRUE, Y_SCORE, TRUE_COUNTS).tolist() == pytest.approx([0.5, 0.25])


def test_ndcg_and_average_precision_equal_scikit_learns() -> None:
    generator = np.random.default_rng(2)
    y_true, y_score = generator.random((40, 8)) < 0.3, generator.random((40, 8))
    y_true[~y_true.any(axis=1), 0] = True
    counts = y_true.sum(axis=1)
    for k in (1, 3, 8):
        expected = ndcg_score(y_true, y_score, k=k)
        assert ndcg(first_hits(y_true, y_score, k), counts)[:, -1].mean() == pytest.approx(expected)
    expected = label_ranking_average_precision_score(y_true, y_score)
    assert average_precision(y_true, y_score, counts).mean() == pytest.approx(expected)


def test_f1_equals_scikit_learns_and_is_0_for_a_tag_that_is_never_predicted() -> None:
    generator = np.random.default_rng(3)
    y_true, y_pred = generator.random((30, 6)) < 0.3, generator.random((30, 6)) < 0.3
    y_true[:, 5] = y_pred[:, 5] = False
    found, predicted, support = ((a.sum(axis=0)).astype(float) for a in (y_true & y_pred, y_pred, y_true))
    expected = f1_score(y_true, y_pred, average=None, zero_division=0)
    assert f1(found, predicted, support).tolist() == pytest.approx(expected.tolist())
