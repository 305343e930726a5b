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
        spelt = encoded.dictionary.to_pylist()
        by_place = np.array([self._number(spelling) for spelling in spelt], np.int64)
        numbers: NDArray[np.int64] = by_place[encoded.indices.to_numpy(zero_copy_only=False)]
        if len(tag_ids):
            given = tag_ids.dictionary_encode()
            known = given.indices.is_valid().to_numpy(zero_copy_only=False) & (numbers >= 0)
            places = given.indices.fill_null(0).to_numpy().astype(np.int64)
            pairs, times = np.unique((places << 32 | numbers)[known], return_counts=True)
            all_ids = given.dictionary.to_pylist()
            for pair, count in zip(pairs.tolist(), times.tolist(), strict=True):
                self._named[all_ids[pair >> 32], pair & 0xFFFFFFFF] += count
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
