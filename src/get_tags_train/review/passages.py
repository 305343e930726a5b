"""Where in a text to look: the passage whose words speak most for a tag."""

import re

import numpy as np
from numpy.typing import NDArray

from get_tags_train.review.out_of_fold import Corpus
from get_tags_train.text.tfidf import words_by_hash

_WORD = re.compile(r"\w\w+")
_CHARACTERS = 160
_LONGEST_WORD = 20


class Passages:
    """Finds passages in the documents of a corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._typical = np.asarray(corpus.features.mean(axis=0), float).ravel()
        self._documents_of = corpus.tags.tocsc()

    def find(self, document: int, tag: int, clean_text: str) -> str:
        """About 160 characters of a document's text; its beginning where no word of it speaks for the tag."""
        weights = self._weights(document, tag, clean_text)
        words = [(found.start(), weights.get(found[0].lower(), 0.0)) for found in _WORD.finditer(clean_text)]
        begin = 0
        if any(weight > 0 for _start, weight in words):
            starts, sums = np.array([start for start, _ in words]), np.cumsum([0.0, *(weight for _, weight in words)])
            ends = np.searchsorted(starts, starts + _CHARACTERS - _LONGEST_WORD)
            begin = int(starts[np.argmax(sums[ends] - sums[:-1])])
        passage = " ".join(clean_text[begin : begin + _CHARACTERS].split())
        return f"{'… ' if begin else ''}{passage}{' …' if begin + _CHARACTERS < len(clean_text) else ''}"

    def _weights(self, document: int, tag: int, clean_text: str) -> dict[str, float]:
        """What each word says for the tag: its TF-IDF, times how much more of it other documents with the tag have."""
        own = self._corpus.features[document]
        says = own.data * (self._mean(tag, document)[own.indices] - self._typical[own.indices])
        by_hash = dict(zip(self._corpus.tfidf.hashes[own.indices].tolist(), says.tolist(), strict=True))
        return {word: by_hash[number] for number, word in words_by_hash(clean_text).items() if number in by_hash}

    def _mean(self, tag: int, without: int) -> NDArray[np.float64]:
        have = self._documents_of[:, [tag]].indices
        have = have[have != without]
        if not len(have):
            return self._typical
        return np.asarray(self._corpus.features[have].mean(axis=0), float).ravel()
