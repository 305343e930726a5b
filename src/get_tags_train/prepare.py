"""Documents -> clean text, tags, input_ids -> tags_vX, in pieces that an interrupted run continues from."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter

import pyarrow as pa

from get_tags_train.dataset import MANIFEST, list_column, write_batches
from get_tags_train.errors import InputError
from get_tags_train.events import OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.finish import finish
from get_tags_train.pieces import IDS, piece_facts, piece_paths, piece_schema, read_ids
from get_tags_train.source import DocumentSource, IdList, RawDocument, pages
from get_tags_train.text import join_title, text_hash
from get_tags_train.tokens import CleanTextEncoder
from get_tags_train.workspace import Workspace

# A kill loses at most one piece: this many documents, or on a slow database this many seconds.
PIECE_DOCUMENTS = 5_000
PIECE_SECONDS = 30.0


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
    Raises InputError where nothing is left to train on; then the workspace is removed.
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
        for leftover in [folder / IDS, *piece_paths(folder)]:
            leftover.unlink(missing_ok=True)
        return workspace.publish()
    except InputError:
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
    """Read all spooled ids that no piece holds yet."""
    ids, _ = read_ids(folder)
    existing = piece_paths(folder)
    done = piece_facts(existing[-1])["stop"] if existing else 0
    started = perf_counter()
    on_event(StageStarted("extract", total=len(ids), unit="documents"))
    on_event(StageProgress("extract", done))
    number = len(existing)
    while done < len(ids):
        piece = _Piece(source, encoder, page_size, on_event)
        batches = list(piece.read(ids, done))
        facts = {"start": done, "stop": piece.stop, "seconds": piece.seconds}
        schema = piece_schema(ids.type).with_metadata({"facts": json.dumps(facts)})
        write_batches(folder / f"piece-{number:05d}.arrow", schema, iter(batches))
        done, number = piece.stop, number + 1
    on_event(StageFinished("extract", perf_counter() - started))


@dataclass
class _Piece:
    """A stretch of the list of ids on its way to disk; `seconds` are spent per part."""

    source: DocumentSource
    encoder: CleanTextEncoder
    page_size: int
    on_event: OnEvent

    def read(self, ids: pa.Array, start: int) -> Iterator[pa.RecordBatch]:
        self.seconds = {"read": 0.0, "clean": 0.0, "tokenise": 0.0}
        self.stop, began = start, monotonic()
        for page in pages(ids.slice(start, PIECE_DOCUMENTS), self.page_size):
            before = perf_counter()
            documents = self.source.page(page)
            self.seconds["read"] += perf_counter() - before
            yield self._batch(documents, ids.type)
            self.stop += len(page)
            self.on_event(StageProgress("extract", self.stop))
            if monotonic() - began > PIECE_SECONDS:
                break

    def _batch(self, documents: list[RawDocument], id_type: pa.DataType) -> pa.RecordBatch:
        before = perf_counter()
        texts = [join_title(document.title, document.text) for document in documents]
        hashes = [text_hash(text) for text in texts]
        cleaned = perf_counter()
        input_ids = list_column(self.encoder(texts))
        self.seconds["clean"] += cleaned - before
        self.seconds["tokenise"] += perf_counter() - cleaned
        columns = [
            pa.array([document.id for document in documents], id_type),
            pa.array(texts, pa.string()),
            pa.array(hashes, pa.binary()),
            pa.array([document.tags for document in documents], pa.list_(pa.string())),
            input_ids,
        ]
        return pa.record_batch(columns, schema=piece_schema(id_type))
