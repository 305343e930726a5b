"""Documents with equal text become one, which has the tags of all of them; boilerplate is left out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


class Merged(NamedTuple):
    """What becomes of documents. All but the last two are (documents,) bool.

    Of those with equal text the first is `kept`, the others are `duplicate`; `boilerplate` are neither. Without text
    or tags a document is none of them. tags: (kept documents, tags), sparse, True where the document has the tag;
    conflicts: how many of the kept had copies with other tags.
    """

    kept: NDArray[np.bool_]
    duplicate: NDArray[np.bool_]
    boilerplate: NDArray[np.bool_]
    tags: csr_array
    conflicts: int


def merge_duplicates(
    hashes: NDArray[np.uint64], has_text: NDArray[np.bool_], tags: csr_array, boilerplate_copies: int
) -> Merged:
    """Merge documents with equal hashes, and drop those without text or tags.

    hashes: (documents, 2); tags: (documents, tags), sparse, True where the document has the tag. Where at least
    `boilerplate_copies` (0: never) have equal text and not all the same tags, all of them are boilerplate.
    """
    total = len(has_text)
    tag_counts = np.diff(tags.indptr)
    usable = has_text & (tag_counts > 0)
    first_of = _first_with_equal_text(hashes, usable)
    rows = np.flatnonzero(usable)
    # A row for each document that adds up the documents equal to it, so the product has the tags of all of them.
    copies = csr_array((np.ones(len(rows), bool), (first_of[rows], rows)), shape=(total, total))
    united = copies @ tags
    has_other_tags = usable & (tag_counts != np.diff(united.indptr)[first_of])
    boilerplate = np.zeros(total, bool)
    if boilerplate_copies:
        is_conflict = np.zeros(total, bool)
        is_conflict[first_of[has_other_tags]] = True
        boilerplate = usable & (is_conflict & (np.diff(copies.indptr) >= boilerplate_copies))[first_of]
    kept = (first_of == np.arange(total)) & ~boilerplate
    return Merged(
        kept=kept,
        duplicate=usable & ~kept & ~boilerplate,
        boilerplate=boilerplate,
        tags=united[np.flatnonzero(kept)],
        conflicts=len(np.unique(first_of[has_other_tags & ~boilerplate])),
    )


def _first_with_equal_text(hashes: NDArray[np.uint64], usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each usable document the first usable one with the same hash; -1 for the others."""
    rows = np.flatnonzero(usable)
    by_hash = rows[np.lexsort((rows, hashes[rows, 1], hashes[rows, 0]))]
    begins = np.ones(len(by_hash), bool)
    begins[1:] = (hashes[by_hash[1:]] != hashes[by_hash[:-1]]).any(axis=1)
    first_of = np.full(len(usable), -1, np.int64)
    first_of[by_hash] = by_hash[begins][np.cumsum(begins) - 1]
    return first_of
