"""What tags_vX keeps so that the next extraction need not read unchanged documents: versions, and texts left out.

versions.arrows has a row for each document of documents-*.arrow, in stored order, and then one for each document of
left_out.arrows: those that were read but are not in the data, being duplicates or without tags, for example.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from get_tags_train.core.arrow import read_batches
from get_tags_train.core.files import atomic_write

VERSIONS, LEFT_OUT = "versions.arrows", "left_out.arrows"
VERSION_FIELDS = [
    pa.field("version", pa.binary()),  # as read_version gives it; NULL: it has to be read again
    pa.field("digest", pa.binary(32)),  # its own in the checksum, right as long as its tags have this tags_sum
    pa.field("tags_sum", pa.uint64()),
]
_LEFT_OUT = pa.schema(
    [
        ("text", pa.string()),
        ("source_hash", pa.binary()),
        ("input_ids", pa.list_(pa.int32())),
    ]
)

Record = Callable[..., None]
"""Adds a batch of documents; `digest=...` and `tags_sum=...` are given where they are not its own."""


def _record_schema(id_type: pa.DataType) -> pa.Schema:
    sizes = [("characters", pa.int32()), ("removed", pa.int32())]
    return pa.schema([("id", id_type), *VERSION_FIELDS, *sizes, ("text_hash", pa.binary())])


@contextmanager
def record_versions(folder: Path, id_type: pa.DataType) -> Iterator[Record]:
    """Gives what adds documents to versions.arrows."""
    schema = _record_schema(id_type)
    with atomic_write(folder / VERSIONS) as sink, pa.ipc.new_stream(sink, schema) as stream:

        def add(documents: pa.RecordBatch, **given: Any) -> None:
            columns = [given[name] if name in given else documents.column(name) for name in schema.names]
            stream.write_batch(pa.record_batch(columns, schema=schema))

        yield add


@contextmanager
def record_left_out(folder: Path, record: Record) -> Iterator[Record]:
    """Gives what adds documents that are not in the data to both files; after those that are."""
    with atomic_write(folder / LEFT_OUT) as sink, pa.ipc.new_stream(sink, _LEFT_OUT) as stream:

        def add(documents: pa.RecordBatch) -> None:
            record(documents)
            stream.write_batch(documents.select(_LEFT_OUT.names).replace_schema_metadata())

        yield add


def read_versions(folder: Path, documents: int) -> pa.Table:
    """The record of so many documents, and of those left out. Raises ArrowException or OSError where it is damaged."""
    batches = list(read_batches(folder / VERSIONS))
    if any(batch.schema not in map(_record_schema, (pa.int64(), pa.string())) for batch in batches):
        raise pa.ArrowInvalid("other columns")
    record = pa.Table.from_batches(batches)
    record.validate(full=True)
    left_out = sum(map(len, read_left_out(folder)))
    if len(record) != documents + left_out:
        raise pa.ArrowInvalid("another number of documents")
    return record


def read_left_out(folder: Path) -> list[pa.RecordBatch]:
    """The documents that were left out. Raises ArrowException or OSError where they are damaged."""
    batches = list(read_batches(folder / LEFT_OUT))
    for batch in batches:
        if batch.schema != _LEFT_OUT:
            raise pa.ArrowInvalid("other columns")
        batch.validate(full=True)
    return batches
