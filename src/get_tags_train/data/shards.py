"""The files of an extraction in progress: the list of ids, and pieces of documents as they were read."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from get_tags_train.core.errors import InputError
from get_tags_train.core.files import read_json
from get_tags_train.core.i18n import Command, _

IDS = "ids.arrow"


def read_ids(folder: Path) -> tuple[pa.Array, dict[str, Any]]:
    """The spooled ids, and the facts noted when they were listed.

    Raises FileNotFoundError where none are spooled yet, InputError where they cannot be read.
    """
    try:
        with pa.OSFile(str(folder / IDS)) as source, pa.ipc.open_stream(source) as stream:
            facts = json.loads(stream.schema.metadata[b"facts"])
            ids = stream.read_all().column("id").combine_chunks()
            ids.validate(full=True)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise _damaged(folder / IDS) from error
    return ids, facts


def shard_paths(folder: Path) -> list[Path]:
    """The complete pieces of an extraction, in order: those whose facts are written."""
    return [path.with_suffix(".arrow") for path in sorted(folder.glob("piece-*.json"))]


def shard_metadata(path: Path) -> dict[str, Any]:
    """Which stretch of the ids a piece holds (start, stop), how many documents were taken, and each part's seconds."""
    try:
        facts = read_json(path.with_suffix(".json"))
        if not 0 <= int(facts["start"]) <= int(facts["stop"]):
            raise ValueError("not a stretch")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path.with_suffix(".json")) from error
    return dict(facts)


def _damaged(path: Path) -> InputError:
    return InputError(
        _("{path} of the unfinished extraction cannot be read.", path=path),
        _(
            "It cannot be resumed. Remove it, then extract again: {remove}",
            remove=Command("data", "remove", path.parent.name),
        ),
    )


def shard_schema(id_type: pa.DataType) -> pa.Schema:
    """A document as it was read and cleaned, its tags still raw, with their ids and its problem where it has any."""
    return pa.schema(
        [
            ("id", id_type),
            ("text", pa.string()),
            ("source_hash", pa.binary()),
            ("text_hash", pa.binary()),
            ("tags", pa.list_(pa.string())),
            ("tag_ids", pa.list_(pa.string())),
            ("problem", pa.string()),
            ("date", pa.date32()),
            ("input_ids", pa.list_(pa.int32())),
        ]
    )


def shard_batches(pieces: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """All documents of these pieces in order, a page at a time, memory-mapped."""
    for path in pieces:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            yield from stream
