"""Pairs of tags that may be one: alike by name, or by their documents while hardly ever on the same one."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.preprocessing import normalize

from get_tags_train.model.linear_reader import strongest
from get_tags_train.review.out_of_fold import Corpus, Evidence

_MOST_PAIRS = 50
_NAME_LENGTHS = (2, 3)
_NAMES_ALIKE = 0.75
_TEXTS_ALIKE = 0.5
_MOST_TOGETHER = 0.1
# A tag on fewer documents says little by its texts; of more tags than these the rarest are compared by name alone.
_LEAST_DOCUMENTS = 3
_ROWS_AT_ONCE = 512
_STRONGEST = 64
_LEAST_SCORE = 0.1


class TagPair(NamedTuple):
    """Two tags that may be one, the rarer first, as a line of tags_map.csv.

    names, texts: how alike they are, 0 to 1; together: the share of the rarer one's documents that have both; confused:
    how likely, in the mean, the other tag is found on a document of either.
    """

    tag: str
    becomes: str
    documents: tuple[int, int]
    names: float
    texts: float
    together: float
    confused: float


def find_pairs(tags: Sequence[str], corpus: Corpus, evidence: Evidence) -> list[TagPair]:
    """The pairs that most likely are one, at most 50."""
    counts = corpus.counts
    known = np.flatnonzero(counts)
    if len(known) < 2:
        return []
    names = _named([tags[tag] for tag in known.tolist()])
    texts = _typical_texts(corpus, known)
    together = (corpus.tags[:, known].T @ corpus.tags[:, known]).tocsr()
    confused = _confused(evidence, counts)
    mutual = _mutual(confused, len(tags))[known][:, known]
    found = list[tuple[float, TagPair]]()
    for first in range(0, len(known), _ROWS_AT_ONCE):
        some = slice(first, first + _ROWS_AT_ONCE)
        by_name, by_text = (names[some] @ names.T).toarray(), (texts[some] @ texts.T).toarray()
        both = together[some].toarray()
        least = np.minimum(counts[known][some, None], counts[known][None])
        is_seldom = both <= _MOST_TOGETHER * least
        is_alike = (by_name >= _NAMES_ALIKE) | ((by_text >= _TEXTS_ALIKE) & (least >= _LEAST_DOCUMENTS))
        is_first = np.arange(len(known)) > first + np.arange(len(by_name))[:, None]
        rows, columns = np.nonzero(is_alike & is_seldom & is_first)
        # Numbered names are all alike: of millions of pairs only those that may be among the first become objects.
        scores = by_name[rows, columns] + by_text[rows, columns] + mutual[some].toarray()[rows, columns]
        for place in np.argsort(-scores, kind="stable")[:_MOST_PAIRS]:
            row, column = rows[place], columns[place]
            measured = (by_name[row, column], by_text[row, column], both[row, column] / least[row, column])
            pair = _pair(tags, counts, (int(known[first + row]), int(known[column])), measured, confused)
            found.append((pair.names + pair.texts + pair.confused, pair))
    return [pair for _score, pair in sorted(found, key=lambda entry: (-entry[0], entry[1]))[:_MOST_PAIRS]]


def _pair(
    tags: Sequence[str],
    counts: NDArray[np.int64],
    places: tuple[int, int],
    measured: tuple[float, float, float],
    confused: dict[tuple[int, int], float],
) -> TagPair:
    rarer, other = sorted(places, key=lambda tag: (counts[tag], -tag))
    names, texts, together = map(float, measured)
    mutual = min(confused.get((rarer, other), 0.0), confused.get((other, rarer), 0.0))
    return TagPair(tags[rarer], tags[other], (int(counts[rarer]), int(counts[other])), names, texts, together, mutual)


def _mutual(confused: dict[tuple[int, int], float], tags: int) -> csr_matrix:
    """(tags, tags) how much two tags are confused at the least, either way."""
    places = np.array(list(confused), np.int64).reshape(-1, 2)
    found = csr_matrix((np.array(list(confused.values())), (places[:, 0], places[:, 1])), shape=(tags, tags))
    return found.minimum(found.T.tocsr()).tocsr()


def _named(names: Sequence[str]) -> csr_matrix:
    """(tags, hashes) two and three letters in a row, without accents and case; rows of length 1."""
    rows, columns, places = list[int](), list[int](), dict[str, int]()
    for row, name in enumerate(names):
        folded = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if c.isalnum())
        pieces = {folded[at : at + length] for length in _NAME_LENGTHS for at in range(len(folded) - length + 1)}
        for piece in sorted(pieces):
            rows.append(row)
            columns.append(places.setdefault(piece, len(places)))
    shape = (len(names), max(len(places), 1))
    return normalize(csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape))


def _typical_texts(corpus: Corpus, known: NDArray[np.int64]) -> csr_matrix:
    """(tags, features) the strongest features of each tag's documents; rows of length 1."""
    documents = corpus.tags[:, known].T.tocsr()
    parts = [
        strongest(normalize(documents[first : first + _ROWS_AT_ONCE] @ corpus.features), _STRONGEST)
        for first in range(0, len(known), _ROWS_AT_ONCE)
    ]
    return normalize(vstack(parts, format="csr"))


def _confused(evidence: Evidence, counts: NDArray[np.int64]) -> dict[tuple[int, int], float]:
    """For (a, b): the linear score that b has in the mean on a document with a that lacks b, among its candidates."""
    sums: dict[tuple[int, int], float] = {}
    likely = np.flatnonzero(~evidence.is_given & (evidence.weight <= 1) & (evidence.linear > _LEAST_SCORE))
    given = np.flatnonzero(evidence.is_given)
    starts = np.searchsorted(evidence.document[given], evidence.document[likely], side="left")
    stops = np.searchsorted(evidence.document[given], evidence.document[likely], side="right")
    for pair, start, stop in zip(likely.tolist(), starts.tolist(), stops.tolist(), strict=True):
        other, score = int(evidence.tag[pair]), float(min(evidence.linear[pair], 1.0))
        for tag in evidence.tag[given[start:stop]].tolist():
            sums[tag, other] = sums.get((tag, other), 0.0) + score
    return {(tag, other): float(score / counts[tag]) for (tag, other), score in sums.items()}
