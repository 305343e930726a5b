"""Texts as sets of word pairs, in numbers: alike for near-duplicates, whatever their case, accents and spacing."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# A document counts by its beginning, which is what a model of at most 512 tokens reads of it (and what is left of a
# text that Excel has cut).
CHARACTERS = 3000

_LETTERS = 0x10000  # code points beyond (emoji, rare scripts) stand between words
_BASE = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64
_PAIR = np.uint64(0x9FB21C651E98DF25)


@dataclass(frozen=True)
class Shingles:
    """The shingles of texts, one after the other; those of text n are hashes[starts[n] : starts[n + 1]].

    hashes: (shingles,) uint64, in the order of the text, repeated ones too; starts: (texts + 1,) int64.
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> NDArray[np.uint64]:
        return self.hashes[self.starts[text] : self.starts[text + 1]]

    @property
    def text_of(self) -> NDArray[np.int64]:
        """The text that each shingle is of: (shingles,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def distinct(self) -> "Shingles":
        """The same without repetitions, those of each text in ascending order."""
        sets = [np.unique(self[text]) for text in range(len(self))]
        starts = np.zeros(len(sets) + 1, np.int64)
        np.cumsum([len(one) for one in sets], out=starts[1:])
        return Shingles(np.concatenate(sets) if sets else self.hashes, starts)


def shingle(texts: pa.StringArray | Sequence[str]) -> Shingles:
    """Each pair of neighbouring words in the first 3,000 characters of each text, and its last word, as 64-bit hashes.

    A word is a run of letters and digits, in lower case and without accents. Hashes are the same in every run.
    """
    column = texts if isinstance(texts, pa.StringArray) else pa.array(texts, pa.string())
    # Words must not run from one text into the next.
    column = pc.binary_join_element_wise(pc.utf8_slice_codeunits(column, 0, CHARACTERS), "\n", "")
    bounds = np.zeros(len(column) + 1, np.int64)
    np.cumsum(pc.utf8_length(column).to_numpy(), out=bounds[1:])
    words, begins = _word_hashes(_folded_letters()[np.minimum(_code_points(column), _LETTERS - 1)])
    starts = np.searchsorted(begins, bounds)
    following = np.zeros_like(words)
    following[:-1] = words[1:]
    following[starts[1:][np.diff(starts) > 0] - 1] = 0  # nothing follows a text's last word
    return Shingles(mix(words * _PAIR + following), starts)


def _word_hashes(letters: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hash of each word, and the place of its first letter; letters: a number for each, 0 for what is none.

    The hash of a word with the letters c0 c1 c2 is the polynomial c0 + c1 B + c2 B^2 modulo 2^64 (numpy's uint64
    wraps around by itself), then mixed. All words are done at once by running sums over all letters,
    S[n] = c[0] + c[1] B + ... + c[n - 1] B^(n - 1): for a word from place p up to place q

        S[q] - S[p]  =  c[p] B^p + ... + c[q - 1] B^(q - 1)  =  B^p (c[p] + c[p + 1] B + ...)

    so (S[q] - S[p]) B^-p is its polynomial, wherever it stands. B is odd and therefore has an inverse modulo 2^64.
    """
    is_letter = np.zeros(len(letters) + 2, bool)
    is_letter[1:-1] = letters != 0
    edges = np.flatnonzero(is_letter[1:] != is_letter[:-1])
    begins, ends = edges[::2], edges[1::2]
    powers, inverses = _powers(1 << len(letters).bit_length())
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(letters * powers[: len(letters)], out=sums[1:])
    return mix((sums[ends] - sums[begins]) * inverses[begins]), begins


def jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """What two sets of shingles (sorted, without repetition) have in common, as a share of all in either."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / max(len(one) + len(other) - common, 1)


def mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers spread over all 64 bits, one to one (multiply and xor-shift)."""
    spread = (numbers ^ (numbers >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return spread ^ (spread >> np.uint64(32))


def _code_points(column: pa.StringArray) -> NDArray[np.uint32]:
    """All characters of a column that has an offset of 0, as numbers."""
    offsets = np.frombuffer(column.buffers()[1], np.int32)[: len(column) + 1]
    if not offsets[-1]:
        return np.zeros(0, np.uint32)
    encoded = str(column.buffers()[2].slice(0, int(offsets[-1])), "utf-8").encode("utf-32-le")
    return np.frombuffer(encoded, np.uint32)


@cache
def _folded_letters() -> NDArray[np.uint64]:
    """A number for each letter and digit, equal for those that differ only in case or accents; 0 for all others."""
    numbers = np.zeros(_LETTERS, np.uint64)
    for point in range(_LETTERS):
        character = chr(point)
        if character.isalnum() or unicodedata.category(character).startswith("M"):
            numbers[point] = ord(unicodedata.normalize("NFKD", character.casefold())[0])
    return mix(numbers)  # 0 stays 0


@cache
def _powers(length: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The powers of the base, and those of its inverse, modulo 2**64."""
    both = []
    for factor in (_BASE, pow(_BASE, -1, 1 << 64)):
        steps = np.full(length, factor, np.uint64)
        steps[0] = 1
        both.append(np.cumprod(steps))
    return both[0], both[1]
