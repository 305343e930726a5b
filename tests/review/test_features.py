"""Features in bounded memory: the same as of all words where there is room, each document's strongest where not."""

import numpy as np

from get_tags_train.model.linear_fit import read_examples
from get_tags_train.review.features import read_features
from get_tags_train.text.tfidf import words_by_hash

NONE = np.zeros(0, np.int64)
# Each text has two words that all have, one that it shares with four others, and one of its own.
TEXTS = [f"all every shared{n // 5} own{n}" for n in range(40)]
BATCHES = [(TEXTS[first : first + 10], [NONE] * 10) for first in range(0, 40, 10)]


def test_where_there_is_room_they_are_those_of_the_linear_model() -> None:
    tfidf, features, labels = read_features(BATCHES, documents=40, most_counts=1000)
    expected_tfidf, expected = read_examples(BATCHES, 1, 1000)
    assert np.array_equal(tfidf.hashes, expected_tfidf.hashes)
    assert abs(features - expected.features).max() < 1e-6
    assert len(labels) == 40


def test_each_document_keeps_its_share_of_the_room() -> None:
    _, features, _ = read_features(BATCHES, documents=40, most_counts=80)
    assert features.getnnz(axis=1).tolist() == [2] * 40


def test_words_that_tell_documents_apart_stay() -> None:
    tfidf, _, _ = read_features(BATCHES, documents=40, most_counts=80)
    shared, own = (next(iter(words_by_hash(word))) for word in ("shared3", "own3"))
    assert shared in tfidf.hashes
    assert own not in tfidf.hashes


def test_documents_read_early_keep_the_words_that_later_ones_keep() -> None:
    # Otherwise the early ones would look as if their tags were wrong.
    tfidf, features, _ = read_features(BATCHES, documents=40, most_counts=160)
    place = {int(number): at for at, number in enumerate(tfidf.hashes)}
    for text in range(40):
        shared = place[next(iter(words_by_hash(f"shared{text // 5}")))]
        assert features[text, shared] > 0
