"""Pieces -> tags_vX: join duplicates, number tags, write the manifest. It can be repeated until it succeeds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.csvfiles import write_csv
from get_tags_train.dataset import (
    DocumentDigests,
    Manifest,
    add_digests,
    document_schema,
    file_sha256,
    list_column,
    write_batches,
    write_manifest,
    write_tags,
)
from get_tags_train.errors import NothingToTrainOn
from get_tags_train.pieces import piece_batches, piece_facts, piece_paths, read_ids
from get_tags_train.text import normalise_tag
from get_tags_train.workspace import Workspace, read_plan


class _Scan(NamedTuple):
    """What must be known of all documents at once: about 60 bytes of each.

    hashes: (documents, 2) uint64; has_text: (documents,); pairs: documents << 32 | tags, sorted, without
    repetition; names: the tags in order of first sight; spellings: of each of these.
    """

    hashes: NDArray[np.uint64]
    has_text: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    names: list[str]
    spellings: dict[str, list[str]]


class _Joined(NamedTuple):
    """kept: (documents,); pairs: of the kept documents, tags by their final number; tags and counts."""

    kept: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    tags: list[str]
    counts: list[int]
    dropped: dict[str, int]
    conflicts: int


def finish(workspace: Workspace) -> None:
    """Write documents, tags and manifest beside the pieces. Raises NothingToTrainOn where no document is left."""
    folder = workspace.folder
    started = perf_counter()
    pieces = piece_paths(folder)
    plan = read_plan(folder)
    scan = _scan(pieces, dict(plan.get("tags_map", [])))
    ids, facts = read_ids(folder)
    if not len(scan.has_text):
        shown = ", ".join([*map(str, ids[:3].to_pylist()), *facts["unusable"][:3]])
        raise NothingToTrainOn(
            f"None of the {len(ids) + len(facts['unusable'])} ids is in the database: {shown}, ...",
            "Check that they are ids of documents_query under [database].",
        )
    joined = _join(scan)
    if not joined.kept.any():
        reasons = ", ".join(
            f"{count} with {reason.replace('_', ' ')}" for reason, count in joined.dropped.items() if count
        )
        raise NothingToTrainOn(
            f"None of the {len(joined.kept)} documents can be used: {reasons}.",
            "Check tags_query and the text column of documents_query under [database].",
        )
    checksum = _write_documents(folder, pieces, ids.type, joined)
    write_tags(folder, joined.tags, joined.counts)
    missing = _missing(pieces, ids) + facts["unusable"]
    if missing:
        write_csv(folder / "missing_ids.csv", [["id"], *([i] for i in missing)])
    seconds: dict[str, float] = {}
    for piece in pieces:
        for part, spent in piece_facts(piece)["seconds"].items():
            seconds[part] = seconds.get(part, 0.0) + spent
    seconds["join"] = perf_counter() - started
    written = sorted(p for p in folder.glob("*") if p.name in {"tags.json", "missing_ids.csv"})
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in [*sorted(folder.glob("documents-*.arrow")), *written]
    }
    manifest = Manifest(
        name=workspace.name,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        source=plan,
        documents_read=len(joined.kept),
        documents_kept=int(joined.kept.sum()),
        dropped=joined.dropped,
        conflicting_duplicates=joined.conflicts,
        missing_ids=len(missing),
        null_ids=facts["nulls"],
        repeated_ids=facts["repeated"],
        tags=len(joined.tags),
        respelt_tags={tag: spelt for tag in joined.tags if len(spelt := scan.spellings.get(tag, [])) > 1},
        checksum=checksum,
        resumed=workspace.resumed,
        seconds={part: round(spent, 3) for part, spent in seconds.items()},
        files=files,
    )
    write_manifest(folder, manifest)


def _scan(pieces: Sequence[Path], tags_map: Mapping[str, str]) -> _Scan:
    """Read hashes and tags of all pieces, tags normalised, mapped, and numbered as they come."""
    numbers: dict[str, int] = {}
    by_spelling: dict[str, int] = {}
    spellings: dict[str, list[str]] = {}
    hashes, has_text, pairs, first = (
        [np.zeros((0, 2), np.uint64)],
        [np.zeros(0, bool)],
        [np.zeros(0, np.int64)],
        0,
    )
    for batch in piece_batches(pieces):
        hashes.append(np.frombuffer(b"".join(batch.column("text_hash").to_pylist()), np.uint64).reshape(-1, 2))
        has_text.append(pc.greater(pc.binary_length(batch.column("text")), 0).to_numpy(zero_copy_only=False))
        tags = batch.column("tags")
        encoded = tags.flatten().dictionary_encode()
        for spelling in encoded.dictionary.to_pylist():
            if spelling not in by_spelling:
                tag = normalise_tag(spelling)
                spellings.setdefault(tag, []).append(spelling)
                tag = tags_map.get(tag, tag)
                by_spelling[spelling] = numbers.setdefault(tag, len(numbers)) if tag else -1
        lookup = np.array([by_spelling[s] for s in encoded.dictionary.to_pylist()], np.int64)
        tag_numbers = lookup[encoded.indices.to_numpy(zero_copy_only=False)]
        documents = first + pc.list_parent_indices(tags).to_numpy(zero_copy_only=False).astype(np.int64)
        pairs.append(np.unique((documents << 32 | tag_numbers)[tag_numbers >= 0]))
        first += len(batch)
    return _Scan(np.concatenate(hashes), np.concatenate(has_text), np.concatenate(pairs), list(numbers), spellings)


def _join(scan: _Scan) -> _Joined:
    """Drop documents without text or tags, join those with equal text, number the tags by name."""
    total = len(scan.has_text)
    tag_counts = np.bincount(scan.pairs >> 32, minlength=total)
    usable = scan.has_text & (tag_counts > 0)
    first_of = _first_with_equal_text(scan.hashes, usable)
    kept = first_of == np.arange(total)
    pairs = scan.pairs[usable[scan.pairs >> 32]]
    united = np.unique(first_of[pairs >> 32] << 32 | (pairs & 0xFFFFFFFF))
    united_counts = np.bincount(united >> 32, minlength=total)
    differing = usable & (tag_counts != united_counts[first_of])
    counts = np.bincount(united & 0xFFFFFFFF, minlength=len(scan.names))
    by_name = sorted((number for number in range(len(scan.names)) if counts[number]), key=scan.names.__getitem__)
    renumbered = np.zeros(len(scan.names), np.int64)
    renumbered[by_name] = np.arange(len(by_name))
    return _Joined(
        kept=kept,
        pairs=np.sort(united >> 32 << 32 | renumbered[united & 0xFFFFFFFF]),
        tags=[scan.names[number] for number in by_name],
        counts=[int(counts[number]) for number in by_name],
        dropped={
            "no_text": int((~scan.has_text).sum()),
            "no_tags": int((scan.has_text & (tag_counts == 0)).sum()),
            "duplicate": int((usable & ~kept).sum()),
        },
        conflicts=len(np.unique(first_of[differing])),
    )


def _first_with_equal_text(hashes: NDArray[np.uint64], usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each usable document the first usable one with the same hash; -1 for the others."""
    places = np.flatnonzero(usable)
    order = places[np.lexsort((places, hashes[places, 1], hashes[places, 0]))]
    begins = np.ones(len(order), bool)
    begins[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    first_of = np.full(len(usable), -1, np.int64)
    first_of[order] = order[begins][np.cumsum(begins) - 1]
    return first_of


def _write_documents(folder: Path, pieces: Sequence[Path], id_type: pa.DataType, joined: _Joined) -> str:
    """Write the kept documents of each piece to a file of its own; returns the checksum of all."""
    digests = DocumentDigests()
    schema = document_schema(id_type)
    starts = np.searchsorted(joined.pairs, np.arange(len(joined.kept) + 1) << 32)
    tag_numbers = (joined.pairs & 0xFFFFFFFF).astype(np.int32)

    def final(piece: Path, first: int) -> Iterator[pa.RecordBatch]:
        for batch in piece_batches([piece]):
            kept = joined.kept[first : first + len(batch)]
            rows = [tag_numbers[starts[n] : starts[n + 1]] for n in first + np.flatnonzero(kept)]
            remaining = batch.filter(pa.array(kept))
            arrays = [list_column(rows) if name == "tags" else remaining.column(name) for name in schema.names]
            written = pa.record_batch(arrays, schema=schema)
            add_digests(digests, written, joined.tags)
            yield written
            first += len(batch)

    first = 0
    for number, piece in enumerate(pieces):
        write_batches(folder / f"documents-{number:05d}.arrow", schema, final(piece, first))
        first += sum(len(batch) for batch in piece_batches([piece]))
    return digests.hexdigest()


def _missing(pieces: Sequence[Path], ids: pa.Array) -> list[int | str]:
    """The ids, in their order, that no piece has a document for."""
    read = pa.chunked_array([batch.column("id") for batch in piece_batches(pieces)], ids.type)
    missing: list[int | str] = ids.filter(pc.invert(pc.is_in(ids, value_set=read))).to_pylist()
    return missing
