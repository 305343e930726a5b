"""Documents -> clean text, tags, input_ids -> tags_vX, in pieces that an interrupted run continues from."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import write_batches
from get_tags_train.core.errors import NothingToTrainOn
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.files import atomic_write, write_json
from get_tags_train.core.i18n import _
from get_tags_train.core.workspace import Workspace
from get_tags_train.data.assemble import assemble
from get_tags_train.data.prepared import MANIFEST
from get_tags_train.data.reuse import REUSED_COLUMNS, ReusableDocuments
from get_tags_train.data.shards import IDS, read_ids, shard_metadata, shard_paths, shard_schema
from get_tags_train.data.source import DocumentId, DocumentSource, IdList, RawDocument, pages
from get_tags_train.text.clean import clean_documents, source_hashes, text_hashes
from get_tags_train.text.encoder import CleanTextEncoder

# A kill loses at most one piece: this many documents, or on a slow database this many seconds.
SHARD_DOCUMENTS = 5_000
SHARD_SECONDS = 30.0
# Pages that may wait between two parts of the work.
_AHEAD = 2


class Reading(NamedTuple):
    """What is read and how: `list_ids` gives the ids, and those of a file that cannot be ids."""

    source: DocumentSource
    list_ids: Callable[[], tuple[IdList, list[str]]]
    page_size: int


def ingest(
    workspace: Workspace,
    reading: Reading,
    encoder: CleanTextEncoder,
    earlier: ReusableDocuments | None,
    on_event: OnEvent,
) -> Path:
    """Read, clean, tokenise and store all documents; returns the folder of the complete tags_vX.

    What `earlier` has is taken from there. Raises NothingToTrainOn where no document can be used; then the workspace
    is removed.
    """
    folder = workspace.folder
    try:
        if not (folder / MANIFEST).exists():
            spool_ids(folder / IDS, reading.list_ids, on_event)
            read_shards(folder, reading, encoder, earlier, on_event)
            started = perf_counter()
            on_event(StageStarted("join"))
            assemble(workspace)
            on_event(StageFinished("join", perf_counter() - started))
        for leftover in [folder / IDS, *folder.glob("piece-*")]:
            leftover.unlink(missing_ok=True)
        return workspace.publish()
    except NothingToTrainOn:
        workspace.discard()
        raise


def spool_ids(path: Path, list_ids: Callable[[], tuple[IdList, list[str]]], on_event: OnEvent) -> None:
    """Write the list of ids to disk, once: a continued run works through the same list."""
    if path.exists():
        return
    started = perf_counter()
    on_event(StageStarted("ids"))
    listed, unusable = list_ids()
    facts = {"nulls": listed.nulls, "repeated": listed.repeated, "unusable": unusable}
    schema = pa.schema([("id", listed.ids.type)], metadata={"facts": json.dumps(facts)})
    write_batches(path, schema, iter([pa.record_batch([listed.ids], schema=schema)]))
    on_event(StageFinished("ids", perf_counter() - started))


def read_shards(
    folder: Path, reading: Reading, encoder: CleanTextEncoder, earlier: ReusableDocuments | None, on_event: OnEvent
) -> None:
    """Read all spooled ids that no piece holds yet; reading, tokenising and writing work side by side."""
    ids = read_ids(folder)[0]
    existing = shard_paths(folder)
    done = shard_metadata(existing[-1])["stop"] if existing else 0
    number, started, before = len(existing), perf_counter(), done
    on_event(StageStarted("extract", total=len(ids), unit="documents"))
    on_event(StageProgress("extract", done))
    work = _Work(reading.source, encoder, earlier, ids.type)
    todo = pages(ids.slice(done), min(reading.page_size, SHARD_DOCUMENTS))
    with (
        prefetch(work.cleaned(todo), ahead=_AHEAD) as cleaned,
        prefetch(work.tokenised(cleaned), ahead=_AHEAD) as tokenised,
        closing(reading.source),  # first, so that a reader waiting for a lost server stops waiting
    ):
        while done < len(ids):
            path = folder / f"piece-{number:05d}.arrow"
            start, began = done, monotonic()
            with atomic_write(path) as sink, pa.ipc.new_stream(sink, shard_schema(ids.type)) as stream:
                for count, batch in tokenised:
                    with work.timed("write"):
                        stream.write_batch(batch)
                    done += count
                    speed = (done - before) / (perf_counter() - started)
                    on_event(StageProgress("extract", done, _("{speed:,.0f} a second", speed=speed)))
                    if done - start >= SHARD_DOCUMENTS or monotonic() - began > SHARD_SECONDS:
                        break
            write_json(path.with_suffix(".json"), {"start": start, "stop": done, **work.take_facts()})
            if number == 0 and not work.tags_seen:
                on_event(
                    Notice(
                        _("None of the first {done} documents has a tag: is tags_query right?", done=done), "warning"
                    )
                )
            number += 1
    on_event(StageFinished("extract", perf_counter() - started))


class _Page(NamedTuple):
    """So many ids asked for, the documents found, and the clean texts of those that are `new`.

    source_hashes: of all documents; rows: where they stand in the earlier data, -1 for the new ones.
    """

    asked: int
    documents: list[RawDocument]
    source_hashes: pa.BinaryArray
    rows: NDArray[np.int64]
    new_texts: pa.StringArray


class _Work:
    """The parts of reading that run side by side, and the seconds spent on each."""

    def __init__(
        self, source: DocumentSource, encoder: CleanTextEncoder, earlier: ReusableDocuments | None, id_type: pa.DataType
    ) -> None:
        self._source, self._encoder, self._earlier, self._id_type = source, encoder, earlier, id_type
        self._seconds: dict[str, float] = {}
        self._taken = 0
        self.tags_seen = False

    def cleaned(self, pages_of_ids: Iterator[list[DocumentId]]) -> Iterator[_Page]:
        """Read pages of documents, and clean those that are new."""
        for ids in pages_of_ids:
            with self.timed("read"):
                documents = self._source.page(ids)
            with self.timed("clean"):
                sources = [(document.title, document.text) for document in documents]
                hashes = source_hashes(sources)
                rows = self._earlier.find(hashes) if self._earlier else np.full(len(documents), -1)
                texts = clean_documents([sources[n] for n in np.flatnonzero(rows < 0).tolist()])
            yield _Page(len(ids), documents, hashes, rows, texts)

    def tokenised(self, cleaned: Iterator[_Page]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """How many ids were asked for, and the columns of piece_schema."""
        for page in cleaned:
            with self.timed("tokenise"):
                input_ids = self._encoder(page.new_texts)
                new = pa.table([page.new_texts, text_hashes(page.new_texts), input_ids], REUSED_COLUMNS)
            documents, texts = page.documents, self._with_earlier(new, page.rows)
            self.tags_seen = self.tags_seen or any(document.tags for document in documents)
            columns = {
                "id": [document.id for document in documents],
                "source_hash": page.source_hashes,
                "tags": [document.tags for document in documents],
                "tag_ids": [document.tag_ids for document in documents],
                "problem": [document.problem for document in documents],
                "date": [document.dated for document in documents],
                **{name: texts.column(name).combine_chunks() for name in REUSED_COLUMNS},
            }
            schema = shard_schema(self._id_type)
            arrays = [pa.array(columns[field.name], field.type) for field in schema]
            yield page.asked, pa.record_batch(arrays, schema=schema)

    def _with_earlier(self, new: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
        """The columns TAKEN of all documents of a page, in order."""
        if self._earlier is None or len(new) == len(rows):
            return new
        is_known = rows >= 0
        with self.timed("take"):
            order = np.empty(len(rows), np.int64)
            order[is_known] = np.arange(len(rows) - len(new))
            order[~is_known] = np.arange(len(rows) - len(new), len(rows))
            self._taken += len(rows) - len(new)
            return pa.concat_tables([self._earlier.take(rows[is_known]), new]).combine_chunks().take(pa.array(order))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time inside to a part's seconds."""
        began = perf_counter()
        yield
        self._seconds[part] = self._seconds.get(part, 0.0) + perf_counter() - began

    def take_facts(self) -> dict[str, Any]:
        """What was spent and taken since the last piece."""
        seconds, taken = self._seconds, self._taken
        self._seconds, self._taken = {}, 0
        return {"taken": taken, "seconds": {part: round(spent, 4) for part, spent in seconds.items()}}


T = TypeVar("T")
_POLL_SECONDS = 0.2
_LEAVE_SECONDS = 2.0


@contextmanager
def prefetch(items: Iterable[T], *, ahead: int) -> Iterator[Iterator[T]]:
    """`with running_ahead(items, ahead=4) as ready`: a thread works through `items`, at most `ahead` of them early.

    An exception in the thread is raised where its item was due. Leaving the `with` stops the thread; one that is
    stuck in a call, as in a query of a slow server, is left behind after a moment and hands nothing over any more.
    """
    queue: Queue[tuple[list[T], BaseException | None]] = Queue(ahead)
    left = Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                queue.put(([item], None))
                if left.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001  raised again where the item was due
            error = raised
        queue.put(([], error))

    def ready() -> Iterator[T]:
        while not left.is_set():
            try:  # a wait without end would not hear Ctrl-C on Windows
                item, error = queue.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if error is not None:
                raise error
            if not item:
                return
            yield item[0]

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield ready()
    finally:
        left.set()
        give_up = monotonic() + _LEAVE_SECONDS
        while thread.is_alive() and monotonic() < give_up:
            with suppress(Empty):
                queue.get(timeout=_POLL_SECONDS / 4)  # room for what the thread may be waiting to hand over
