"""Shards -> tags_vX: merge duplicates, number tags, write the manifest. It can be repeated until it succeeds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from get_tags_train.core.arrow import hashes_as_integers, with_first_row, write_batches
from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import NothingToTrainOn
from get_tags_train.core.files import files_sha256
from get_tags_train.core.i18n import _, display_name, first_of
from get_tags_train.core.workspace import Workspace, read_plan
from get_tags_train.data.digests import DocumentDigests, TagSums
from get_tags_train.data.duplicates import Merged, merge_duplicates
from get_tags_train.data.ids import DocumentId
from get_tags_train.data.prefetch import prefetch
from get_tags_train.data.prepared import (
    DATASET_INFO,
    DATASET_STATE,
    TAGS,
    Manifest,
    document_schema,
    write_dataset_state,
    write_manifest,
    write_tags,
)
from get_tags_train.data.removed_text import RemovedText
from get_tags_train.data.reuse import ReusableDocuments
from get_tags_train.data.shards import read_ids, shard_batches, shard_metadata, shard_paths
from get_tags_train.data.source import TAGS_UNREADABLE, TOO_LONG, UNDECODABLE
from get_tags_train.data.tag_numbering import TagNumbering
from get_tags_train.data.version_record import LEFT_OUT, VERSIONS, Record, record_left_out, record_versions
from get_tags_train.text.clean import text_hash

_MISSING_IDS, _UNREADABLE, _BOILERPLATE = "missing_ids.csv", "unreadable.csv", "boilerplate.csv"
_REMOVED = "much_removed.csv"
_BESIDE_DOCUMENTS = {
    TAGS,
    DATASET_INFO,
    DATASET_STATE,
    _MISSING_IDS,
    _UNREADABLE,
    _BOILERPLATE,
    _REMOVED,
    VERSIONS,
    LEFT_OUT,
}
_SHOWN_CHARACTERS = 100
_SHOWN_IDS = 3
# Pages that may wait to be written.
_AHEAD = 2
_NO_TEXT = pa.scalar(text_hash(""), pa.binary())


class _Scan(NamedTuple):
    """What must be known of all documents at once: about 70 bytes of each.

    hashes: (documents, 2) uint64; has_text: (documents,); tags: (documents, tags), sparse, True where the document has
    the tag; names: the tags, in order of first sight; spellings: of each of these; tag_ids: the database's ids of
    each; problems: ids of documents by what kept them, or their tags, from being read; removed: what cleaning removed.
    """

    hashes: NDArray[np.uint64]
    has_text: NDArray[np.bool_]
    tags: csr_array
    names: list[str]
    spellings: dict[str, list[str]]
    tag_ids: dict[str, list[str]]
    problems: dict[str, list[DocumentId]]
    removed: RemovedText


def assemble(workspace: Workspace, reusable: ReusableDocuments | None = None) -> None:
    """Write documents, tags and manifest beside the shards. Raises NothingToTrainOn where no document is left.

    reusable: where the texts are that the shards leave there.
    """
    folder = workspace.folder
    started = perf_counter()
    shards, plan = shard_paths(folder), read_plan(folder)
    listed, unusable = read_ids(folder)
    ids = listed.ids
    scan = _scan(shards, dict(plan.get("tags_map", [])))
    if not len(scan.has_text):
        raise _none_found(ids, unusable)
    merged = merge_duplicates(scan.hashes, scan.has_text, scan.tags, plan["boilerplate_copies"])
    dropped = _count_dropped(scan, merged)
    if not merged.kept.any():
        raise _none_usable(len(merged.kept), dropped)
    counts = np.bincount(merged.tags.indices, minlength=len(scan.names))
    by_name = sorted(np.flatnonzero(counts).tolist(), key=scan.names.__getitem__)
    tags = [scan.names[number] for number in by_name]
    merged = merged._replace(tags=merged.tags[:, by_name])
    restore = _as_it_is if reusable is None or listed.versions is None else reusable.restore
    if listed.versions is None:
        checksum = _write_documents(shards, restore, ids.type, tags, merged)
    else:
        with record_versions(folder, ids.type) as record:
            checksum = _write_documents(shards, restore, ids.type, tags, merged, record)
            _write_left_out(folder, map(restore, _chosen(shards, ~merged.kept)), record)
    write_tags(folder, tags, counts[by_name].tolist(), [scan.tag_ids.get(tag, []) for tag in tags])
    write_dataset_state(folder, checksum)
    missing = _missing(shards, ids) + unusable
    _write_lists(folder, missing, scan.problems)
    if merged.boilerplate.any():
        beginnings = _beginnings(map(restore, _chosen(shards, merged.boilerplate)))
        write_csv(folder / _BOILERPLATE, chain([("id", "text")], beginnings))
    if (lost_much := scan.removed.lost_much()).any():
        rows = _columns(_chosen(shards, lost_much), ("id", "characters", "removed"))
        write_csv(folder / _REMOVED, chain([("id", "characters", "removed")], rows))
    manifest = Manifest(
        name=workspace.name,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        source=plan,
        documents_read=len(merged.kept),
        documents_kept=int(merged.kept.sum()),
        dropped=dropped,
        conflicting_duplicates=merged.conflicts,
        unreadable_tags=len(scan.problems.get(TAGS_UNREADABLE, [])),
        missing_ids=len(missing),
        null_ids=listed.nulls,
        repeated_ids=listed.repeated,
        tags=len(tags),
        respelt_tags={tag: spelt for tag in tags if len(spelt := scan.spellings.get(tag, [])) > 1},
        checksum=checksum,
        resumed=workspace.resumed,
        removed=scan.removed.summary(),
        files=_files(folder),
        **_what_shards_took(shards, started),
    )
    write_manifest(folder, manifest)


def _as_it_is(documents: pa.RecordBatch) -> pa.RecordBatch:
    return documents


def _chosen(shards: Sequence[Path], chosen: NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    """Those of all documents that are chosen, a page at a time; chosen: (documents,)."""
    for first, batch in with_first_row(shard_batches(shards)):
        yield batch.filter(pa.array(chosen[first : first + len(batch)]))


def _scan(shards: Sequence[Path], tags_map: Mapping[str, str]) -> _Scan:
    """Read hashes, tags and problems of all shards; tags are numbered as they come."""
    numbering = TagNumbering(tags_map)
    problems: dict[str, list[DocumentId]] = {}
    hashes, has_text = [np.zeros((0, 2), np.uint64)], [np.zeros(0, bool)]
    # One entry for each tag of each document: which document, which tag.
    rows, numbers = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    characters, removed = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for first, batch in with_first_row(shard_batches(shards)):
        hashes.append(hashes_as_integers(batch.column("text_hash")))
        has_text.append(pc.not_equal(batch.column("text_hash"), _NO_TEXT).to_numpy(zero_copy_only=False))
        characters.append(batch.column("characters").to_numpy())
        removed.append(batch.column("removed").to_numpy())
        unread = batch.filter(pc.is_valid(batch.column("problem")))
        for problem, document_id in zip(unread["problem"].to_pylist(), unread["id"].to_pylist(), strict=True):
            problems.setdefault(problem, []).append(document_id)
        tags = batch.column("tags")
        numbers.append(numbering.numbers(tags.flatten(), batch.column("tag_ids").flatten()).astype(np.int32))
        rows.append((first + pc.list_parent_indices(tags).to_numpy(zero_copy_only=False)).astype(np.int32))
    final, tag_ids = numbering.renamed()
    row, number = np.concatenate(rows), np.concatenate(numbers)
    is_tag = number >= 0  # -1 is a tag that the map drops
    documents = sum(map(len, has_text))
    return _Scan(
        hashes=np.concatenate(hashes),
        has_text=np.concatenate(has_text),
        # A tag that a document has twice is one: True and True is True.
        tags=csr_array(
            (np.ones(is_tag.sum(), bool), (row[is_tag], final[number[is_tag]])), shape=(documents, len(final))
        ),
        names=numbering.names,
        spellings=numbering.spellings,
        tag_ids=tag_ids,
        problems=problems,
        removed=RemovedText(np.concatenate(characters), np.concatenate(removed)),
    )


def _count_dropped(scan: _Scan, merged: Merged) -> dict[str, int]:
    unread = {problem: len(scan.problems.get(problem, [])) for problem in (UNDECODABLE, TOO_LONG)}
    return {
        **unread,
        "no_text": int((~scan.has_text).sum()) - sum(unread.values()),
        "no_tags": int((scan.has_text & (np.diff(scan.tags.indptr) == 0)).sum()),
        "duplicate": int(merged.duplicate.sum()),
        "boilerplate": int(merged.boilerplate.sum()),
    }


def _write_documents(
    shards: Sequence[Path],
    restore: Callable[[pa.RecordBatch], pa.RecordBatch],
    id_type: pa.DataType,
    tags: Sequence[str],
    merged: Merged,
    record: Record | None = None,
) -> str:
    """Write the kept documents of each shard to a file of its own, and record them; returns the checksum of all.

    restore: gives documents the texts that the shards leave in earlier data.
    """
    digests, tags_sums, schema = DocumentDigests(tags), TagSums(tags), document_schema(id_type)
    merged.tags.sort_indices()
    kept_before = np.concatenate([[0], np.cumsum(merged.kept)])

    def finished(batch: pa.RecordBatch, row: int) -> pa.RecordBatch:
        stop = row + len(batch)
        documents = restore(batch.filter(pa.array(merged.kept[row:stop])))
        own_tags = merged.tags[kept_before[row] : kept_before[stop]]
        columns = {name: documents.column(name) for name in schema.names if name != "tags"}
        columns["tags"] = pa.ListArray.from_arrays(own_tags.indptr.astype(np.int32), own_tags.indices.astype(np.int32))
        written = pa.record_batch([columns[name] for name in schema.names], schema=schema)
        if record is None:
            digests.add(written)
        else:
            sums = pa.array(tags_sums(columns["tags"]))
            known = pc.if_else(pc.equal(sums, documents["tags_sum"]), documents["digest"], None)
            record(documents, digest=digests.add(written, known.to_pylist()), tags_sum=sums)
        return written

    def all_finished() -> Iterator[tuple[Path, pa.RecordBatch]]:
        row = 0
        for number, shard in enumerate(shards):
            for batch in shard_batches([shard]):
                yield shard.with_name(f"documents-{number:05d}.arrow"), finished(batch, row)
                row += len(batch)

    with prefetch(all_finished(), ahead=_AHEAD) as batches:
        for path, own in groupby(batches, key=itemgetter(0)):
            write_batches(path, schema, (batch for _, batch in own))
    return digests.hexdigest()


def _write_left_out(folder: Path, documents: Iterable[pa.RecordBatch], record: Record) -> None:
    """Record the documents that have a version and are not kept."""
    with record_left_out(folder, record) as record:
        for batch in documents:
            record(batch.filter(pc.is_valid(batch.column("version"))))


def _write_lists(folder: Path, missing: Sequence[object], problems: Mapping[str, Sequence[DocumentId]]) -> None:
    """List what is not in the data: a file for each reason that there is."""
    if missing:
        write_csv(folder / _MISSING_IDS, [("id",), *((document_id,) for document_id in missing)])
    if problems:
        unread = [(document_id, problem) for problem, found in problems.items() for document_id in found]
        write_csv(folder / _UNREADABLE, [("id", "problem"), *unread])


def _beginnings(documents: Iterable[pa.RecordBatch]) -> Iterator[tuple[DocumentId, str]]:
    """The id and the beginning of the text of each document."""
    for batch in documents:
        beginnings = pc.utf8_slice_codeunits(batch.column("text"), 0, _SHOWN_CHARACTERS)
        yield from zip(batch.column("id").to_pylist(), beginnings.to_pylist(), strict=True)


def _columns(documents: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """These columns of each document."""
    for batch in documents:
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def _missing(shards: Sequence[Path], ids: pa.Array) -> list[DocumentId]:
    """The ids, in their order, that no shard has a document for."""
    read = pa.chunked_array([batch.column("id") for batch in shard_batches(shards)], ids.type)
    missing: list[DocumentId] = ids.filter(pc.invert(pc.is_in(ids, value_set=read))).to_pylist()
    return missing


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytes and SHA-256 of all that is written: first the documents, in their order."""
    documents = sorted(folder.glob("documents-*.arrow"))
    others = sorted(path for path in folder.glob("*") if path.name in _BESIDE_DOCUMENTS)
    paths = [*documents, *others]
    hashes = zip(paths, files_sha256(paths), strict=True)
    return {path.name: {"bytes": path.stat().st_size, "sha256": own} for path, own in hashes}


