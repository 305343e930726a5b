"""Documents that are newer than a model's data: which they are, and a random sample of them, read for testing.

The sample is prepared data of its own under _reviews, where no training looks for any. Only the last one stays.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from get_tags_train.core.claims import claim
from get_tags_train.core.errors import NothingToTrainOn
from get_tags_train.core.events import Notice, OnEvent, ignored
from get_tags_train.core.files import read_json, remove_folder, write_json
from get_tags_train.core.home import PARTIAL, REMOVING, reviews_dir
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.core.workspace import Workspace, open_workspace
from get_tags_train.data.extract import extraction_plan
from get_tags_train.data.ids import IdList
from get_tags_train.data.open_source import open_source
from get_tags_train.data.prepared import MANIFEST, PreparedData
from get_tags_train.data.read import Reading, ingest, spool_ids
from get_tags_train.data.shards import IDS
from get_tags_train.data.source import DocumentSource
from get_tags_train.text.encoder import CleanTextEncoder

KnownBy = Literal["date", "highest id", "id"]

SELECTION = "newer.json"
_KEY = b"get-tags newer documents"


@dataclass(frozen=True)
class Selection:
    """How many documents are newer than the model's data, how that is known, and how many of them are read.

    since: the last date, or the highest id, of the model's data; None where newer are all that these do not have.
    """

    found: int
    sampled: int
    known_by: KnownBy
    since: str | int | None


@dataclass(frozen=True)
class NewerDocuments:
    """The sample; `data` is None where none of it has text and tags, and `problem` says then what they lack."""

    selection: Selection
    data: PreparedData | None
    problem: str | None = None


def read_newer(
    settings: Settings, data: PreparedData, tokenizer: PreTrainedTokenizerFast, *, count: int, on_event: OnEvent
) -> NewerDocuments:
    """Read at most `count` documents that are newer than `data`, drawn at random, or go on where that was interrupted.

    The draw goes by a keyed hash of the ids: the same documents give the same sample. Raises GetTagsError where the
    database fails.
    """
    parent = reviews_dir(settings.home) / "newer"
    plan = {**extraction_plan(settings, tokenizer), "kind": "newer", "than": data.manifest.checksum, "count": count}
    with (
        open_source(settings.database, settings.home, on_event) as source,
        open_workspace(settings.home, parent, plan, new_name=lambda: _new_name(data), on_event=ignored) as workspace,
    ):
        if workspace.resumed:
            on_event(Notice(_("Reading the newer documents is resumed where it was interrupted.")))
        selection = _select(workspace, source, data, count, on_event)
        if not selection.sampled:
            workspace.discard()
            return NewerDocuments(selection, None)
        encoder, page_size = CleanTextEncoder(tokenizer), settings.database.page_size
        reading = Reading(source, _no_list, page_size, encoder, lambda: None, scans_tags=False)
        try:
            folder = ingest(workspace, reading, on_event)
        except NothingToTrainOn as error:
            return NewerDocuments(selection, None, error.message)
        _remove_others(settings.home, folder)
    return NewerDocuments(selection, PreparedData(folder))


def last_sample(home: Path) -> PreparedData | None:
    """The newer documents that were read last; None where there are none."""
    folders = sorted(path.parent for path in (reviews_dir(home) / "newer").glob(f"*/{MANIFEST}"))
    complete = [folder for folder in folders if not folder.name.endswith((PARTIAL, REMOVING))]
    return PreparedData(complete[-1]) if complete else None


def _new_name(data: PreparedData) -> str:
    return f"{data.name}-newer-{datetime.now():%Y%m%d-%H%M%S-%f}"


def _no_list() -> tuple[IdList, list[str]]:
    raise AssertionError("the ids are listed before")


def _select(
    workspace: Workspace, source: DocumentSource, data: PreparedData, count: int, on_event: OnEvent
) -> Selection:
    """List the ids of the sample in the workspace, once: a continued run reads the same documents."""
    path = workspace.folder / SELECTION
    if not (workspace.folder / IDS).exists():
        newer, known_by, since = newer_ids(source, data)
        ids = sample(newer, count)
        write_json(path, asdict(Selection(len(newer), len(ids), known_by, since)))
        spool_ids(workspace.folder, lambda: (IdList(ids), []), on_event)
    return Selection(**read_json(path))


def newer_ids(source: DocumentSource, data: PreparedData) -> tuple[pa.Array, KnownBy, str | int | None]:
    """The ids of all documents that are newer than the data, how that is known, and since when or which id.

    By date where the documents and the data have dates. Else by the highest id of the data where ids are integers,
    which databases hand out in order. Else all that the data do not have.
    """
    known = pa.chunked_array([batch.column("id") for batch in data.batches()])
    last = _last_date(data) if source.tables.has_dates else None
    ids = source.read_ids(after=last).ids
    if ids.type != known.type:
        known, compared = known.cast(pa.string()), ids.cast(pa.string())
    else:
        compared = ids
    ids = ids.filter(pc.invert(pc.is_in(compared, value_set=known.combine_chunks())))
    if last is not None:
        return ids, "date", last.isoformat()
    if not pa.types.is_integer(known.type) or not pa.types.is_integer(ids.type):
        return ids, "id", None
    highest = pc.max(known)
    return ids.filter(pc.greater(ids, highest)), "highest id", highest.as_py()


def _last_date(data: PreparedData) -> date | None:
    """The last date of the data, but for those after the day they were read; None where most have none."""
    dates = data.dates()
    read_on = np.datetime64(datetime.fromisoformat(data.manifest.created).date())
    dated = dates[dates <= read_on]  # NaT is not
    if len(dated) <= len(dates) / 2:
        return None
    last: date = dated.max().astype("datetime64[D]").item()
    return last


def sample(ids: pa.Array, count: int) -> pa.Array:
    """At most `count` of the ids, in their order, drawn by a keyed hash: the same in every run."""
    if len(ids) <= count:
        return ids
    written: Sequence[str] = ids.cast(pa.string()).to_pylist()
    digests = b"".join(hashlib.blake2b(own.encode(), digest_size=8, key=_KEY).digest() for own in written)
    hashes: NDArray[np.uint64] = np.frombuffer(digests, np.uint64)
    return ids.take(pa.array(np.sort(np.argpartition(hashes, count - 1)[:count])))


def _remove_others(home: Path, kept: Path) -> None:
    """Remove earlier samples and unfinished ones, but for those that another process is at."""
    for folder in kept.parent.iterdir():
        if folder != kept and (lock := claim(home, folder.name)) is not None:
            with suppress(OSError):  # a program that reads it may hold it: the next time will do
                remove_folder(folder)
            lock.release()


def as_json(newer: NewerDocuments) -> dict[str, Any]:
    """The sample as JSON."""
    manifest = newer.data.manifest if newer.data else None
    return {
        **asdict(newer.selection),
        "folder": str(newer.data.folder) if newer.data else None,
        "kept": manifest.documents_kept if manifest else 0,
        "dropped": manifest.dropped if manifest else {},
        "problem": newer.problem,
    }
