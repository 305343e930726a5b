"""Pieces -> tags_vX: join duplicates, number tags, write the manifest. It can be repeated until it succeeds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.core.arrow import hashes_as_integers, list_column, write_batches
from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import NothingToTrainOn
from get_tags_train.core.files import file_sha256
from get_tags_train.core.i18n import _, display_name
from get_tags_train.core.workspace import Workspace, read_plan
from get_tags_train.data.prepared import TAGS, DocumentDigests, Manifest, document_schema, write_manifest, write_tags
from get_tags_train.data.shards import read_ids, shard_batches, shard_metadata, shard_paths
from get_tags_train.data.source import TAGS_UNREADABLE, TOO_LONG, UNDECODABLE, DocumentId
from get_tags_train.data.tag_numbering import TagNumbering

_SHOWN_CHARACTERS = 100


class _Scan(NamedTuple):
    """What must be known of all documents at once: about 60 bytes of each.

    hashes: (documents, 2) uint64; has_text: (documents,); pairs: documents << 32 | tags, sorted, without
    repetition; names: the tags in order of first sight; spellings: of each of these; tag_ids: the database's ids
    of each; problems: ids of documents by what kept them, or their tags, from being read.
    """

    hashes: NDArray[np.uint64]
    has_text: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    names: list[str]
    spellings: dict[str, list[str]]
    tag_ids: dict[str, list[str]]
    problems: dict[str, list[DocumentId]]


class _Joined(NamedTuple):
    """kept and boilerplate: (documents,); pairs: of the kept documents, tags by their final number."""

    kept: NDArray[np.bool_]
    boilerplate: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    tags: list[str]
    counts: list[int]
    dropped: dict[str, int]
    conflicts: int


def assemble(workspace: Workspace) -> None:
    """Write documents, tags and manifest beside the pieces. Raises NothingToTrainOn where no document is left."""
    folder = workspace.folder
    started = perf_counter()
    pieces = shard_paths(folder)
    plan = read_plan(folder)
    scan = _scan(pieces, dict(plan.get("tags_map", [])))
    ids, facts = read_ids(folder)
    if not len(scan.has_text):
        shown = ", ".join([*map(str, ids[:3].to_pylist()), *facts["unusable"][:3]])
        raise NothingToTrainOn(
            _(
                "None of the {count} ids is in the database: {shown}, ...",
                count=len(ids) + len(facts["unusable"]),
                shown=shown,
            ),
            _("Check that they are ids of documents_query under [database]."),
        )
    joined = _join(scan, plan["boilerplate_copies"])
    if not joined.kept.any():
        reasons = ", ".join(f"{count} {display_name(reason)}" for reason, count in joined.dropped.items() if count)
        raise NothingToTrainOn(
            _("None of the {count} documents can be used: {reasons}.", count=len(joined.kept), reasons=reasons),
            _("Check tags_query and the text column of documents_query under [database]."),
        )
    checksum = _write_documents(folder, pieces, ids.type, joined)
    write_tags(folder, joined.tags, joined.counts, [scan.tag_ids.get(tag, []) for tag in joined.tags])
    missing = _missing(pieces, ids) + facts["unusable"]
    unreadable = ((i, problem) for problem, of_problem in scan.problems.items() for i in of_problem)
    lists: dict[str, tuple[bool, tuple[str, ...], Iterator[tuple[object, ...]]]] = {
        "missing_ids.csv": (bool(missing), ("id",), ((i,) for i in missing)),
        "unreadable.csv": (bool(scan.problems), ("id", "problem"), unreadable),
        "boilerplate.csv": (bool(joined.boilerplate.any()), ("id", "text"), _beginnings(pieces, joined.boilerplate)),
    }
    for name, (is_wanted, header, rows) in lists.items():
        if is_wanted:
            write_csv(folder / name, chain([header], rows))
    read = [shard_metadata(piece) for piece in pieces]
    parts = dict.fromkeys(part for piece in read for part in piece["seconds"])
    seconds = {part: sum(piece["seconds"].get(part, 0.0) for piece in read) for part in parts}
    seconds["join"] = perf_counter() - started
    written = sorted(p for p in folder.glob("*") if p.name in {TAGS, *lists})
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
        unreadable_tags=len(scan.problems.get(TAGS_UNREADABLE, [])),
        missing_ids=len(missing),
        null_ids=facts["nulls"],
        repeated_ids=facts["repeated"],
        taken_from_earlier=sum(piece["taken"] for piece in read),
        tags=len(joined.tags),
        respelt_tags={tag: spelt for tag in joined.tags if len(spelt := scan.spellings.get(tag, [])) > 1},
        checksum=checksum,
        resumed=workspace.resumed,
        seconds={part: round(spent, 3) for part, spent in seconds.items()},
        files=files,
    )
    write_manifest(folder, manifest)


def _scan(pieces: Sequence[Path], tags_map: Mapping[str, str]) -> _Scan:
    """Read hashes, tags and problems of all pieces; tags are numbered as they come."""
    numbering = TagNumbering(tags_map)
    problems: dict[str, list[DocumentId]] = {}
    hashes, has_text, pairs = [np.zeros((0, 2), np.uint64)], [np.zeros(0, bool)], [np.zeros(0, np.int64)]
    first = 0
    for batch in shard_batches(pieces):
        hashes.append(hashes_as_integers(batch.column("text_hash")))
        has_text.append(pc.greater(pc.binary_length(batch.column("text")), 0).to_numpy(zero_copy_only=False))
        unread = batch.filter(pc.is_valid(batch.column("problem")))
        for problem, document_id in zip(unread["problem"].to_pylist(), unread["id"].to_pylist(), strict=True):
            problems.setdefault(problem, []).append(document_id)
        tags = batch.column("tags")
        numbers = numbering.numbers(tags.flatten(), batch.column("tag_ids").flatten())
        documents = first + pc.list_parent_indices(tags).to_numpy(zero_copy_only=False).astype(np.int64)
        pairs.append(np.unique((documents << 32 | numbers)[numbers >= 0]))
        first += len(batch)
    final, tag_ids = numbering.renamed()
    joined = np.concatenate(pairs)
    joined = np.unique(joined >> 32 << 32 | final[joined & 0xFFFFFFFF])
    return _Scan(
        hashes=np.concatenate(hashes),
        has_text=np.concatenate(has_text),
        pairs=joined,
        names=numbering.names,
        spellings=numbering.spellings,
        tag_ids=tag_ids,
        problems=problems,
    )


def _join(scan: _Scan, boilerplate_copies: int) -> _Joined:
    """Drop documents without text or tags, join those with equal text, number the tags by name.

    Where at least `boilerplate_copies` have equal text and not all the same tags, all of them are dropped.
    """
    total = len(scan.has_text)
    tag_counts = np.bincount(scan.pairs >> 32, minlength=total)
    usable = scan.has_text & (tag_counts > 0)
    first_of = _first_with_equal_text(scan.hashes, usable)
    pairs = scan.pairs[usable[scan.pairs >> 32]]
    united = np.unique(first_of[pairs >> 32] << 32 | (pairs & 0xFFFFFFFF))
    united_counts = np.bincount(united >> 32, minlength=total)
    differing = usable & (tag_counts != united_counts[first_of])
    boilerplate = np.zeros(total, bool)
    if boilerplate_copies:
        conflicting = np.zeros(total, bool)
        conflicting[first_of[differing]] = True
        copies = np.bincount(first_of[usable], minlength=total)
        boilerplate = usable & (conflicting & (copies >= boilerplate_copies))[first_of]
    kept = (first_of == np.arange(total)) & ~boilerplate
    united = united[kept[united >> 32]]
    counts = np.bincount(united & 0xFFFFFFFF, minlength=len(scan.names))
    by_name = sorted((number for number in range(len(scan.names)) if counts[number]), key=scan.names.__getitem__)
    renumbered = np.zeros(len(scan.names), np.int64)
    renumbered[by_name] = np.arange(len(by_name))
    unread = {problem: len(scan.problems.get(problem, [])) for problem in (UNDECODABLE, TOO_LONG)}
    return _Joined(
        kept=kept,
        boilerplate=boilerplate,
        pairs=np.sort(united >> 32 << 32 | renumbered[united & 0xFFFFFFFF]),
        tags=[scan.names[number] for number in by_name],
        counts=[int(counts[number]) for number in by_name],
        dropped={
            **unread,
            "no_text": int((~scan.has_text).sum()) - sum(unread.values()),
            "no_tags": int((scan.has_text & (tag_counts == 0)).sum()),
            "duplicate": int((usable & ~kept & ~boilerplate).sum()),
            "boilerplate": int(boilerplate.sum()),
        },
        conflicts=len(np.unique(first_of[differing & ~boilerplate])),
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
    digests = DocumentDigests(joined.tags)
    schema = document_schema(id_type)
    starts = np.searchsorted(joined.pairs, np.arange(len(joined.kept) + 1) << 32)
    tag_numbers = (joined.pairs & 0xFFFFFFFF).astype(np.int32)

    def final(piece: Path, first: int) -> Iterator[pa.RecordBatch]:
        for batch in shard_batches([piece]):
            kept = joined.kept[first : first + len(batch)]
            rows = [tag_numbers[starts[n] : starts[n + 1]] for n in first + np.flatnonzero(kept)]
            remaining = batch.filter(pa.array(kept))
            arrays = [list_column(rows) if name == "tags" else remaining.column(name) for name in schema.names]
            written = pa.record_batch(arrays, schema=schema)
            digests.add(written)
            yield written
            first += len(batch)

    first = 0
    for number, piece in enumerate(pieces):
        write_batches(folder / f"documents-{number:05d}.arrow", schema, final(piece, first))
        first += sum(len(batch) for batch in shard_batches([piece]))
    return digests.hexdigest()


def _beginnings(pieces: Sequence[Path], chosen: NDArray[np.bool_]) -> Iterator[tuple[DocumentId, str]]:
    """The id and the beginning of the text of the chosen documents; chosen: (documents,)."""
    first = 0
    for batch in shard_batches(pieces):
        found = batch.filter(pa.array(chosen[first : first + len(batch)]))
        beginnings = pc.utf8_slice_codeunits(found.column("text"), 0, _SHOWN_CHARACTERS)
        yield from zip(found.column("id").to_pylist(), beginnings.to_pylist(), strict=True)
        first += len(batch)


def _missing(pieces: Sequence[Path], ids: pa.Array) -> list[DocumentId]:
    """The ids, in their order, that no piece has a document for."""
    read = pa.chunked_array([batch.column("id") for batch in shard_batches(pieces)], ids.type)
    missing: list[DocumentId] = ids.filter(pc.invert(pc.is_in(ids, value_set=read))).to_pylist()
    return missing
