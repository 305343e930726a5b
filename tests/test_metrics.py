"""precision@k by hand, against a naive implementation, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import label_ranking_average_precision_score, precision_score

from get_tags_train.metrics import precision_at_k, rank


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
