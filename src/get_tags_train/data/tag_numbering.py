"""Numbers for tags while the shards are read: memory holds each tag once."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.text.tags import normalise_tag


class TagNumbering:
    """Numbers tags as they come: normalised, mapped, and one for all names of one tag_id."""

    def __init__(self, tags_map: Mapping[str, str]) -> None:
        self._tags_map = tags_map
        self._number_of: dict[str, int] = {}
        self._by_spelling: dict[str, int] = {}
        # On how many documents a (tag_id, number of a name) is.
        self._named = Counter[tuple[str, int]]()
        self.spellings: dict[str, list[str]] = {}

    @property
    def names(self) -> list[str]:
        """The tags, by number."""
        return list(self._number_of)

    def numbers(self, tags: pa.StringArray, tag_ids: pa.StringArray) -> NDArray[np.int64]:
        """The number of each tag, -1 where the map drops it; tag_ids: as many, or none at all."""
        encoded = tags.dictionary_encode()
        of_spelling = np.array([self._number(spelling) for spelling in encoded.dictionary.to_pylist()], np.int64)
        numbers: NDArray[np.int64] = of_spelling[encoded.indices.to_numpy(zero_copy_only=False)]
        if len(tag_ids):
            counted = pa.table({"tag_id": tag_ids, "number": numbers}).group_by(["tag_id", "number"])
            for row in counted.aggregate([([], "count_all")]).to_pylist():
                if row["tag_id"] is not None and row["number"] >= 0:
                    self._named[row["tag_id"], row["number"]] += row["count_all"]
        return numbers

    def _number(self, spelling: str) -> int:
        if spelling not in self._by_spelling:
            tag = normalise_tag(spelling)
            self.spellings.setdefault(tag, []).append(spelling)
            tag = self._tags_map.get(tag, tag)
            self._by_spelling[spelling] = self._number_of.setdefault(tag, len(self._number_of)) if tag else -1
        return self._by_spelling[spelling]

    def renamed(self) -> tuple[NDArray[np.int64], dict[str, list[str]]]:
        """The number that each number becomes, and the tag_ids of each tag.

        A tag that was renamed while it was read comes under both names: the one on the most documents stays.
        """
        names, of_id = self.names, dict[str, int]()
        for tag_id, number in sorted(self._named, key=lambda key: (-self._named[key], names[key[1]])):
            of_id.setdefault(tag_id, number)
        final, staying = np.arange(len(names)), set(of_id.values())
        for tag_id, number in self._named:
            if number not in staying:
                final[number] = of_id[tag_id]
        tag_ids: dict[str, list[str]] = {}
        for tag_id, number in sorted(of_id.items()):
            tag_ids.setdefault(names[number], []).append(tag_id)
        return final, tag_ids
