"""Near-duplicates: which documents are nearly the same as these few texts, and which as each other.

Two texts are near-duplicates where at least half of all the shingles in either are in both (Jaccard similarity of word
pairs). docs/adr/0008 says how that was chosen.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from get_tags_train.data.prepared import PreparedData
from get_tags_train.text.shingles import Shingles, jaccard, mix, shingle

SIMILAR = 0.5

# Of each example the most common third of its shingles is not indexed: a document that is similar enough must have
# others too, and boilerplate that everything shares would cost most of the time.
_INDEXED_SHARE = 0.65
_TEXTS_AT_ONCE = 500  # whose shingles in common with all examples are counted together: bounds the memory
# A sketch is one 16-bit number for each of 32 orders of the shingles. Bands of two numbers are compared: documents with
# a similarity of 0.5 agree in one of the 16 bands with a probability of 0.99.
_SKETCH, _BAND = 32, 2
_SPREAD = 0x9E3779B1  # odd, so multiplying by it modulo 2^32 loses nothing; its upper half mixes all bits
# Each document is compared with the next three that agree in a band, so a large group costs no more than a small one.
_NEIGHBOURS = 3
_PAIRS_AT_ONCE = 1 << 12  # whose sketches are compared together: bounds the memory


class NearDuplicates(NamedTuple):
    """Pairs of a document and an example that are near-duplicates, in the order of the documents.

    documents: (pairs,) places in stored order; examples: (pairs,); similarity: (pairs,) Jaccard, 0.5 to 1.
    """

    documents: NDArray[np.int64]
    examples: NDArray[np.int64]
    similarity: NDArray[np.float32]


class Finder:
    """Finds the near-duplicates of a few thousand examples in any number of texts.

    An inverted index says which examples have a shingle. A text that shares enough shingles with an example is a
    candidate, and is compared with it in whole.
    """

    def __init__(self, examples: Shingles) -> None:
        self._sets = examples.distinct()
        sizes = np.diff(self._sets.starts)
        example_of = self._sets.text_of
        known, columns, counts = np.unique(self._sets.hashes, return_inverse=True, return_counts=True)
        rarest_first = np.lexsort((self._sets.hashes, counts[columns], example_of))
        rank = np.arange(len(example_of)) - self._sets.starts[example_of]
        kept = np.ceil(_INDEXED_SHARE * sizes).astype(np.int64)
        indexed = rarest_first[rank < kept[example_of]]
        # A Jaccard similarity of s wants at least s * size of the example's shingles in the text. Those that are not
        # indexed may all be among them, so the indexed ones must make up for the rest.
        self._required = np.maximum(np.ceil(SIMILAR * sizes).astype(np.int64) - (sizes - kept), 1)
        used, column = np.unique(columns[indexed], return_inverse=True)
        self._column_of = pd.Index(known[used])
        ones = np.ones(len(indexed), np.int32)
        self._index = csr_array((ones, (column, example_of[indexed])), shape=(len(used), len(sizes)))

    def find(self, texts: Shingles) -> NearDuplicates:
        """The pairs of these texts and the examples that are near-duplicates."""
        found: list[tuple[int, int, float]] = []
        for text, example in self._candidates(texts):
            similarity = jaccard(np.unique(texts[text]), self._sets[example])
            if similarity >= SIMILAR:
                found.append((text, example, similarity))
        columns = np.array(found, float).reshape(-1, 3).T
        return NearDuplicates(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float32))

    def _candidates(self, texts: Shingles) -> Iterator[tuple[int, int]]:
        """Pairs of a text and an example with enough indexed shingles in common to be near-duplicates."""
        column = self._column_of.get_indexer(pd.Index(texts.hashes))
        hits = np.flatnonzero(column >= 0)
        # True where a text has an indexed shingle, however often; the product with the index counts those in common.
        has = csr_array(
            (np.ones(len(hits), bool), (texts.text_of[hits], column[hits])), shape=(len(texts), len(self._column_of))
        ).astype(np.int32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            common = has[start : start + _TEXTS_AT_ONCE] @ self._index
            common.sort_indices()
            pairs = common.tocoo()
            enough = pairs.data >= self._required[pairs.col]
            yield from zip((start + pairs.row[enough]).tolist(), pairs.col[enough].tolist(), strict=True)


def find_near_duplicates(examples: Shingles, data: PreparedData) -> NearDuplicates:
    """All documents that are near-duplicates of an example."""
    if not len(examples.hashes):
        return _none()
    finder = Finder(examples)
    found = [_none()]
    for first, batch in data.numbered_batches():
        here = finder.find(shingle(batch.column("text")))
        found.append(here._replace(documents=here.documents + first))
    return NearDuplicates(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _none() -> NearDuplicates:
    return NearDuplicates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def group_texts(texts: Shingles) -> NDArray[np.int64]:
    """For each of a few thousand texts the first one of its group: near-duplicates, and their near-duplicates."""
    groups = np.arange(len(texts))
    found = Finder(texts).find(texts)
    _unite(groups, found.documents, found.examples)
    return groups


def group_documents(data: PreparedData) -> NDArray[np.int32]:
    """For each document the first one of its group, in stored order: (documents,).

    By sketches, so a pair near the threshold may be missed; while it works, about 90 bytes a document are in memory.
    """
    sketches, has_words = _sketches(data)
    groups = np.arange(len(sketches), dtype=np.int32)
    for band in range(0, _SKETCH, _BAND):
        keys = np.flatnonzero(has_words).astype(np.uint64)
        for place in range(_BAND):
            keys |= sketches[has_words, band + place].astype(np.uint64) << np.uint64(32 + 16 * place)
        keys.sort()
        for step in range(1, _NEIGHBOURS + 1):
            met = np.flatnonzero((keys[step:] ^ keys[:-step]) < np.uint64(1 << 32))
            for start in range(0, len(met), _PAIRS_AT_ONCE):
                some = met[start : start + _PAIRS_AT_ONCE]
                one, other = (keys[some + by].astype(np.uint32).astype(np.int32) for by in (0, step))
                alike = (sketches[one] == sketches[other]).mean(axis=1) >= SIMILAR
                _unite(groups, one[alike], other[alike])
    return groups


def _sketches(data: PreparedData) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Of each document the smallest shingle in each of 32 random orders (MinHash), 16 bits of it; whether it has words.

    A. Broder, On the resemblance and containment of documents (1997): two sets have the same smallest member in as
    many orders as their Jaccard similarity says.
    """
    total = data.manifest.documents_kept
    sketches, has_words = np.zeros((total, _SKETCH), np.uint16), np.zeros(total, bool)
    factors = mix(np.arange(1, 2 * _SKETCH + 1, dtype=np.uint64)).astype(np.uint32) | np.uint32(1)
    for first, batch in data.numbered_batches():
        shingles = shingle(batch.column("text"))
        filled = np.flatnonzero(np.diff(shingles.starts))
        begins, rows = shingles.starts[filled], first + filled
        has_words[rows] = True
        halves = (shingles.hashes >> np.uint64(32)).astype(np.uint32)
        for order in range(_SKETCH if len(filled) else 0):
            smallest = np.minimum.reduceat((halves ^ factors[_SKETCH + order]) * factors[order], begins)
            sketches[rows, order] = (smallest * np.uint32(_SPREAD)) >> np.uint32(16)
    return sketches, has_words


def _unite(groups: NDArray[Any], one: NDArray[Any], other: NDArray[Any]) -> None:
    """Join the groups of each pair, in place; a group's number is its first member's."""
    while len(one):
        low, high = np.minimum(groups[one], groups[other]), np.maximum(groups[one], groups[other])
        np.minimum.at(groups, high, low)
        while ((further := groups[groups]) != groups).any():
            groups[:] = further
        apart = groups[one] != groups[other]
        one, other = one[apart], other[apart]
