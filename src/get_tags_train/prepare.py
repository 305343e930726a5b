"""Documents -> clean text, tags, input_ids -> tags_vX, in pieces that an interrupted run continues from."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, perf_counter

import pyarrow as pa

from get_tags_train.background import running_ahead
from get_tags_train.cleaning import clean_documents, text_hashes
from get_tags_train.dataset import MANIFEST, write_batches
from get_tags_train.encoding import CleanTextEncoder
from get_tags_train.errors import NothingToTrainOn
from get_tags_train.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.finish import finish
from get_tags_train.folders import replacing, write_json
from get_tags_train.pieces import IDS, piece_facts, piece_paths, piece_schema, read_ids
from get_tags_train.source import DocumentId, DocumentSource, IdList, RawDocument, pages
from get_tags_train.workspace import Workspace

# A kill loses at most one piece: this many documents, or on a slow database this many seconds.
PIECE_DOCUMENTS = 5_000
PIECE_SECONDS = 30.0
# Pages that may wait between two parts of the work.
_AHEAD = 2


def prepare(
    workspace: Workspace,
    source: DocumentSource,
    list_ids: Callable[[], tuple[IdList, list[str]]],
    encoder: CleanTextEncoder,
    *,
    page_size: int,
    on_event: OnEvent,
) -> Path:
    """Read, clean, tokenise and store all documents; returns the folder of the complete tags_vX.

    `list_ids` gives the ids, and those of a file that cannot be ids.
    Raises NothingToTrainOn where no document can be used; then the workspace is removed.
    """
    folder = workspace.folder
    try:
        if not (folder / MANIFEST).exists():
            spool_ids(folder / IDS, list_ids, on_event)
            read_pieces(folder, source, encoder, page_size=page_size, on_event=on_event)
            started = perf_counter()
            on_event(StageStarted("join"))
            finish(workspace)
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


def read_pieces(
    folder: Path, source: DocumentSource, encoder: CleanTextEncoder, *, page_size: int, on_event: OnEvent
) -> None:
    """Read all spooled ids that no piece holds yet; reading, tokenising and writing work side by side."""
    ids, _ = read_ids(folder)
    existing = piece_paths(folder)
    done = piece_facts(existing[-1])["stop"] if existing else 0
    number, started = len(existing), perf_counter()
    on_event(StageStarted("extract", total=len(ids), unit="documents"))
    on_event(StageProgress("extract", done))
    work = _Work(source, encoder, ids.type)
    todo = pages(ids.slice(done), min(page_size, PIECE_DOCUMENTS))
    with (
        running_ahead(work.cleaned(todo), ahead=_AHEAD) as cleaned,
        running_ahead(work.tokenised(cleaned), ahead=_AHEAD) as tokenised,
        closing(source),  # first, so that a reader waiting for a lost server stops waiting
    ):
        while done < len(ids):
            path = folder / f"piece-{number:05d}.arrow"
            start, began = done, monotonic()
            with replacing(path) as sink, pa.ipc.new_stream(sink, piece_schema(ids.type)) as stream:
                for count, batch in tokenised:
                    with work.timed("write"):
                        stream.write_batch(batch)
                    done += count
                    on_event(StageProgress("extract", done))
                    if done - start >= PIECE_DOCUMENTS or monotonic() - began > PIECE_SECONDS:
                        break
            write_json(path.with_suffix(".json"), {"start": start, "stop": done, "seconds": work.take_seconds()})
            if number == 0 and not work.tags_seen:
                on_event(Notice(f"None of the first {done} documents has a tag: is tags_query right?", "warning"))
            number += 1
    on_event(StageFinished("extract", perf_counter() - started))


class _Work:
    """The parts of reading that run side by side, and the seconds spent on each."""

    def __init__(self, source: DocumentSource, encoder: CleanTextEncoder, id_type: pa.DataType) -> None:
        self._source, self._encoder, self._id_type = source, encoder, id_type
        self._seconds: dict[str, float] = {}
        self.tags_seen = False

    def cleaned(
        self, pages_of_ids: Iterator[list[DocumentId]]
    ) -> Iterator[tuple[int, list[RawDocument], pa.StringArray]]:
        """How many ids were asked for, the documents found, their clean texts; a page at a time."""
        for page in pages_of_ids:
            with self.timed("read"):
                documents = self._source.page(page)
            with self.timed("clean"):
                texts = clean_documents([(document.title, document.text) for document in documents])
            yield len(page), documents, texts

    def tokenised(
        self, cleaned: Iterator[tuple[int, list[RawDocument], pa.StringArray]]
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """How many ids were asked for, and the columns of piece_schema."""
        for count, documents, texts in cleaned:
            with self.timed("tokenise"):
                input_ids = self._encoder(texts)
            self.tags_seen = self.tags_seen or any(document.tags for document in documents)
            columns = [
                pa.array([document.id for document in documents], self._id_type),
                texts,
                text_hashes(texts),
                pa.array([document.tags for document in documents], pa.list_(pa.string())),
                pa.array([document.tag_ids for document in documents], pa.list_(pa.string())),
                pa.array([document.problem for document in documents], pa.string()),
                input_ids,
            ]
            yield count, pa.record_batch(columns, schema=piece_schema(self._id_type))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time inside to a part's seconds."""
        began = perf_counter()
        yield
        self._seconds[part] = self._seconds.get(part, 0.0) + perf_counter() - began

    def take_seconds(self) -> dict[str, float]:
        """The seconds of each part since the last piece."""
        taken, self._seconds = self._seconds, {}
        return {part: round(seconds, 4) for part, seconds in taken.items()}
