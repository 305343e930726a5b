"""Documents -> clean text, tags, input_ids -> tags_vX, in shards that an interrupted run continues from."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.core.errors import NothingToTrainOn
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.files import atomic_write, write_json
from get_tags_train.core.i18n import _
from get_tags_train.core.workspace import Workspace
from get_tags_train.data.assemble import assemble
from get_tags_train.data.ids import DocumentId, IdList, pages
from get_tags_train.data.prefetch import prefetch
from get_tags_train.data.prepared import MANIFEST
from get_tags_train.data.reuse import REUSED_COLUMNS, ReusableDocuments
from get_tags_train.data.shards import (
    IDS,
    read_ids,
    remove_shards,
    shard_metadata,
    shard_path,
    shard_paths,
    shard_schema,
    write_ids,
)
from get_tags_train.data.source import DocumentSource, RawDocument
from get_tags_train.text.clean_columns import clean_documents, source_hashes, text_hashes
from get_tags_train.text.encoder import CleanTextEncoder

# A kill loses at most one shard: this many documents, or on a slow database this many seconds.
SHARD_DOCUMENTS = 5_000
SHARD_SECONDS = 30.0
# Pages that may wait between two parts of the work.
_AHEAD = 2


class Reading(NamedTuple):
    """What is read and how: `list_ids` gives the ids, and those of a file that cannot be ids.

    `reusable` are documents of an earlier tags_vX, from which unchanged ones are taken.
    """

    source: DocumentSource
    list_ids: Callable[[], tuple[IdList, list[str]]]
    page_size: int
    encoder: CleanTextEncoder
    reusable: ReusableDocuments | None


def ingest(workspace: Workspace, reading: Reading, on_event: OnEvent) -> Path:
    """Read, clean, tokenise and store all documents; returns the folder of the complete tags_vX.

    Raises NothingToTrainOn where no document can be used; then the workspace is removed.
    """
    folder = workspace.folder
    try:
        if not (folder / MANIFEST).exists():
            spool_ids(folder, reading.list_ids, on_event)
            read_shards(folder, reading, on_event)
            started = perf_counter()
            on_event(StageStarted("join"))
            assemble(workspace)
            on_event(StageFinished("join", perf_counter() - started))
        remove_shards(folder)
        return workspace.publish()
    except NothingToTrainOn:
        workspace.discard()
        raise


def spool_ids(folder: Path, list_ids: Callable[[], tuple[IdList, list[str]]], on_event: OnEvent) -> None:
    """Write the list of ids to disk, once: a continued run works through the same list."""
    if (folder / IDS).exists():
        return
    started = perf_counter()
    on_event(StageStarted("ids"))
    write_ids(folder, *list_ids())
    on_event(StageFinished("ids", perf_counter() - started))


def read_shards(folder: Path, reading: Reading, on_event: OnEvent) -> None:
    """Read all spooled ids that no shard holds yet; reading, tokenising and writing work side by side."""
    ids = read_ids(folder)[0]
    existing = shard_paths(folder)
    done = shard_metadata(existing[-1])["stop"] if existing else 0
    number, started, before = len(existing), perf_counter(), done
    on_event(StageStarted("extract", total=len(ids), unit="documents"))
    on_event(StageProgress("extract", done))
    steps = _Steps(reading, ids.type)
    todo = pages(ids.slice(done), min(reading.page_size, SHARD_DOCUMENTS))
    with (
        prefetch(steps.cleaned(todo), ahead=_AHEAD) as cleaned,
        prefetch(steps.tokenised(cleaned), ahead=_AHEAD) as tokenised,
        closing(reading.source),  # first, so that a reader waiting for a lost server stops waiting
    ):
        while done < len(ids):
            path = shard_path(folder, number)
            start, began = done, monotonic()
            with atomic_write(path) as sink, pa.ipc.new_stream(sink, shard_schema(ids.type)) as stream:
                for count, batch in tokenised:
                    with steps.timed("write"):
                        stream.write_batch(batch)
                    done += count
                    speed = (done - before) / (perf_counter() - started)
                    on_event(StageProgress("extract", done, _("{speed:,.0f} a second", speed=speed)))
                    if done - start >= SHARD_DOCUMENTS or monotonic() - began > SHARD_SECONDS:
                        break
            write_json(path.with_suffix(".json"), {"start": start, "stop": done, **steps.take_metadata()})
            if number == 0 and not steps.tags_seen:
                said = _("None of the first {done} documents has a tag: is tags_query right?", done=done)
                on_event(Notice(said, "warning"))
            number += 1
    on_event(StageFinished("extract", perf_counter() - started))


class _Page(NamedTuple):
    """So many ids asked for, the documents found, and the clean texts of those that are `new`.

    source_hashes: of all documents; reused_rows: where they stand in the reusable data, -1 for the new ones.
    """

    asked: int
    documents: list[RawDocument]
    source_hashes: pa.BinaryArray
    reused_rows: NDArray[np.int64]
    new_texts: pa.StringArray


def _characters(document: RawDocument) -> int:
    """Of title and text, a line break between them, without white space around."""
    return len("\n".join(part for part in (document.title, document.text) if part).strip())


class _Steps:
    """The steps of reading that run side by side, and the seconds spent on each."""

    def __init__(self, reading: Reading, id_type: pa.DataType) -> None:
        self._source, self._encoder, self._reusable = reading.source, reading.encoder, reading.reusable
        self._schema = shard_schema(id_type)
        self._seconds: dict[str, float] = {}
        self._reused = 0
        self.tags_seen = False

    def cleaned(self, pages_of_ids: Iterator[list[DocumentId]]) -> Iterator[_Page]:
        """Read pages of documents, and clean those that are new."""
        for ids in pages_of_ids:
            with self.timed("read"):
                documents = self._source.page(ids)
            with self.timed("clean"):
                sources = [(document.title, document.text) for document in documents]
                hashes = source_hashes(sources)
                rows = self._reusable.find(hashes) if self._reusable else np.full(len(documents), -1)
                texts = clean_documents([sources[n] for n in np.flatnonzero(rows < 0).tolist()])
            yield _Page(len(ids), documents, hashes, rows, texts)

    def tokenised(self, cleaned: Iterator[_Page]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """How many ids were asked for, and the documents found, with the columns of shard_schema."""
        for page in cleaned:
            with self.timed("tokenise"):
                input_ids = self._encoder(page.new_texts)
                new = pa.table([page.new_texts, text_hashes(page.new_texts), input_ids], REUSED_COLUMNS)
            documents, texts = page.documents, self._with_reused(new, page.reused_rows)
            self.tags_seen = self.tags_seen or any(document.tags for document in documents)
            characters = np.array([_characters(document) for document in documents], np.int32)
            left = pc.utf8_length(texts.column("text")).to_numpy()
            columns = {
                "id": [document.id for document in documents],
                "characters": characters,
                "removed": (characters - left).clip(min=0),
                "source_hash": page.source_hashes,
                "tags": [document.tags for document in documents],
                "tag_ids": [document.tag_ids for document in documents],
                "problem": [document.problem for document in documents],
                "date": [document.dated for document in documents],
                **{name: texts.column(name).combine_chunks() for name in REUSED_COLUMNS},
            }
            arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
            yield page.asked, pa.record_batch(arrays, schema=self._schema)

    def _with_reused(self, new: pa.Table, reused_rows: NDArray[np.int64]) -> pa.Table:
        """REUSED_COLUMNS of all documents of a page, in order: those of the new ones, and of the rows reused."""
        if self._reusable is None or len(new) == len(reused_rows):
            return new
        with self.timed("take"):
            is_reused = reused_rows >= 0
            reused = self._reusable.take(reused_rows[is_reused])
            self._reused += len(reused)
            order = np.empty(len(reused_rows), np.int64)
            order[is_reused] = np.arange(len(reused))
            order[~is_reused] = len(reused) + np.arange(len(new))
            return pa.concat_tables([reused, new]).combine_chunks().take(pa.array(order))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time inside to a part's seconds."""
        began = perf_counter()
        yield
        self._seconds[part] = self._seconds.get(part, 0.0) + perf_counter() - began

    def take_metadata(self) -> dict[str, Any]:
        """What was spent and reused since the last shard."""
        seconds, reused = self._seconds, self._reused
        self._seconds, self._reused = {}, 0
        return {"taken": reused, "seconds": {part: round(spent, 4) for part, spent in seconds.items()}}
