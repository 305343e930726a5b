"""What changed between two tags_vX: documents and tags that were added, removed or changed."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import hashes_as_integers
from get_tags_train.data.prepared import PreparedData


@dataclass(frozen=True)
class Ids:
    """Ids of the `chosen` documents, read from the data when they are asked for; chosen: (documents,)."""

    data: PreparedData
    chosen: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(np.count_nonzero(self.chosen))

    def __iter__(self) -> Iterator[int | str]:
        for first, batch in self.data.numbered_batches():
            yield from batch.column("id").filter(pa.array(self.chosen[first : first + len(batch)])).to_pylist()


@dataclass(frozen=True)
class Difference:
    """What became of documents and tags from one tags_vX to another.

    `documents` are ids by what happened to them, those that went in the old order and the others in the new one;
    `tags` are documents per tag, by what happened to the tag: (in the old data, in the new ones), 0 where not there.
    """

    documents: dict[str, Ids]
    unchanged: int
    tags: dict[str, dict[str, tuple[int, int]]]

    def as_json(self, shown: int) -> dict[str, Any]:
        """Counts, with the first few ids and tags of each kind."""
        documents = {
            what: {"count": len(ids), "first": list(islice(ids, shown))} for what, ids in self.documents.items()
        }
        tags = {
            what: {
                "count": len(tags),
                "first": [{"tag": tag, "old": old, "new": new} for tag, (old, new) in islice(tags.items(), shown)],
            }
            for what, tags in self.tags.items()
        }
        return {"documents": {**documents, "unchanged": {"count": self.unchanged}}, "tags": tags}

    def rows(self) -> Iterator[tuple[int | str, str]]:
        """(id, what happened) of every document that is not as it was."""
        for what, ids in self.documents.items():
            for document_id in ids:
                yield document_id, what.replace("_", " ")


class _Digests(NamedTuple):
    """What tells documents apart, 64 bits each, in stored order."""

    ids: NDArray[np.uint64]
    texts: NDArray[np.uint64]
    tags: NDArray[np.uint64]


def compare(old_data: PreparedData, new_data: PreparedData) -> Difference:
    """Join two versions by id, as text where not both have integers. In memory are about 50 bytes of each document."""
    as_text = not (_has_integers(old_data) and _has_integers(new_data))
    renamed = _renamed(old_data, new_data)
    old = _digests(old_data, [renamed.get(tag, tag) for tag in old_data.tags], as_text)
    new = _digests(new_data, new_data.tags, as_text)
    order = np.argsort(old.ids)
    places = order[np.searchsorted(old.ids, new.ids, sorter=order).clip(max=len(order) - 1)]
    common = old.ids[places] == new.ids
    went = np.ones(len(old.ids), bool)
    went[places[common]] = False
    texts, tags = (common & (before[places] != now) for before, now in zip(old[1:], new[1:], strict=True))
    documents = {
        "came": Ids(new_data, ~common),
        "went": Ids(old_data, went),
        "text_changed": Ids(new_data, texts & ~tags),
        "tags_changed": Ids(new_data, tags & ~texts),
        "text_and_tags_changed": Ids(new_data, texts & tags),
    }
    return Difference(
        documents, int(np.count_nonzero(common & ~texts & ~tags)), _compare_tags(old_data, new_data, renamed)
    )


def _has_integers(data: PreparedData) -> bool:
    return bool(pa.types.is_integer(next(data.batches()).schema.field("id").type))


def _digests(data: PreparedData, tags: Sequence[str], as_text: bool) -> _Digests:
    keys = np.array([_key(tag) for tag in tags], np.uint64)
    parts = [
        _Digests(
            _text_ids(batch.column("id")) if as_text else batch.column("id").to_numpy().astype(np.uint64),
            hashes_as_integers(batch.column("text_hash"))[:, 0].copy(),
            _tag_digests(batch.column("tags"), keys),
        )
        for batch in data.batches()
    ]
    return _Digests(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _text_ids(column: pa.Array) -> NDArray[np.uint64]:
    return np.array([_key(str(document_id)) for document_id in column.to_pylist()], np.uint64)


def _tag_digests(column: pa.ListArray, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The sum of each document's tags' keys, modulo 2^64: the same in any order and under any numbering."""
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(keys[column.values.to_numpy()], dtype=np.uint64)])
    offsets = column.offsets.to_numpy()
    difference: NDArray[np.uint64] = sums[offsets[1:]] - sums[offsets[:-1]]
    return difference


def _compare_tags(
    old_data: PreparedData, new_data: PreparedData, renamed: Mapping[str, str]
) -> dict[str, dict[str, tuple[int, int]]]:
    """Tags by what happened, those with the greatest change in documents first; a renamed one is `old → new`."""
    old, new = (dict(zip(data.tags, data.tag_counts, strict=True)) for data in (old_data, new_data))
    both = {tag: (old.get(tag, 0), new.get(tag, 0)) for tag in old.keys() | new.keys()}
    changes = _by_count({tag: abs(after - before) for tag, (before, after) in both.items() if after != before})
    found: dict[str, dict[str, tuple[int, int]]] = {"came": {}, "went": {}, "renamed": {}, "documents_changed": {}}
    for tag, _ in changes:
        before, after = both[tag]
        if tag in renamed:
            found["renamed"][f"{tag} → {renamed[tag]}"] = before, new[renamed[tag]]
        elif tag not in renamed.values():
            found["came" if not before else "documents_changed" if after else "went"][tag] = before, after
    return found


def _renamed(old_data: PreparedData, new_data: PreparedData) -> dict[str, str]:
    """Tags that went, by the name that came with the same id of the database."""
    new_of_id = {tag_id: tag for tag, ids in zip(new_data.tags, new_data.tag_ids, strict=True) for tag_id in ids}
    renamed: dict[str, str] = {}
    for tag, ids in zip(old_data.tags, old_data.tag_ids, strict=True):
        now = next((new_of_id[tag_id] for tag_id in ids if tag_id in new_of_id), tag)
        if tag not in new_data.tags and now not in old_data.tags and now not in renamed.values():
            renamed[tag] = now
    return renamed


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Highest count first, equal ones by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
