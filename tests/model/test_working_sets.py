"""Working sets: a tag on few documents and the mean of the others is nearly what all documents give."""

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix, random
from sklearn.preprocessing import normalize

from get_tags_train.model import working_sets as stage
from get_tags_train.model.squared_hinge import similarities_of, solve
from get_tags_train.model.working_sets import WorkingSets

DOCUMENTS, FEATURES, TAGS = 1500, 400, 6


@pytest.fixture(scope="module")
def features() -> csr_matrix:
    """Documents of some words at random, and of words of their tag."""
    generator = np.random.default_rng(1)
    words = random(DOCUMENTS, FEATURES, 0.05, format="lil", random_state=2, dtype=np.float32)
    for document in range(DOCUMENTS // 4):
        own = 10 * (document % TAGS) + generator.integers(0, 10, 4)
        words[document, own] = 1
    return normalize(words.tocsr())


@pytest.fixture(scope="module")
def labels() -> csc_matrix:
    labels = np.zeros((DOCUMENTS, TAGS), bool)
    for document in range(DOCUMENTS // 4):
        labels[document, document % TAGS] = True
    return csc_matrix(labels)


def on_all(features: csr_matrix, labels: csc_matrix) -> np.ndarray:
    dual, biases = solve(similarities_of(features), labels.toarray(), 1.0)
    margins: np.ndarray = features @ (features.T @ dual) + biases
    return margins


def on_working_sets(features: csr_matrix, labels: csc_matrix) -> np.ndarray:
    weights, biases = WorkingSets.of(features).solve(labels, 1.0)
    margins: np.ndarray = (features @ weights.T).toarray() + biases
    return margins


def test_where_all_documents_are_chosen_it_is_the_solution_on_all(features: csr_matrix, labels: csc_matrix) -> None:
    few, some = features[:500], labels[:500]
    assert on_working_sets(few, some) == pytest.approx(on_all(few, some), abs=0.02)


def test_with_few_documents_it_is_close(
    features: csr_matrix, labels: csc_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_OTHERS", 50)
    monkeypatch.setattr(stage, "_OTHERS_EACH", 2)
    near, exact = on_working_sets(features, labels), on_all(features, labels)
    assert np.sqrt(((near - exact) ** 2).mean()) < 0.06
    assert (near.argmax(axis=1) == exact.argmax(axis=1))[: DOCUMENTS // 4].mean() > 0.97


def test_the_others_lie_where_a_document_without_the_tag_belongs(
    features: csr_matrix, labels: csc_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_OTHERS", 20)
    monkeypatch.setattr(stage, "_OTHERS_EACH", 0)
    assert on_working_sets(features, labels)[DOCUMENTS // 4 :].mean() == pytest.approx(-1, abs=0.1)


def test_a_tag_of_no_document_is_predicted_for_none(features: csr_matrix) -> None:
    none = csc_matrix((DOCUMENTS, 1), dtype=bool)
    assert on_working_sets(features, none).tolist() == [[-1.0]] * DOCUMENTS


def test_chosen_are_the_documents_of_a_tag_and_those_most_like_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_OTHERS", 1)
    monkeypatch.setattr(stage, "_OTHERS_EACH", 1)
    # Of five documents the first has the tag; the second shares both of its words, the last one of them.
    features = normalize(csr_matrix(np.array([[1, 1, 0], [2, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 1]], np.float32)))
    labels = csc_matrix(np.array([[True], [False], [False], [False], [False]]))
    sets = WorkingSets.of(features)
    ((rows, own),) = sets.chosen(labels)
    assert own == 1
    assert rows.tolist() == [0, 1, 4]
