"""What is read of all documents without their texts: ids, versions, dates, tags."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from get_tags_train.data.cells import read_date, read_switch, read_tags, read_text, version_key
from get_tags_train.data.ids import DocumentId, IdList
from get_tags_train.data.query_tables import QueryTables
from get_tags_train.data.tag_lists import TagRow

Pages = Iterable[Sequence[DocumentId]]


def list_ids(tables: QueryTables) -> IdList:
    """The ids of all documents, sorted by value; with versions and dates where the documents come with versions."""
    if tables.has_versions:
        return list_versions(tables)
    chunks, nulls = [], 0
    for rows in tables.rows(tables.document_columns(), tables.documents):
        values = [tables.id_type.from_documents(row[0]) for row in rows if row[0] is not None]
        nulls += len(rows) - len(values)
        chunks.append(pa.array(values, tables.id_type.arrow))
    all_ids = pa.chunked_array(chunks, tables.id_type.arrow).combine_chunks()
    ids = pc.unique(all_ids)
    ids = ids.take(pc.array_sort_indices(ids))
    return IdList(ids, nulls, len(all_ids) - len(ids))


def list_versions(tables: QueryTables, chosen: Pages | None = None) -> IdList:
    """The ids of all documents, or of the chosen pages, sorted, with versions and dates.

    An id that several rows have gets no version: which of them is read is the database's choice.
    """
    schema = pa.schema([("id", tables.id_type.arrow), ("version", pa.binary(16)), ("date", pa.date32())])
    batches, nulls = [], 0
    for rows in tables.rows(tables.document_columns("version", "date"), tables.documents, chosen):
        found = [(tables.id_type.from_documents(row[0]), row[1], row[2]) for row in rows if row[0] is not None]
        nulls += len(rows) - len(found)
        ids, dates = [row[0] for row in found], [read_date(row[2]) for row in found]
        batches.append(pa.record_batch([ids, [version_key(*row[:2]) for row in found], dates], schema=schema))
    listed = pa.Table.from_batches(batches, schema).sort_by("id").combine_chunks()
    all_ids = _whole(listed["id"])
    repeats = pc.equal(all_ids[1:], all_ids[:-1]).to_numpy(zero_copy_only=False)
    edge = np.zeros(len(all_ids) - len(repeats), bool)
    is_repeat = np.concatenate([edge, repeats])
    is_repeated = is_repeat | np.concatenate([repeats, edge])
    versions = pc.if_else(pa.array(is_repeated), pa.scalar(None, pa.binary(16)), _whole(listed["version"]))
    first = pa.array(~is_repeat)
    ids, versions, dates = (column.filter(first) for column in (all_ids, versions, _whole(listed["date"])))
    return IdList(ids, nulls, int(is_repeat.sum()), versions, dates)


def tag_rows(tables: QueryTables, chosen: Pages | None = None) -> Iterator[list[TagRow]]:
    """The tags of all documents, or of the chosen pages of ids, some pairs at a time."""
    if tables.tags is None:
        for rows in tables.rows(tables.document_columns("tags"), tables.documents, chosen):
            yield [found for row in rows if row[0] is not None for found in _tags_of_column(tables, *row)]
        return
    plain = int if tables.id_type.is_integer else str  # what most cells are, and is taken as it is
    for rows in tables.rows(tables.all_tags(), tables.tags, chosen):
        yield [
            (
                document_id if type(document_id) is plain else tables.id_type.from_tags(document_id),
                tag if type(tag) is str else read_text(tag, "tag", "tags_query"),
                read_text(tag_id, "tag_id", "tags_query") if tables.has_tag_ids else None,
            )
            for document_id, tag, tag_id, active in rows
            if document_id is not None and tag is not None and read_switch(active, "active", "tags_query")
        ]


def _tags_of_column(tables: QueryTables, document_id: Any, cell: Any) -> list[TagRow]:
    """The tags in a cell of the column tags; None as the only one where it cannot be read."""
    own = tables.id_type.from_documents(document_id)
    try:
        return [(own, tag, None) for tag in read_tags(cell, "tags", "documents_query")]
    except ValueError:
        return [(own, None, None)]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
