"""Documents -> clean text, tags, input_ids -> tags_vX, in shards that an interrupted run continues from."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from get_tags_train.core.errors import NothingToTrainOn
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.core.files import atomic_write, write_json
from get_tags_train.core.i18n import _, _n, first_of
from get_tags_train.core.workspace import Workspace
from get_tags_train.data.assemble import assemble
from get_tags_train.data.ids import DocumentId, IdList
from get_tags_train.data.pages import FinishedPage, PageSteps
from get_tags_train.data.prefetch import prefetch
from get_tags_train.data.prepared import MANIFEST
from get_tags_train.data.reuse import ReusableDocuments
from get_tags_train.data.shards import (
    IDS,
    read_ids,
    remove_shards,
    shard_metadata,
    shard_path,
    shard_paths,
    usable_shards,
    write_ids,
)
from get_tags_train.data.source import DocumentSource
from get_tags_train.data.unchanged import SHOWN_IDS, Audit, UnreliableVersions, check_unchanged
from get_tags_train.text.encoder import CleanTextEncoder

# A kill loses at most one shard: this many documents, or on a slow database this many seconds.
SHARD_DOCUMENTS = 5_000
SHARD_SECONDS = 30.0
# Pages that may wait between two parts of the work.
_AHEAD = 2


class Reading(NamedTuple):
    """What is read and how: `list_ids` gives the ids, and those of a file that cannot be ids.

    `find_reusable` gives documents of an earlier tags_vX, from which those with an unchanged version are taken; with
    reads_all, they are only compared with it.
    """

    source: DocumentSource
    list_ids: Callable[[], tuple[IdList, list[str]]]
    page_size: int
    encoder: CleanTextEncoder
    find_reusable: Callable[[], ReusableDocuments | None]
    scans_tags: bool = True
    reads_all: bool = False


def ingest(workspace: Workspace, reading: Reading, on_event: OnEvent) -> Path:
    """Read, clean, tokenise and store all documents; returns the folder of the complete tags_vX.

    Raises NothingToTrainOn where no document can be used, UnreliableVersions where a text changed under the same
    version; then the workspace is removed.
    """
    folder = workspace.folder
    try:
        if not (folder / MANIFEST).exists():
            with prefetch((find() for find in [reading.find_reusable]), ahead=1) as found:
                spool_ids(folder, reading.list_ids, on_event)
                reusable = next(found)
            read_shards(folder, reading, reusable, on_event)
            started = perf_counter()
            on_event(StageStarted("join"))
            assemble(workspace, reusable)
            on_event(StageFinished("join", perf_counter() - started))
            _report_lies(folder, on_event)
        remove_shards(folder)
        return workspace.publish()
    except (NothingToTrainOn, UnreliableVersions):
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


def read_shards(folder: Path, reading: Reading, reusable: ReusableDocuments | None, on_event: OnEvent) -> None:
    """Read all spooled ids that no shard holds yet; reading, tokenising and writing work side by side."""
    listed, _unusable = read_ids(folder)
    ids, base = listed.ids, reusable.base if reusable else None
    existing = usable_shards(folder, base)
    done = shard_metadata(existing[-1])["stop"] if existing else 0
    with _finished_pages(reading, listed, reusable, done, on_event) as (steps, pages):
        number, started, before, tags_seen = len(existing), perf_counter(), done, False
        on_event(StageStarted("extract", total=len(ids), unit="documents"))
        on_event(StageProgress("extract", done))
        while done < len(ids):
            path = shard_path(folder, number)
            start, began, reused, lied = done, monotonic(), 0, list[DocumentId]()
            with atomic_write(path) as sink, pa.ipc.new_stream(sink, steps.schema) as stream:
                for page in pages:
                    with steps.timed("write"):
                        stream.write_batch(page.documents)
                    done, reused, lied = done + page.asked, reused + page.reused, lied + page.lied
                    tags_seen = tags_seen or len(page.documents.column("tags").flatten()) > 0
                    speed = (done - before) / (perf_counter() - started)
                    on_event(StageProgress("extract", done, _("{speed:,.0f} a second", speed=speed)))
                    if done - start >= SHARD_DOCUMENTS or monotonic() - began > SHARD_SECONDS:
                        break
            metadata = {"start": start, "stop": done, "taken": reused, "lied": lied}
            metadata |= {"base": base if reused else None, "seconds": steps.take_seconds()}
            write_json(path.with_suffix(".json"), metadata)
            if number == 0 and not tags_seen:
                said = _("None of the first {done} documents has a tag: is tags_query right?", done=done)
                on_event(Notice(said, "warning"))
            number += 1
    on_event(StageFinished("extract", perf_counter() - started))


@contextmanager
def _finished_pages(
    reading: Reading, listed: IdList, reusable: ReusableDocuments | None, done: int, on_event: OnEvent
) -> Iterator[tuple[PageSteps, Iterator[FinishedPage]]]:
    """The listed documents from `done` on; what changed is read while the tags of what did not are looked up."""
    source, rows, audit = reading.source, np.full(len(listed.ids), -1, np.int32), None
    if reusable is not None and reading.reads_all:
        audit = Audit(reusable, reusable.find(listed))
    elif reusable is not None:
        rows[done:] = reusable.find(listed)[done:]
    page_size = min(reading.page_size, SHARD_DOCUMENTS)
    steps = PageSteps(source, reading.encoder, listed, page_size=page_size, is_read=rows < 0, audit=audit)
    # The source is closed first, so that a reader waiting for a lost server stops waiting.
    with prefetch(steps.read(done), ahead=_AHEAD) as cleaned, closing(source):
        unchanged = None
        if reusable is not None and (rows >= 0).any():
            started = perf_counter()
            on_event(StageStarted("compare"))
            tags_page_size = None if reading.scans_tags else reading.page_size
            unchanged = check_unchanged(
                source, listed, rows, reusable, tags_page_size=tags_page_size, on_event=on_event
            )
            on_event(StageFinished("compare", perf_counter() - started))
        with prefetch(steps.tokenised(cleaned, unchanged), ahead=_AHEAD) as tokenised, closing(source):
            yield steps, tokenised


def _report_lies(folder: Path, on_event: OnEvent) -> None:
    """Say which documents had another text under the same version, where all texts were read."""
    lied = [document_id for path in shard_paths(folder) for document_id in shard_metadata(path).get("lied", [])]
    if lied:
        said = _n(
            "{count:,} document has another text than before under the same version: {ids}.",
            "{count:,} documents have another text than before under the same version: {ids}.",
            len(lied),
            ids=first_of(lied, shown=SHOWN_IDS, joined=", "),
        )
        advice = _("The column version of documents_query cannot be relied on: correct it, or leave it out.")
        on_event(Notice(f"{said} {advice}", "warning"))
