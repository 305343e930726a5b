"""Clean texts and tokens of an earlier tags_vX, reused where the text in the database is still the same."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import hashes_as_integers
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.home import data_dir, data_names
from get_tags_train.core.i18n import _
from get_tags_train.data.prepared import PreparedData

REUSED_COLUMNS = ("text", "text_hash", "input_ids")
# What decides, beside the text itself, which clean text and tokens it becomes.
_RULES = ("tokenizer", "context_length", "text_rules")


class ReusableDocuments:
    """Clean texts and tokens by the hash of what they were made from; in memory are 20 bytes of each document."""

    def __init__(self, data: PreparedData) -> None:
        """Read the hashes of all documents, and check that they are as they were written.

        Raises GetTagsError where they are not.
        """
        data.verify_files()
        self._paths = data.document_paths
        counts, hashes = [], [np.zeros((0, 2), np.uint64)]
        for path in self._paths:
            batches = data.read(path)
            counts.append(sum(map(len, batches)))
            hashes += [hashes_as_integers(batch.column("source_hash")) for batch in batches]
        self._first_of_file = np.concatenate([[0], np.cumsum(counts)])
        in_order = np.concatenate(hashes)
        self._rows = np.argsort(in_order[:, 0]).astype(np.int32)
        self._hashes = in_order[self._rows]
        # Ids mostly come in the order of the files: a page wants rows of one, or of two one after the other.
        self._file = lru_cache(maxsize=1)(
            lambda number: pa.Table.from_batches(data.read(self._paths[number])).select(REUSED_COLUMNS)
        )

    def find(self, source_hashes: pa.BinaryArray) -> NDArray[np.int64]:
        """Where each document stands; -1 for those that are not there."""
        wanted = hashes_as_integers(source_hashes)
        places = np.searchsorted(self._hashes[:, 0], wanted[:, 0]).clip(max=len(self._hashes) - 1)
        return np.where((self._hashes[places] == wanted).all(axis=1), self._rows[places], -1)

    def take(self, rows: NDArray[np.int64]) -> pa.Table:
        """REUSED_COLUMNS of these rows, in their order."""
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], self._first_of_file)
        parts = []
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            wanted = rows[order[bounds[number] : bounds[number + 1]]] - self._first_of_file[number]
            parts.append(self._file(number).take(pa.array(wanted)).combine_chunks())
        back = np.empty(len(rows), np.int64)
        back[order] = np.arange(len(rows))
        return pa.concat_tables(parts).combine_chunks().take(pa.array(back))


def find_reusable(home: Path, plan: Mapping[str, Any], on_event: OnEvent) -> ReusableDocuments | None:
    """The newest prepared data of a home that were made by the same tokenizer and rules; None where there are none."""
    for name in data_names(home):
        try:
            data = PreparedData(data_dir(home) / name)
            if any(data.manifest.source.get(rule) != plan[rule] for rule in _RULES):
                continue
            reusable = ReusableDocuments(data)
        except GetTagsError as error:
            on_event(Notice(_("Nothing is reused from {name}: {message}", name=name, message=error.message), "warning"))
            continue
        on_event(Notice(_("Unchanged documents are reused from {name}, with their clean text and tokens.", name=name)))
        return reusable
    return None
