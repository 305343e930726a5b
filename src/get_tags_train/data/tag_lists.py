"""The tags of many documents at once, as a scan of the database gives them: pairs of an id and a tag, in any order."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.data.ids import DocumentId, folded

Label = tuple[str, str | None]
"""A tag, and its own id where the database gives one."""
_AT_ONCE = 100_000
_UNREADABLE = -1


class TagLists:
    """The tags of each document, by its place among the ids; in memory are 4 bytes of each, and 4 of each tag it has.

    unsure: (documents,) True where only a query by id can tell the tags: they cannot be read, or belong to an id that
    is spelt a little otherwise, which some servers take as equal.
    """

    def __init__(
        self, rows: NDArray[np.int32], numbers: NDArray[np.int32], labels: Sequence[Label], unsure: NDArray[np.bool_]
    ) -> None:
        """rows, numbers: of each pair, the place of the document and which of the labels it has."""
        self._numbers = numbers[np.argsort(rows, kind="stable")]
        self._offsets = np.zeros(len(unsure) + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=len(unsure)), out=self._offsets[1:])
        self._tags = pa.array([tag for tag, _ in labels], pa.string())
        self._tag_ids = pa.array([tag_id for _, tag_id in labels], pa.string())
        self.unsure = unsure

    @classmethod
    def unknown(cls, documents: int) -> "TagLists":
        """Of so many documents, where only a query by id can tell the tags of each."""
        none = np.zeros(0, np.int32)
        return cls(none, none, [], np.ones(documents, bool))

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


class TagPairs:
    """Gathers rows as they come: a document's id, and cells that give it labels; rows of other ids are passed over."""

    def __init__(self, ids: pa.Array, read_cells: Callable[..., list[Label] | None]) -> None:
        """read_cells: the labels in the cells of a row, None where they cannot be read; equal cells are read once."""
        self._ids, self._read_cells = ids, read_cells
        self._labels: dict[Label, int] = {}
        self._numbers_of: dict[tuple[Any, ...], list[int]] = {}
        self._waiting: list[DocumentId] = []
        self._found: list[list[int]] = []
        self._rows, self._numbers = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        # Hashes of ids that are no document's, as servers compare that ignore case and blanks.
        self._strangers = np.zeros(0, np.int64)

    def add(self, ids: Sequence[DocumentId], cells: Sequence[tuple[Any, ...]]) -> None:
        """Add rows."""
        try:
            self._found += [self._numbers_of.get(own) or self._read(own) for own in cells]
        except TypeError:  # a cell that has no hash
            del self._found[len(self._waiting) :]
            self._found += [self._read(own) for own in cells]
        self._waiting += ids
        if len(self._waiting) >= _AT_ONCE:
            self._place()

    def collect(self) -> TagLists:
        """The tags of all that was added."""
        self._place()
        rows, numbers = np.concatenate(self._rows), np.concatenate(self._numbers)
        unsure = np.zeros(len(self._ids), bool)
        unsure[rows[numbers == _UNREADABLE]] = True
        if len(self._strangers):
            own = np.fromiter((hash(folded(i.as_py())) for i in self._ids), np.int64, len(self._ids))
            unsure |= np.isin(own, self._strangers)
        is_label = numbers >= 0
        return TagLists(rows[is_label], numbers[is_label], list(self._labels), unsure)

    def _read(self, cells: tuple[Any, ...]) -> list[int]:
        labels = self._read_cells(*cells)
        if labels is None:
            return [_UNREADABLE]
        numbers = [self._labels.setdefault(label, len(self._labels)) for label in labels]
        if len(numbers) == 1:  # one cell for one tag: there are as many as tags
            with suppress(TypeError):
                self._numbers_of[cells] = numbers
        return numbers

    def _place(self) -> None:
        """Find the documents of what waits."""
        ids, counts = self._waiting, np.fromiter(map(len, self._found), np.int64, len(self._found))
        numbers = np.fromiter(chain.from_iterable(self._found), np.int32, counts.sum())
        places = pc.index_in(pa.array(ids, self._ids.type), value_set=self._ids)
        is_known = pc.is_valid(places).to_numpy(zero_copy_only=False)
        of_known = np.repeat(is_known, counts)
        self._rows.append(np.repeat(pc.fill_null(places, 0).to_numpy(), counts)[of_known])
        self._numbers.append(numbers[of_known])
        if pa.types.is_string(self._ids.type):
            strange = [hash(folded(ids[n])) for n in np.flatnonzero(~is_known).tolist()]
            self._strangers = np.union1d(self._strangers, np.array(strange, np.int64))
        self._waiting, self._found = [], []
