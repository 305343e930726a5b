"""Near-duplicates: which documents are nearly the same as these few texts, and which are nearly the same as each other.

Two texts are near-duplicates, twins here, where at least half of all the shingles in either are in both (Jaccard
similarity of word pairs). docs/adr/0008 says how that was chosen.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from get_tags_train.data.prepared import PreparedData
from get_tags_train.text.shingles import Shingles, jaccard, mix, shingle

SIMILAR = 0.5

# Of each example the most common third of its shingles is not looked for: a document that is similar enough must
# have others too, and boilerplate that everything shares would cost most of the time.
_LOOKED_FOR = 0.65
_FILTER_BITS = 24
_MOST_HITS = 1 << 22  # counted at once
# A sketch is one 16-bit number for each of 32 orders of the shingles; bands of two are compared: documents with a
# similarity of 0.5 meet in one of the 16 with a probability of 0.99.
_SKETCH, _BAND = 32, 2
_SPREAD = 0x9E3779B1
_NEIGHBOURS = 3
_MOST_COMPARED = 1 << 12


class NearDuplicates(NamedTuple):
    """Pairs of a document and an example that are near-duplicates, in the order of the documents.

    documents: (pairs,) places in stored order; examples: (pairs,); similarity: (pairs,) Jaccard, 0.5 to 1.
    """

    documents: NDArray[np.int64]
    examples: NDArray[np.int64]
    similarity: NDArray[np.float32]


class Finder:
    """Finds the near-duplicates of a few thousand examples in any number of texts."""

    def __init__(self, examples: Shingles) -> None:
        self._sets = examples.distinct()
        sizes = np.diff(self._sets.starts)
        owners = self._sets.text_of
        known, slots, counts = np.unique(self._sets.hashes, return_inverse=True, return_counts=True)
        rare_first = np.lexsort((self._sets.hashes, counts[slots], owners))
        kept = np.ceil(_LOOKED_FOR * sizes).astype(np.int64)
        # Equal sets aside, similarity >= s means at least s * size shingles in common with the example.
        self._needed = np.maximum(np.ceil(SIMILAR * sizes).astype(np.int64) - (sizes - kept), 1)
        place = np.arange(len(owners)) - self._sets.starts[owners]
        looked_for = rare_first[place < kept[owners]]
        looked_for = looked_for[np.argsort(slots[looked_for], kind="stable")]
        self._owners = owners[looked_for]
        used, first = np.unique(slots[looked_for], return_index=True)
        self._hashes = known[used]
        self._begins = np.append(first, len(looked_for)).astype(np.int64)
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        self._filter[self._hashes >> np.uint64(64 - _FILTER_BITS)] = True

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
        """Pairs with enough shingles in common, among those that are looked for, to be near-duplicates."""
        maybe = np.flatnonzero(self._filter[texts.hashes >> np.uint64(64 - _FILTER_BITS)])
        if not len(maybe):
            return
        slots = np.searchsorted(self._hashes, texts.hashes[maybe]).clip(max=len(self._hashes) - 1)
        hits = self._hashes[slots] == texts.hashes[maybe]
        owners = texts.text_of[maybe[hits]]
        pairs = np.sort(owners * len(self._hashes) + slots[hits])
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        owners, slots = np.divmod(pairs, len(self._hashes))
        lengths = self._begins[slots + 1] - self._begins[slots]
        totals = np.concatenate([[0], np.cumsum(lengths)])
        start = 0
        while start < len(owners):
            stop = max(int(np.searchsorted(totals, totals[start] + _MOST_HITS)) - 1, start + 1)
            if stop < len(owners):  # whole texts: from the first of one to the first of another
                whole = int(np.searchsorted(owners, owners[stop]))
                stop = whole if whole > start else int(np.searchsorted(owners, owners[stop], "right"))
            yield from self._enough(owners[start:stop], slots[start:stop], lengths[start:stop])
            start = stop

    def _enough(
        self, owners: NDArray[np.int64], slots: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> Iterator[tuple[int, int]]:
        first, examples = int(owners[0]), len(self._needed)
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        hit_examples = self._owners[np.repeat(self._begins[slots], lengths) + within]
        counts = np.bincount(np.repeat(owners - first, lengths) * examples + hit_examples)
        pairs = np.flatnonzero(counts)
        pairs = pairs[counts[pairs] >= self._needed[pairs % examples]]
        for pair in pairs.tolist():
            yield first + pair // examples, pair % examples


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
            for start in range(0, len(met), _MOST_COMPARED):
                some = met[start : start + _MOST_COMPARED]
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
