"""The files of an extraction in progress: the list of ids, and shards of documents as they were read.

On disk a shard is called a piece: piece-00000.arrow holds its documents, piece-00000.json what is known of it.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from get_tags_train.core.arrow import read_batches, write_batches
from get_tags_train.core.errors import InputError
from get_tags_train.core.files import read_json
from get_tags_train.core.i18n import Command, _
from get_tags_train.data.ids import IdList
from get_tags_train.data.version_record import VERSION_FIELDS

IDS = "ids.arrow"


def write_ids(folder: Path, listed: IdList, unusable: Sequence[str]) -> None:
    """Spool the ids to read, with what was left out: NULLs, repetitions, and what a file lists that cannot be ids."""
    metadata = {"nulls": listed.nulls, "repeated": listed.repeated, "unusable": list(unusable)}
    columns = {"id": listed.ids, "version": listed.versions, "date": listed.dates}
    there = {name: column for name, column in columns.items() if column is not None}
    schema = pa.schema(
        [(name, column.type) for name, column in there.items()], metadata={"facts": json.dumps(metadata)}
    )
    write_batches(folder / IDS, schema, [pa.record_batch(list(there.values()), schema=schema)])


def read_ids(folder: Path) -> tuple[IdList, list[str]]:
    """The spooled ids, and what a file lists that cannot be ids.

    Raises FileNotFoundError where none are spooled yet, InputError where they cannot be read.
    """
    try:
        with pa.OSFile(str(folder / IDS)) as source, pa.ipc.open_stream(source) as stream:
            metadata = json.loads(stream.schema.metadata[b"facts"])
            spooled = stream.read_all().combine_chunks()
            spooled.validate(full=True)
            columns = {name: spooled[name].combine_chunks() for name in spooled.schema.names}
            versions, dates = columns.get("version"), columns.get("date")
            listed = IdList(columns["id"], metadata["nulls"], metadata["repeated"], versions, dates)
            return listed, list(metadata["unusable"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, pa.ArrowException) as error:
        raise _damaged(folder / IDS) from error


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard's documents are written."""
    return folder / f"piece-{number:05d}.arrow"


def shard_paths(folder: Path) -> list[Path]:
    """The complete shards of an extraction, in order: those whose metadata are written."""
    return [path.with_suffix(".arrow") for path in sorted(folder.glob("piece-*.json"))]


def shard_metadata(path: Path) -> dict[str, Any]:
    """Which of the ids a shard covers (start, stop), how many documents were reused (taken), seconds of each part.

    base: the earlier data that its documents are reused from.
    lied: the documents whose text had changed under the same version, where all texts were read.
    """
    try:
        metadata = read_json(path.with_suffix(".json"))
        if not 0 <= int(metadata["start"]) <= int(metadata["stop"]):
            raise ValueError("not a range")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path.with_suffix(".json")) from error
    return dict(metadata)


def _damaged(path: Path) -> InputError:
    return InputError(
        _("{path} of the unfinished extraction cannot be read.", path=path),
        _(
            "It cannot be resumed. Remove it, then extract again: {remove}",
            remove=Command("data", "remove", path.parent.name),
        ),
    )


def shard_schema(id_type: pa.DataType, *, has_versions: bool) -> pa.Schema:
    """A document as it was read and cleaned, its tags still raw, with their ids and its problem where it has any.

    characters: of title and text before cleaning, without white space around; removed: how many of these it removed.
    digest and tags_sum: those of the earlier data that it is reused from; row: where it stands there. Its text,
    source_hash and input_ids are NULL then, and stay there until they are needed.
    """
    return pa.schema(
        [
            ("id", id_type),
            ("text", pa.string()),
            ("characters", pa.int32()),
            ("removed", pa.int32()),
            ("source_hash", pa.binary()),
            ("text_hash", pa.binary()),
            ("tags", pa.list_(pa.string())),
            ("tag_ids", pa.list_(pa.string())),
            ("problem", pa.string()),
            ("date", pa.date32()),
            ("input_ids", pa.list_(pa.int32())),
            *([*VERSION_FIELDS, ("row", pa.int32())] if has_versions else []),
        ]
    )


def shard_batches(shards: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """All documents of these shards in order, a page at a time, memory-mapped."""
    for path in shards:
        yield from read_batches(path)


def usable_shards(folder: Path, base: str | None) -> list[Path]:
    """The complete shards, up to the first that reuses documents of other data than base; the rest is removed."""
    paths = shard_paths(folder)
    others = (n for n, path in enumerate(paths) if shard_metadata(path).get("base") not in (None, base))
    first = next(others, len(paths))
    for path in reversed(paths[first:]):
        path.with_suffix(".json").unlink()
        path.unlink()
    return paths[:first]


def remove_shards(folder: Path) -> None:
    """Remove the ids and all shards of an extraction that is complete."""
    for leftover in [folder / IDS, *folder.glob("piece-*")]:
        leftover.unlink(missing_ok=True)
