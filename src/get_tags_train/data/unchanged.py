"""Which documents have not changed since an earlier tags_vX, and what becomes of them without reading their texts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import Command, _, _n
from get_tags_train.data.ids import DocumentId, IdList
from get_tags_train.data.reuse import ReusableDocuments
from get_tags_train.data.shards import shard_schema
from get_tags_train.data.source import DocumentSource, RawDocument
from get_tags_train.data.tag_lists import TagLists
from get_tags_train.text.clean_columns import source_hashes

SAMPLE = 200
_SHOWN = 10


class UnreliableVersions(GetTagsError):
    """Texts changed while their versions did not."""


class Unchanged(NamedTuple):
    """The documents that are as they were; rows: (ids,) where each stands in the reusable data, -1 if it is to be read.

    Their versions, dates and tags are those of now.
    """

    listed: IdList
    rows: NDArray[np.int32]
    reusable: ReusableDocuments
    tags: TagLists

    def take(self, start: int, stop: int) -> tuple[NDArray[np.int64], pa.Table]:
        """Those among these ids: their places, counted from start, and the documents as shard_schema has them."""
        within = np.flatnonzero(self.rows[start:stop] >= 0)
        places = within + start
        rows, wanted = self.rows[places], pa.array(places)
        texts, record = self.reusable.take(rows), self.reusable.take_record(rows)
        tags, tag_ids = self.tags.take(places)
        assert self.listed.dates is not None
        columns = {
            "id": self.listed.ids.take(wanted),
            "tags": tags,
            "tag_ids": tag_ids,
            "problem": pa.nulls(len(rows), pa.string()),
            "date": self.listed.dates.take(wanted),
        }
        schema = shard_schema(self.listed.ids.type, has_versions=True)
        for table in (texts, record):
            columns |= {name: table[name] for name in table.schema.names}
        return within, pa.table([columns[name] for name in schema.names], schema=schema)


def find_unchanged(
    source: DocumentSource,
    listed: IdList,
    reusable: ReusableDocuments,
    done: int,
    *,
    tags_page_size: int | None,
    on_event: OnEvent,
) -> Unchanged | None:
    """The documents, from place `done` on, whose versions are those of the reusable data; None where there are none.

    Tags are read in one scan where tags_page_size is None, else so many ids at a time. A document whose tags only
    `page` can tell is read anew.
    Some of the texts are read and compared: raises UnreliableVersions where one changed under the same version.
    """
    assert listed.versions is not None
    rows = reusable.find(listed.versions)
    rows[:done] = -1
    if not (rows >= 0).any():
        return None
    tags = source.read_tags(listed.ids, tags_page_size)
    if tags is None:
        said = _("A tag cannot be decoded, so all texts are read to find the documents that have it.")
        on_event(Notice(said, "warning"))
        return None
    rows[tags.unsure] = -1
    unchanged = Unchanged(listed, rows, reusable, tags)
    _check_sample(source, unchanged)
    said = _n(
        "{count:,} of {all:,} documents has the version that it has in {name}: its text is not read again.",
        "{count:,} of {all:,} documents have the version that they have in {name}: their texts are not read again.",
        int((rows >= 0).sum()),
        all=len(rows),
        name=reusable.name,
    )
    on_event(Notice(said))
    return unchanged


def changed_unnoticed(reusable: ReusableDocuments, documents: Sequence[RawDocument]) -> list[DocumentId]:
    """Those of the documents that have the version of the reusable data, but another title or text."""
    rows = reusable.find(pa.array([document.version for document in documents], pa.binary(16)))
    places = np.flatnonzero(rows >= 0)
    if not len(places):
        return []
    same = [documents[place] for place in places.tolist()]
    stored = reusable.take(rows[places], ["source_hash"])["source_hash"].to_pylist()
    now = source_hashes([(document.title, document.text) for document in same]).to_pylist()
    return [document.id for document, is_now, was in zip(same, now, stored, strict=True) if is_now != was]


def shown_ids(ids: Sequence[DocumentId]) -> str:
    """The first of these ids, for a message."""
    return ", ".join(map(str, ids[:_SHOWN])) + (", ..." if len(ids) > _SHOWN else "")


def _check_sample(source: DocumentSource, unchanged: Unchanged) -> None:
    reused = np.flatnonzero(unchanged.rows >= 0)
    chosen = np.sort(np.random.default_rng().choice(reused, min(SAMPLE, len(reused)), replace=False))
    documents = source.page(unchanged.listed.ids.take(pa.array(chosen)).to_pylist())
    if lied := changed_unnoticed(unchanged.reusable, documents):
        raise UnreliableVersions(
            _n(
                "Of {sample:,} documents with an unchanged version, {count:,} has another text: {ids}.",
                "Of {sample:,} documents with an unchanged version, {count:,} have another text: {ids}.",
                len(lied),
                sample=len(chosen),
                ids=shown_ids(lied),
            ),
            _(
                "To read all texts: {full}. Then have the column version of documents_query change whenever a title or "
                "text does, or leave it out.",
                full=Command("extract", "--full"),
            ),
        )
