"""What is read of all documents without their texts: ids, versions, dates, tags."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from get_tags_train.core.errors import InputError
from get_tags_train.data.cells import read_date, read_switch, read_tags, read_text, read_version
from get_tags_train.data.ids import DocumentId, IdList
from get_tags_train.data.query_tables import QueryTables
from get_tags_train.data.tag_lists import Label, TagLists, TagPairs

Pages = Iterable[Sequence[DocumentId]]


def list_ids(tables: QueryTables, after: date | None = None) -> IdList:
    """The ids of all documents, sorted by value; with versions and dates where the documents come with versions.

    after: only those of documents with a later date; one without a date is none of these.
    """
    if tables.has_versions:
        listed = list_versions(tables)
        return listed if after is None else _later(listed, after)
    chunks, nulls = [], 0
    columns = tables.document_columns(*([] if after is None else ["date"]))
    for rows in tables.rows(columns, tables.documents):
        if after is not None:  # compared here: the column may be a text
            rows = [row for row in rows if (dated := read_date(row[1])) is not None and dated > after]
        values = [tables.id_type.from_documents(row[0]) for row in rows if row[0] is not None]
        nulls += len(rows) - len(values)
        chunks.append(pa.array(values, tables.id_type.arrow))
    all_ids = pa.chunked_array(chunks, tables.id_type.arrow).combine_chunks()
    ids = pc.unique(all_ids)
    ids = ids.take(pc.array_sort_indices(ids))
    return IdList(ids, nulls, len(all_ids) - len(ids))


def _later(listed: IdList, after: date) -> IdList:
    is_later = pc.fill_null(pc.greater(listed.dates, pa.scalar(after, pa.date32())), fill_value=False)
    assert listed.versions is not None and listed.dates is not None
    kept = (column.filter(is_later) for column in (listed.ids, listed.versions, listed.dates))
    ids, versions, dates = kept
    return listed._replace(ids=ids, versions=versions, dates=dates)


def list_versions(tables: QueryTables, chosen: Pages | None = None) -> IdList:
    """The ids of all documents, or of the chosen pages, sorted, with versions and dates.

    An id that several rows have gets no version: which of them is read is the database's choice.
    """
    own = tables.id_type
    schema = pa.schema([("id", own.arrow), ("version", pa.binary()), ("date", pa.date32())])
    batches, nulls = [], 0
    for rows in tables.rows(tables.document_columns("version", "date"), tables.documents, chosen):
        found = [row for row in rows if row[0] is not None]
        nulls += len(rows) - len(found)
        ids = [i if type(i) is int and own.is_integer else own.from_documents(i) for i, *_ in found]
        versions = [read_version(version) for _, version, _ in found]
        dates = [read_date(dated) for *_, dated in found]
        batches.append(pa.record_batch([ids, versions, dates], schema=schema))
    listed = pa.Table.from_batches(batches, schema).sort_by("id").combine_chunks()
    all_ids = _whole(listed["id"])
    repeats = pc.equal(all_ids[1:], all_ids[:-1]).to_numpy(zero_copy_only=False)
    edge = np.zeros(len(all_ids) - len(repeats), bool)
    is_repeat = np.concatenate([edge, repeats])
    is_repeated = is_repeat | np.concatenate([repeats, edge])
    versions = pc.if_else(pa.array(is_repeated), pa.scalar(None, pa.binary()), _whole(listed["version"]))
    first = pa.array(~is_repeat)
    ids, versions, dates = (column.filter(first) for column in (all_ids, versions, _whole(listed["date"])))
    return IdList(ids, nulls, int(is_repeat.sum()), versions, dates)


def scan_tags(tables: QueryTables, ids: pa.Array, chosen: Pages | None = None) -> TagLists:
    """The tags of the documents with these ids, out of those of all documents, or of the chosen pages of ids."""
    if tables.tags is None:
        pairs = TagPairs(ids, _labels_of_column)
        for rows in tables.rows(tables.document_columns("tags"), tables.documents, chosen):
            known = [row for row in rows if row[0] is not None]
            cells = [(tuple(cell) if isinstance(cell, list) else cell,) for _, cell in known]
            pairs.add([tables.id_type.from_documents(row[0]) for row in known], cells)
        return pairs.collect()
    pairs = TagPairs(ids, _labels_of_pair)
    plain = int if tables.id_type.is_integer else str
    for rows in tables.rows(tables.all_tags(), tables.tags, chosen):
        ids_of_rows = [row[0] for row in rows]
        if set(map(type, ids_of_rows)) != {plain}:
            read = [(_id_of_pair(tables, row[0]), row) for row in rows]
            rows = [row for document_id, row in read if document_id is not None]
            ids_of_rows = [document_id for document_id, _ in read if document_id is not None]
        pairs.add(ids_of_rows, [row[1:] for row in rows])
    return pairs.collect()


def _id_of_pair(tables: QueryTables, document_id: Any) -> DocumentId | None:
    """None where it cannot be a document's: that of a row about something else."""
    try:
        return None if document_id is None else tables.id_type.from_tags(document_id)
    except InputError:
        return None


def _labels_of_pair(tag: Any, tag_id: Any, active: Any) -> list[Label]:
    if tag is None or not read_switch(active, "active", "tags_query"):
        return []
    return [(read_text(tag, "tag", "tags_query") or "", read_text(tag_id, "tag_id", "tags_query"))]


def _labels_of_column(cell: Any) -> list[Label] | None:
    try:
        return [(tag, None) for tag in read_tags(cell, "tags", "documents_query")]
    except ValueError:
        return None


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
