"""The documents' TF-IDF features, in bounded memory: where there are too many, each document keeps its strongest."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from get_tags_train.model.linear_fit import TextBatches
from get_tags_train.model.linear_reader import strongest
from get_tags_train.text.tfidf import HASHES, TfIdf, count_words, smoothed_idf

# A word on fewer documents so far says little of others, and is the first to go.
_LEAST_DOCUMENTS = 3


def read_features(
    batches: TextBatches, *, documents: int, most_counts: int
) -> tuple[TfIdf, csr_matrix, list[NDArray[np.int64]]]:
    """What makes features of texts, those of all, rows of length 1, and the labels of each.

    documents: how many there are; most_counts: features of all of them in memory. The first are kept whole until there
    is no room; then each document keeps its share of the room, by TF-IDF so far.
    """
    share = max(most_counts // max(documents, 1), 1)
    counts, labels, documents_of = list[csr_matrix](), list[NDArray[np.int64]](), np.zeros(HASHES, np.int32)
    held, is_full = 0, False
    for texts, numbers in batches:
        counts.append(count_words(texts))
        labels += numbers
        np.add.at(documents_of, counts[-1].indices, 1)
        held += counts[-1].nnz
        if is_full:
            counts[-1] = _strongest(counts[-1], documents_of, len(labels), share)
        elif held > most_counts:
            counts = [_strongest(part, documents_of, len(labels), share) for part in counts]
            is_full = True
    is_feature = documents_of >= (_LEAST_DOCUMENTS if is_full else 1)
    tfidf = TfIdf(np.flatnonzero(is_feature).astype(np.int32), smoothed_idf(documents_of[is_feature], len(labels)))
    return tfidf, _weighted(counts, tfidf), labels


def _strongest(counts: csr_matrix, documents_of: NDArray[np.int32], documents: int, count: int) -> csr_matrix:
    """The counts of the strongest features of each text."""
    own = documents_of[counts.indices]
    weights = (1 + np.log(counts.data)) * smoothed_idf(own, documents)
    weights[own < _LEAST_DOCUMENTS] = 0
    chosen = strongest(
        csr_matrix((weights, np.arange(counts.nnz), counts.indptr), shape=(len(counts.indptr) - 1, max(counts.nnz, 1))),
        count,
    )
    return csr_matrix((counts.data[chosen.indices], counts.indices[chosen.indices], chosen.indptr), shape=counts.shape)


def _weighted(counts: list[csr_matrix], tfidf: TfIdf) -> csr_matrix:
    """The features of all parts, (documents, features); no part is left."""
    parts = list[csr_matrix]()
    counts.reverse()
    while counts:
        parts.append(tfidf.of_counts(counts.pop()))
    return vstack(parts, format="csr")
