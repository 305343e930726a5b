"""TF-IDF: the same numbers as scikit-learn's, from hashes."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from get_tags_train.text.tfidf import TfIdf, count_words, words_by_hash

TEXTS = ["legea penală și legea civilă", "codul fiscal, codul vamal", "taxe și impozite", "legea taxelor"]


def fitted() -> TfIdf:
    counts = count_words(TEXTS)
    hashes = np.unique(counts.indices)
    return TfIdf.of(counts[:, hashes], hashes)


def test_texts_are_as_alike_as_to_scikit_learn() -> None:
    features = fitted().features(TEXTS)
    expected = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(TEXTS)
    np.testing.assert_allclose((features @ features.T).toarray(), (expected @ expected.T).toarray(), atol=1e-6)


def test_a_text_without_a_known_word_has_no_features() -> None:
    assert fitted().features(["", "ceva", "altceva nou"]).nnz == 0


def test_each_hash_of_a_text_has_its_word() -> None:
    words = words_by_hash(TEXTS[0])
    assert set(words) == set(count_words([TEXTS[0]]).indices)
    assert {"legea", "legea penală", "penală și"} <= set(words.values())


def test_the_most_frequent_features_are_those_on_the_most_documents() -> None:
    tfidf = fitted()
    kept = tfidf.hashes[tfidf.most_frequent(2)].tolist()
    assert {words_by_hash("legea și")[number] for number in kept} == {"legea", "și"}


def test_no_texts_have_no_features() -> None:
    assert fitted().features([]).shape == (0, len(fitted().hashes))


def test_features_do_not_depend_on_how_many_texts_there_are() -> None:
    tfidf = fitted()
    many = tfidf.features(["codul fiscal", "", *TEXTS] * 1000)
    assert (many[-len(TEXTS) :] != tfidf.features(TEXTS)).nnz == 0
