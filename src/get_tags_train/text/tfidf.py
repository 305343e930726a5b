"""TF-IDF of the words and word pairs of whole clean texts, hashed: no vocabulary stays in memory."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer

HASHES = 1 << 22
# Each of their numbers takes some fifty bytes while it is weighted.
_TEXTS_AT_ONCE = 4096
# Words and pairs as TfidfVectorizer(ngram_range=(1, 2)) has them.
_VECTORIZER = HashingVectorizer(
    ngram_range=(1, 2), n_features=HASHES, alternate_sign=False, norm=None, dtype=np.float32
)
_WORDS = _VECTORIZER.build_analyzer()
_HASHER = FeatureHasher(HASHES, input_type="string", alternate_sign=False)


def count_words(clean_texts: Sequence[str]) -> csr_matrix:
    """How often each hash of a word or a word pair stands in each text: (texts, HASHES)."""
    if not clean_texts:  # of which scikit-learn's hashing makes a StopIteration
        return csr_matrix((0, HASHES), dtype=np.float32)
    return _VECTORIZER.transform(clean_texts)


def words_by_hash(clean_text: str) -> dict[int, str]:
    """The words and word pairs of a text by their hashes, as `count_words` counts them."""
    words = list(dict.fromkeys(_WORDS(clean_text)))
    hashes = _HASHER.transform([word] for word in words).indices.tolist() if words else []
    return dict(zip(hashes, words, strict=True))


def smoothed_idf(documents_of: NDArray[np.integer], documents: int) -> NDArray[np.float32]:
    """Inverse document frequencies, as scikit-learn smooths them; documents_of: on how many of `documents` each is."""
    found: NDArray[np.float32] = (np.log((1 + documents) / (1 + documents_of)) + 1).astype(np.float32)
    return found


class TfIdf(NamedTuple):
    """What makes features of texts. hashes: (features,) which hashes are features, ascending; idf: (features,)."""

    hashes: NDArray[np.int32]
    idf: NDArray[np.float32]

    @classmethod
    def of(cls, counts: csr_matrix, hashes: NDArray[np.integer]) -> "TfIdf":
        """Of the documents' counts, (documents, features). Inverse document frequencies are smoothed."""
        documents_of = np.bincount(counts.indices, minlength=counts.shape[1])
        return cls(hashes.astype(np.int32), smoothed_idf(documents_of, counts.shape[0]))

    def features(self, clean_texts: Sequence[str]) -> csr_matrix:
        """Of texts: (texts, features), each row of length 1."""
        return self.of_counts(count_words(clean_texts))

    def of_counts(self, counts: csr_matrix) -> csr_matrix:
        """Of what `count_words` gives, (texts, HASHES): (texts, features), each row of length 1."""
        place = np.searchsorted(self.hashes, counts.indices)
        place[place == len(self.hashes)] = 0
        is_feature = self.hashes[place] == counts.indices
        so_far = np.concatenate([[0], np.cumsum(is_feature)])
        known = (counts.data[is_feature], place[is_feature], so_far[counts.indptr])
        return self.weighted(csr_matrix(known, shape=(counts.shape[0], len(self.hashes))))

    def weighted(self, counts: csr_matrix) -> csr_matrix:
        """Counts of features, (texts, features), made TF-IDF in place: (1 + log count) x idf, each row of length 1."""
        for first in range(0, counts.shape[0], _TEXTS_AT_ONCE):
            ends = counts.indptr[first : first + _TEXTS_AT_ONCE + 1]
            own = slice(ends[0], ends[-1])
            values = (1 + np.log(counts.data[own])) * self.idf[counts.indices[own]]
            rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
            lengths = np.sqrt(np.bincount(rows, values.astype(float) ** 2, minlength=len(ends) - 1))
            counts.data[own] = values / lengths[rows]
        return counts

    def most_frequent(self, count: int) -> NDArray[np.intp]:
        """The places of so many features, those on the most documents, ascending."""
        if count >= len(self.idf):
            return np.arange(len(self.idf))
        return np.sort(np.argsort(self.idf, kind="stable")[:count])
