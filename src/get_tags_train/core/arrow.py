"""Arrow files, written and read in batches, and the few columns that are read from them most often."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.files import atomic_write


def write_batches(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write an Arrow stream file, whole or not at all."""
    with atomic_write(path) as sink, pa.ipc.new_stream(sink, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)


def read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow stream file, memory-mapped. Raises ArrowException or OSError where it is damaged."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def with_first_row(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Each batch with the number of its first row, where the rows of all batches are counted."""
    first = 0
    for batch in batches:
        yield first, batch
        first += len(batch)


def list_rows(column: pa.ListArray) -> list[NDArray[np.int32]]:
    """The rows of a list<int32> column as views of its memory."""
    offsets = column.offsets.to_numpy()
    values = column.values.to_numpy()
    return [values[start:stop] for start, stop in pairwise(offsets)]


def list_column(rows: Sequence[NDArray[np.int32]]) -> pa.ListArray:
    """A list<int32> column of these rows."""
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, np.concatenate(rows) if rows else np.zeros(0, np.int32))


def hashes_as_integers(column: pa.BinaryArray) -> NDArray[np.uint64]:
    """A column of 16-byte hashes as (rows, 2) numbers."""
    return np.frombuffer(b"".join(column.to_pylist()), np.uint64).reshape(-1, 2)
