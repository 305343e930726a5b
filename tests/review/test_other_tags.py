"""A tag given the others."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from get_tags_train.review import other_tags
from get_tags_train.review.other_tags import OtherTags

# a and b always go together, c alone.
TOGETHER = csr_matrix(np.array([[1, 1, 0]] * 20 + [[0, 0, 1]] * 20, np.float32))


def test_a_tag_follows_from_those_that_it_goes_with() -> None:
    scores = OtherTags.fit(TOGETHER).scores(csr_matrix(np.array([[1, 0, 0], [0, 0, 1]], np.float32)))
    assert scores[0, 1] > 0.9
    assert scores[1].max() < 0.1


def test_a_tag_says_nothing_of_itself() -> None:
    model = OtherTags.fit(TOGETHER)
    with_c, without_c = csr_matrix(np.array([[1, 0, 1]], np.float32)), csr_matrix(np.array([[1, 0, 0]], np.float32))
    assert model.scores(with_c)[0, 2] == model.scores(without_c)[0, 2]


def test_the_rarest_tags_have_no_such_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_tags, "_MOST_TAGS", 2)
    rare = csr_matrix(np.array([[1, 1, 0]] * 5 + [[1, 1, 1]], np.float32))
    assert OtherTags.fit(rare).scores(rare)[:, 2].tolist() == [0.0] * 6


def test_the_closed_form_is_the_regression_without_the_own_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_tags, "_ROWS_AT_ONCE", 2)
    tags = (np.random.default_rng(1).random((50, 5)) < 0.4).astype(float)
    found = OtherTags.fit(csr_matrix(tags.astype(np.float32)))
    for tag in range(5):
        others = np.delete(np.arange(5), tag)
        x = tags[:, found.known][:, others]
        wanted = np.linalg.solve(x.T @ x + np.eye(4), x.T @ tags[:, found.known][:, tag])
        assert np.allclose(found.weights[others, tag], wanted, atol=1e-5)
