"""Kernel ridge regression: what a fold gets is what a model of the others alone would give."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random
from sklearn.preprocessing import normalize

from get_tags_train.review import kernel_ridge
from get_tags_train.review.kernel_ridge import KernelRidge


def example() -> KernelRidge:
    features = normalize(random(60, 40, 0.3, format="csr", random_state=1, dtype=np.float32))
    tags = csr_matrix(np.random.default_rng(2).random((60, 3)) < 0.3).astype(np.float32)
    return KernelRidge.of(features, tags, seed=1)


def test_moments_without_a_fold_are_those_of_the_others() -> None:
    ridge, rows = example(), np.arange(60)
    left = ridge.moments(rows) - ridge.moments(rows[:20])
    others = ridge.moments(rows[20:])
    assert left.documents == others.documents == 40
    assert np.allclose(left.gram, others.gram, atol=1e-4)
    assert np.allclose(left.products, others.products, atol=1e-4)


def test_a_solution_is_the_one_of_kernel_ridge_regression() -> None:
    ridge, rows = example(), np.arange(60)
    found = ridge.solve(ridge.moments(rows))(ridge.kernels(rows))
    kernel, y = (ridge.features @ ridge.features.T).toarray().astype(float), ridge.tags.toarray().astype(float)
    # The same by hand: coefficients a and bias b with (K + penalty I) a + b = y, and the a of each tag sum to 0.
    system = np.block([[kernel + 0.3 * np.eye(60), np.ones((60, 1))], [np.ones((1, 60)), np.zeros((1, 1))]])
    solved = np.linalg.solve(system, np.vstack([y, np.zeros((1, 3))]))
    assert np.allclose(found, kernel @ solved[:60] + solved[60], atol=0.01)


def test_fewer_landmarks_are_nearly_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_ridge, "_MOST_LANDMARKS", 38)
    ridge, rows = example(), np.arange(60)
    assert len(ridge.landmarks) == 38
    found = ridge.solve(ridge.moments(rows))(ridge.kernels(rows))
    assert np.corrcoef(found.ravel(), ridge.tags.toarray().ravel())[0, 1] > 0.7
