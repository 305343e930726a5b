"""Drawn texts with many tags: words by Zipf's law, among them those of a tag and its chapter; some tags are errors.

Chapters of 50 tags share words, so that a tag's neighbours are hard to tell from it.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

_WORDS, _COMMON = 120_000, 200
_CHAPTER, _OWN_WORDS, _CHAPTER_WORDS = 50, 20, 100
_FORGOTTEN, _WRONG, _NEIGHBOURS = 0.08, 0.15, 0.4
_AT_ONCE = 2000

Batch = tuple[list[str], list[NDArray[np.int64]]]


def batches(documents: int, tags: int, *, first: int = 0, words: int = 330) -> Iterator[Batch]:
    """Documents from number `first` on, of about so many words: texts and the tags of each, some at a time."""
    for start in range(first, first + documents, _AT_ONCE):
        generator = np.random.default_rng([tags, start])
        drawn = [_document(generator, tags, words) for _ in range(min(_AT_ONCE, first + documents - start))]
        yield [text for text, _ in drawn], [own for _, own in drawn]


@cache
def _names() -> NDArray[np.object_]:
    return np.array([f"c{number:x}" for number in range(_WORDS)], object)


@cache
def _vocabulary(tags: int) -> tuple[NDArray[np.int64], ...]:
    """Each tag's own words and chapter, each chapter's tags and words."""
    generator = np.random.default_rng(tags)
    own = generator.integers(_COMMON, _WORDS, (tags, _OWN_WORDS))
    chapter = generator.permutation(tags) // _CHAPTER
    members = np.argsort(chapter, kind="stable").reshape(-1, _CHAPTER)
    return own, chapter, members, generator.integers(_COMMON, _WORDS // 4, (len(members), _CHAPTER_WORDS))


def _by_zipf(generator: np.random.Generator, count: int, values: int, offset: float) -> NDArray[np.int64]:
    ends = np.cumsum(1 / (np.arange(values) + offset))
    return np.minimum(np.searchsorted(ends, generator.random(count) * ends[-1]), values - 1)


def _document(generator: np.random.Generator, tags: int, words: int) -> tuple[str, NDArray[np.int64]]:
    own_words, chapter, members, chapter_words = _vocabulary(tags)
    drawn = _by_zipf(generator, int(generator.integers(1, 9)), tags, 10)
    siblings = members[chapter[drawn[0]]]
    is_near = generator.random(len(drawn)) < _NEIGHBOURS
    is_near[0] = False
    drawn[is_near] = generator.choice(siblings, is_near.sum())
    drawn = np.unique(drawn)
    given = drawn[generator.random(len(drawn)) >= _FORGOTTEN]
    if generator.random() < _WRONG:
        given = np.union1d(given, generator.choice(siblings, 1))
    of_tags = np.repeat(drawn, generator.poisson(5, len(drawn)))
    of_chapters = chapter[np.repeat(drawn, generator.poisson(8, len(drawn)))]
    parts = [
        own_words[of_tags, _by_zipf(generator, len(of_tags), _OWN_WORDS, 1)],
        chapter_words[of_chapters, generator.integers(0, _CHAPTER_WORDS, len(of_chapters))],
    ]
    length = int(generator.lognormal(0, 0.7) * words) + 20
    common = max(length - sum(map(len, parts)), 10)
    parts.append(np.minimum((generator.pareto(0.75, common) * 3).astype(np.int64), _WORDS - 1))
    return " ".join(_names()[generator.permutation(np.concatenate(parts))]), given
