"""Clean texts and tokens of an earlier tags_vX, reused where a document's version is still the same."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.home import data_dir, data_names
from get_tags_train.core.i18n import _
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.version_record import VERSIONS, read_left_out

REUSED_COLUMNS = ("text", "source_hash", "text_hash", "input_ids")
# What decides, beside the version, which clean text and tokens a document becomes, and what its version says.
_SAME = ("tokenizer", "context_length", "text_rules", "database", "documents_query")


class ReusableDocuments:
    """Documents of prepared data, and those left out of it, by version; in memory are 20 bytes of each."""

    def __init__(self, data: PreparedData) -> None:
        """Check that the documents are as they were written, and index their versions. Raises GetTagsError."""
        data.verify_files()
        self.name = data.name
        self._data = data
        for _batch in data.batches():
            pass  # the first pass checks them
        counts = [sum(map(len, data.read(path))) for path in data.document_paths]
        self._record = data.versions()
        counts.append(len(self._record) - sum(counts))
        self._first_of_file = np.concatenate([[0], np.cumsum(counts)])
        versions = self._record["version"].combine_chunks()
        has_version = pc.is_valid(versions).to_numpy(zero_copy_only=False)
        keys = _as_numbers(versions)
        rows = np.flatnonzero(has_version).astype(np.int32)
        self._rows = rows[np.argsort(keys[rows, 0], kind="stable")]
        self._keys = keys[self._rows]
        # Ids mostly come in the order of the files: a page wants rows of one or two, and some that were left out.
        self._file = lru_cache(maxsize=3)(self._read_file)

    def find(self, versions: pa.Array) -> NDArray[np.int32]:
        """The rows of the documents with these version_keys; -1 for NULL and those that are not there."""
        if not len(self._rows):
            return np.full(len(versions), -1, np.int32)
        wanted = _as_numbers(versions)
        places = np.searchsorted(self._keys[:, 0], wanted[:, 0]).clip(max=len(self._keys) - 1)
        is_there = (self._keys[places] == wanted).all(axis=1) & pc.is_valid(versions).to_numpy(zero_copy_only=False)
        return np.where(is_there, self._rows[places], -1)

    def take(self, rows: NDArray[np.int32], columns: Sequence[str] = REUSED_COLUMNS) -> pa.Table:
        """These columns of these rows, in their order."""
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], self._first_of_file)
        parts = []
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            wanted = rows[order[bounds[number] : bounds[number + 1]]] - self._first_of_file[number]
            parts.append(self._file(number).select(columns).take(pa.array(wanted)))
        if (order[1:] > order[:-1]).all():
            return pa.concat_tables(parts)
        back = np.empty(len(rows), np.int64)
        back[order] = np.arange(len(rows))
        return pa.concat_tables(parts).combine_chunks().take(pa.array(back))

    def take_record(self, rows: NDArray[np.int32]) -> pa.Table:
        """The record of these rows: version, digest, tags_sum, characters, removed."""
        return self._record.take(pa.array(rows))

    def _read_file(self, number: int) -> pa.Table:
        paths = self._data.document_paths
        batches = self._data.read(paths[number]) if number < len(paths) else read_left_out(self._data.folder)
        return pa.Table.from_batches(batches).select(REUSED_COLUMNS).combine_chunks()


def find_reusable(home: Path, plan: Mapping[str, Any], on_event: OnEvent) -> ReusableDocuments | None:
    """The newest prepared data of a home whose documents have versions, and were made alike; None where there are none.

    Those from the same kind of source come first: the ids of a file may be few.
    """
    found: list[PreparedData] = []
    for name in data_names(home):
        try:
            data = PreparedData(data_dir(home) / name)
        except GetTagsError as error:
            on_event(Notice(_not_reused(name, error), "warning"))
            continue
        if VERSIONS in data.manifest.files and all(data.manifest.source.get(key) == plan[key] for key in _SAME):
            found.append(data)
    for data in sorted(found, key=lambda data: data.manifest.source["kind"] != plan["kind"]):
        try:
            return ReusableDocuments(data)
        except GetTagsError as error:
            on_event(Notice(_not_reused(data.name, error), "warning"))
    return None


def _not_reused(name: str, error: GetTagsError) -> str:
    return _("Nothing is reused from {name}: {message}", name=name, message=error.message)


def _as_numbers(keys: pa.FixedSizeBinaryArray) -> NDArray[np.uint64]:
    """A column of 16-byte keys as (rows, 2) numbers; those of a NULL are any."""
    numbers = np.frombuffer(keys.buffers()[1], np.uint64) if len(keys) else np.zeros(0, np.uint64)
    return numbers.reshape(-1, 2)[keys.offset : keys.offset + len(keys)]
