"""Arrow tables written in batches, and the few columns that are read from them most often."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.files import atomic_write


def list_rows(column: pa.ListArray) -> list[NDArray[np.int32]]:
    """The rows of a list<int32> column as views of its memory."""
    offsets = column.offsets.to_numpy()
    values = column.values.to_numpy()
    return [values[start:stop] for start, stop in pairwise(offsets)]


def hashes_as_integers(column: pa.BinaryArray) -> NDArray[np.uint64]:
    """A column of 16-byte hashes as (documents, 2) numbers."""
    return np.frombuffer(b"".join(column.to_pylist()), np.uint64).reshape(-1, 2)


def list_column(rows: Sequence[NDArray[np.int32]]) -> pa.ListArray:
    """A list<int32> column of these rows."""
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, np.concatenate(rows) if rows else np.zeros(0, np.int32))


def write_batches(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write an Arrow stream file, whole or not at all."""
    with atomic_write(path) as sink, pa.ipc.new_stream(sink, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
