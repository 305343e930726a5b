"""The tags of many documents at once, as a scan of the database gives them: pairs of an id and a tag, in any order."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.data.ids import DocumentId, folded

TagRow = tuple[DocumentId, str | None, str | None]
"""A document's id, one of its tags (None: they cannot be read), and the tag's own id where the database gives it."""
_AT_ONCE = 100_000


class TagLists:
    """The tags of each document, by its place among the ids; in memory are 4 bytes of each, and 4 of each tag it has.

    unsure: (documents,) True where only a query by id can tell the tags: they cannot be read, or belong to an id that
    is spelt a little otherwise, which some servers take as equal.
    """

    def __init__(self, pairs: "_Pairs") -> None:
        rows, numbers = np.concatenate(pairs.rows), np.concatenate(pairs.numbers)
        order = np.argsort(rows, kind="stable")
        self._numbers = numbers[order]
        self._offsets = np.zeros(len(pairs.ids) + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=len(pairs.ids)), out=self._offsets[1:])
        self._tags = pa.array([tag for tag, _ in pairs.labels], pa.string())
        self._tag_ids = pa.array([tag_id for _, tag_id in pairs.labels], pa.string())
        self.unsure = pairs.unsure()

    def take(self, rows: NDArray[np.int64]) -> tuple[pa.ListArray, pa.ListArray]:
        """The tags, and as many tag_ids, of the documents in these places; no tag_ids where the database has none."""
        counts = self._offsets[rows + 1] - self._offsets[rows]
        offsets = np.zeros(len(rows) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        places = np.repeat(self._offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        numbers = pa.array(self._numbers[places])
        tags = pa.ListArray.from_arrays(offsets, self._tags.take(numbers))
        if self._tag_ids.null_count == len(self._tag_ids):
            return tags, pa.ListArray.from_arrays(np.zeros_like(offsets), self._tag_ids[:0])
        return tags, pa.ListArray.from_arrays(offsets, self._tag_ids.take(numbers))


def collect_tags(ids: pa.Array, partitions: Iterable[Sequence[TagRow]]) -> TagLists:
    """The tags of the documents with these ids; rows of others are passed over."""
    pairs, waiting = _Pairs(ids), list[TagRow]()
    for rows in partitions:
        waiting += rows
        if len(waiting) >= _AT_ONCE:
            pairs.add(waiting)
            waiting = []
    pairs.add(waiting)
    return TagLists(pairs)


class _Pairs:
    """Pairs as they come: the place of the document among the ids, and the number of the tag."""

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self.rows: list[NDArray[np.int32]] = []
        self.numbers: list[NDArray[np.int32]] = []
        self.labels: dict[tuple[str | None, str | None], int] = {}
        self._unreadable: list[NDArray[np.int32]] = []
        # Hashes of ids that are no document's, as servers compare that ignore case and blanks.
        self._strangers = np.zeros(0, np.int64)

    def add(self, found: Sequence[TagRow]) -> None:
        places = pc.index_in(pa.array([row[0] for row in found], self.ids.type), value_set=self.ids)
        is_known = pc.is_valid(places).to_numpy(zero_copy_only=False)
        rows = pc.fill_null(places, 0).to_numpy()
        labels = self.labels
        numbers = np.fromiter(
            (labels.setdefault((tag, tag_id), len(labels)) for _, tag, tag_id in found), np.int32, len(found)
        )
        is_readable = np.fromiter((tag is not None for _, tag, _ in found), bool, len(found))
        self.rows.append(rows[is_known & is_readable])
        self.numbers.append(numbers[is_known & is_readable])
        self._unreadable.append(rows[is_known & ~is_readable])
        if pa.types.is_string(self.ids.type):
            strange = [hash(folded(found[n][0])) for n in np.flatnonzero(~is_known).tolist()]
            self._strangers = np.union1d(self._strangers, np.array(strange, np.int64))

    def unsure(self) -> NDArray[np.bool_]:
        unsure = np.zeros(len(self.ids), bool)
        unsure[np.concatenate(self._unreadable)] = True
        if len(self._strangers):
            own = np.fromiter((hash(folded(i.as_py())) for i in self.ids), np.int64, len(self.ids))
            unsure |= np.isin(own, self._strangers)
        return unsure
