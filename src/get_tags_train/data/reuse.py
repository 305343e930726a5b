"""Clean texts and tokens of an earlier tags_vX, reused where a document's version is still the same."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
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
from get_tags_train.data.ids import IdList
from get_tags_train.data.prepared import Manifest, PreparedData
from get_tags_train.data.version_record import VERSIONS, read_left_out

REUSED_COLUMNS = ("text", "source_hash", "input_ids")
# What decides, beside the version, which clean text and tokens a document becomes, and what its version says.
_SAME = ("tokenizer", "context_length", "text_rules", "database", "documents_query")


class ReusableDocuments:
    """Documents of prepared data, and those left out of it, each with its version; all of it stays on disk."""

    def __init__(self, data: PreparedData) -> None:
        """Check that the documents are as they were written. Raises GetTagsError."""
        data.verify_files()
        for _batch in data.batches():
            pass  # the first pass checks them
        self.name = data.name
        self.base = f"{data.name} {data.manifest.checksum}"
        self._data = data
        self._record = data.versions()
        counts = [sum(map(len, data.read(path))) for path in data.document_paths]
        self._first_of_file = np.cumsum([0, *counts])
        # Ids mostly come in the order of the files: a page wants rows of one or two, and some that were left out.
        self._file = lru_cache(maxsize=3)(self._read_file)

    def __len__(self) -> int:
        return len(self._record)

    def find(self, listed: IdList) -> NDArray[np.int32]:
        """(ids,) the rows of the documents with these ids and versions; -1 for those that are not there."""
        if listed.versions is None or listed.ids.type != self._record["id"].type:
            return np.full(len(listed.ids), -1, np.int32)
        places = pc.index_in(listed.ids, value_set=self._record["id"].combine_chunks())
        is_same = pc.equal(self._record["version"].combine_chunks().take(places), listed.versions)
        rows = pc.if_else(pc.fill_null(is_same, False), places, pa.scalar(-1, pa.int32()))
        return np.array(rows, np.int32)

    def take(self, rows: NDArray[np.int64], new: pa.Table | None = None) -> pa.Table:
        """REUSED_COLUMNS of these rows, in their order; from len(self) on they are the rows of `new`.

        Runs of rows are copied as a whole, once.
        """
        bounds = [*self._first_of_file.tolist(), len(self)]
        files = np.searchsorted(bounds, rows, side="right") - 1
        cuts = np.flatnonzero((np.diff(rows) != 1) | (np.diff(files) != 0)) + 1
        parts = []
        for start, stop in pairwise([0, *cuts.tolist(), len(rows)]):
            number = int(files[start])
            table = new if new is not None and number == len(bounds) - 1 else self._file(number)
            parts.append(table.slice(int(rows[start]) - bounds[number], stop - start))
        return pa.concat_tables(parts).combine_chunks()

    def restore(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        """Documents as shard_schema has them, with the texts of those that are reused."""
        rows = documents.column("row")
        is_reused = pc.is_valid(rows).to_numpy(zero_copy_only=False)
        if not is_reused.any():
            return documents
        read = pa.Table.from_batches([documents.filter(pa.array(~is_reused))]).select(REUSED_COLUMNS)
        numbers = np.where(is_reused, pc.fill_null(rows, 0).to_numpy(), len(self) + np.cumsum(~is_reused) - 1)
        texts = self.take(numbers, read)
        columns = [
            texts[name].chunk(0) if name in REUSED_COLUMNS else documents.column(name)
            for name in documents.schema.names
        ]
        return pa.record_batch(columns, schema=documents.schema)

    def take_record(self, rows: NDArray[np.int32] | NDArray[np.int64]) -> pa.Table:
        """The record of these rows: id, version, digest, tags_sum, characters, removed, text_hash."""
        return self._record.take(pa.array(rows))

    def _read_file(self, number: int) -> pa.Table:
        paths = self._data.document_paths
        batches = self._data.read(paths[number]) if number < len(paths) else read_left_out(self._data.folder)
        return pa.Table.from_batches(batches).select(REUSED_COLUMNS)


def find_reusable(home: Path, plan: Mapping[str, Any], on_event: OnEvent) -> ReusableDocuments | None:
    """The newest prepared data of a home whose documents have versions, and were made alike; None where there are none.

    Those from the same kind of source come first: the ids of a file may be few.
    """
    for data in made_alike(home, plan, on_event):
        try:
            return ReusableDocuments(data)
        except GetTagsError as error:
            on_event(Notice(_not_reused(data.name, error), "warning"))
    return None


def made_alike(home: Path, plan: Mapping[str, Any], on_event: OnEvent) -> list[PreparedData]:
    """The prepared data that find_reusable chooses from, the first choice first; the documents are not looked at."""
    found: list[PreparedData] = []
    for name in data_names(home):
        try:
            data = PreparedData(data_dir(home) / name)
        except GetTagsError as error:
            on_event(Notice(_not_reused(name, error), "warning"))
            continue
        if has_versions(data.manifest) and all(data.manifest.source.get(key) == plan[key] for key in _SAME):
            found.append(data)
    return sorted(found, key=lambda data: data.manifest.source["kind"] != plan["kind"])


def has_versions(manifest: Manifest) -> bool:
    """Whether the documents came with versions."""
    return VERSIONS in manifest.files


def _not_reused(name: str, error: GetTagsError) -> str:
    return _("Nothing is reused from {name}: {message}", name=name, message=error.message)
