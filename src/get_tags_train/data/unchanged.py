"""Which documents have not changed since an earlier tags_vX, and what becomes of them without reading their texts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import Command, _, _n, first_of
from get_tags_train.data.ids import DocumentId, IdList
from get_tags_train.data.reuse import ReusableDocuments
from get_tags_train.data.source import DocumentSource, RawDocument
from get_tags_train.data.tag_lists import TagLists
from get_tags_train.text.clean_columns import source_hashes

SAMPLE = 200
SHOWN_IDS = 10


class UnreliableVersions(GetTagsError):
    """Texts changed while their versions did not."""


class Unchanged(NamedTuple):
    """The documents that are as they were; rows: (ids,) where each stands in the reusable data, -1 if it is to be read.

    Their dates and tags are those of now.
    """

    listed: IdList
    rows: NDArray[np.int32]
    reusable: ReusableDocuments
    tags: TagLists

    def merge(self, start: int, stop: int, read: pa.RecordBatch) -> pa.RecordBatch:
        """The documents of these ids in order: those that were read, in any order, and those that are as they were.

        read, and what comes of it: with the columns of shard_schema.
        """
        within = np.flatnonzero(self.rows[start:stop] >= 0)
        ids = self.listed.ids.slice(start, stop - start)
        order = np.argsort(np.concatenate([within, pc.index_in(read.column("id"), value_set=ids).to_numpy()]))
        both = pa.concat_tables([self._taken(start + within, read.schema), pa.Table.from_batches([read])])
        columns = both.combine_chunks().take(pa.array(order)).columns
        return pa.record_batch([column.combine_chunks() for column in columns], schema=read.schema)

    def _taken(self, places: NDArray[np.int64], schema: pa.Schema) -> pa.Table:
        """The unchanged documents in these places of the list, without their texts."""
        assert self.listed.dates is not None
        rows, (tags, tag_ids) = self.rows[places], self.tags.take(places)
        record = self.reusable.take_record(rows)
        columns = {name: record[name] for name in record.schema.names} | {
            "tags": tags,
            "tag_ids": tag_ids,
            "date": self.listed.dates.take(pa.array(places)),
            "row": pa.array(rows),
        }
        return pa.table([columns.get(f.name, pa.nulls(len(rows), f.type)) for f in schema], schema=schema)


class Audit(NamedTuple):
    """What documents are compared with as they are read; rows: (ids,) where each stands in the reusable data, or -1."""

    reusable: ReusableDocuments
    rows: NDArray[np.int32]

    def changed_unnoticed(
        self, ids: pa.Array, places: NDArray[np.int64], documents: Sequence[RawDocument]
    ) -> list[DocumentId]:
        """Those of the documents that have the same version and another title or text; their ids have these places."""
        row_of = dict(zip(ids.take(pa.array(places)).to_pylist(), self.rows[places].tolist(), strict=True))
        known = [document for document in documents if row_of[document.id] >= 0]
        if not known:
            return []
        rows = np.array([row_of[document.id] for document in known])
        versions = self.reusable.take_record(rows)["version"].to_pylist()
        stored = self.reusable.take(rows)["source_hash"].to_pylist()
        now = source_hashes([(document.title, document.text) for document in known]).to_pylist()
        return [
            document.id
            for document, version, was, is_now in zip(known, versions, stored, now, strict=True)
            if document.version == version and was != is_now
        ]


def check_unchanged(
    source: DocumentSource,
    listed: IdList,
    rows: NDArray[np.int32],
    reusable: ReusableDocuments,
    *,
    tags_page_size: int | None,
    on_event: OnEvent,
) -> Unchanged:
    """The documents with the versions of the reusable data; rows: (ids,) where each stands there, or -1.

    Some of their texts are read and compared: raises UnreliableVersions where one changed under the same version. Tags
    are read in one scan where tags_page_size is None, else so many ids at a time; a document whose tags only `page` can
    tell is to be read after all.
    """
    _check_sample(source, listed, rows, reusable)
    tags = source.read_tags(listed.ids, tags_page_size)
    if tags is None:
        said = _("A tag cannot be decoded, so all texts are read to find the documents that have it.")
        on_event(Notice(said, "warning"))
        tags = TagLists.unknown(len(listed.ids))
    unchanged = Unchanged(listed, np.where(tags.unsure, -1, rows), reusable, tags)
    said = _n(
        "{count:,} of {all:,} documents has the version that it has in {name}: its text is not read again.",
        "{count:,} of {all:,} documents have the version that they have in {name}: their texts are not read again.",
        int((unchanged.rows >= 0).sum()),
        all=len(rows),
        name=reusable.name,
    )
    on_event(Notice(said))
    return unchanged


def _check_sample(source: DocumentSource, listed: IdList, rows: NDArray[np.int32], reusable: ReusableDocuments) -> None:
    reused = np.flatnonzero(rows >= 0)
    chosen = np.sort(np.random.default_rng().choice(reused, min(SAMPLE, len(reused)), replace=False))
    documents = source.page(listed.ids.take(pa.array(chosen)).to_pylist())
    if lied := Audit(reusable, rows).changed_unnoticed(listed.ids, chosen, documents):
        raise UnreliableVersions(
            _n(
                "Of {sample:,} documents with an unchanged version, {count:,} has another text: {ids}.",
                "Of {sample:,} documents with an unchanged version, {count:,} have another text: {ids}.",
                len(lied),
                sample=len(chosen),
                ids=first_of(lied, shown=SHOWN_IDS, joined=", "),
            ),
            _(
                "To read all texts: {full}. Then have the column version of documents_query change whenever a title or "
                "text does, or leave it out.",
                full=Command("extract", "--full"),
            ),
        )