def _what_shards_took(shards: Sequence[Path], started: float) -> dict[str, Any]:
    """The manifest's seconds by part, this one included, and how many documents were reused."""
    read = [shard_metadata(shard) for shard in shards]
    parts = dict.fromkeys(part for shard in read for part in shard["seconds"])
    seconds = {part: sum(shard["seconds"].get(part, 0.0) for shard in read) for part in parts}
    seconds["join"] = perf_counter() - started
    return {
        "seconds": {part: round(spent, 3) for part, spent in seconds.items()},
        "taken_from_earlier": sum(shard["taken"] for shard in read),
    }


def _none_found(ids: pa.Array, unusable: Sequence[str]) -> NothingToTrainOn:
    some = [*ids[:_SHOWN_IDS].to_pylist(), *unusable]
    count = len(ids) + len(unusable)
    return NothingToTrainOn(
        _(
            "None of the {count} ids is in the database: {shown}.",
            count=count,
            shown=first_of(some, count, shown=_SHOWN_IDS, joined=", "),
        ),
        _("Check that they are ids of documents_query under [database]."),
    )


def _none_usable(count: int, dropped: Mapping[str, int]) -> NothingToTrainOn:
    reasons = ", ".join(f"{number} {display_name(reason)}" for reason, number in dropped.items() if number)
    return NothingToTrainOn(
        _("None of the {count} documents can be used: {reasons}.", count=count, reasons=reasons),
        _("Check tags_query and the text column of documents_query under [database]."),
    )
