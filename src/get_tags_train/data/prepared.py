"""tags_vX, prepared data: write, open, verify, remove."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from get_tags_train.core.arrow import read_batches, with_first_row
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import files_sha256, read_json, write_json
from get_tags_train.core.i18n import Command, _
from get_tags_train.data.decisions import Decision, Overlay
from get_tags_train.data.digests import DocumentDigests
from get_tags_train.data.removed_text import RemovedSummary
from get_tags_train.data.version_record import VERSIONS, read_versions

FORMAT = 3
MANIFEST = "manifest.json"
TAGS = "tags.json"
# What datasets.load_from_disk reads beside the Arrow files.
DATASET_INFO, DATASET_STATE = "dataset_info.json", "state.json"


@dataclass(frozen=True)
class _Tag:
    tag: str
    documents: int
    ids: list[str]


@dataclass(frozen=True)
class Manifest:
    """What prepared data are and where they came from; written last, so its presence means complete.

    `source` is the plan of the extraction: database, queries, fingerprint of the tokenizer, rules for text.
    `seconds` are per part, `files` are bytes and SHA-256 by name, `dropped` counts documents by reason, `removed` is
    how much of the texts cleaning removed (None in data that were made before it was measured).
    """

    name: str
    created: str
    source: dict[str, Any]
    documents_read: int
    documents_kept: int
    dropped: dict[str, int]
    conflicting_duplicates: int
    unreadable_tags: int
    missing_ids: int
    null_ids: int
    repeated_ids: int
    taken_from_earlier: int
    tags: int
    respelt_tags: dict[str, list[str]]
    checksum: str
    resumed: bool
    seconds: dict[str, float]
    files: dict[str, dict[str, Any]]
    format: int = FORMAT
    removed: RemovedSummary | None = None


class _Source(BaseModel):
    """What is read of a manifest's source; the rest is only shown."""

    model_config = ConfigDict(extra="allow", strict=True)

    kind: str = ""
    database: str = ""
    tokenizer: str = ""
    context_length: int = Field(512, ge=1, le=4096)
    unknown_token_id: int | None = None


_MANIFEST, _TAGS = TypeAdapter(Manifest), TypeAdapter(list[_Tag])


def document_schema(id_type: pa.DataType) -> pa.Schema:
    """The columns of one document; id_type is int64 or string, tags are places in tags.json.

    source_hash is of title and text as the database has them, text_hash of the clean text; date may be null.
    """
    return pa.schema(
        [
            ("id", id_type),
            ("text", pa.string()),
            ("source_hash", pa.binary()),
            ("text_hash", pa.binary()),
            ("tags", pa.list_(pa.int32())),
            ("date", pa.date32()),
            ("input_ids", pa.list_(pa.int32())),
        ]
    )


class PreparedData:
    """Complete prepared data in a folder; documents stay on disk, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        """Open and check for completeness (names and sizes). Raises InputError naming what is wrong."""
        self.folder = folder
        self._overlay: Overlay | None = None
        try:
            stored = read_json(folder / MANIFEST)
            if stored.get("format") != FORMAT:
                raise InputError(
                    _(
                        "{folder} is in format {format}; this version of get-tags reads {known}.",
                        folder=folder,
                        format=stored.get("format"),
                        known=FORMAT,
                    ),
                    _("Extract the documents again."),
                )
            stored = {"removed": None} | stored
            manifest = _MANIFEST.validate_python({field.name: stored[field.name] for field in fields(Manifest)})
            self.manifest = replace(manifest, source=_Source.model_validate(manifest.source).model_dump())
            datetime.fromisoformat(self.manifest.created)
            listed = _TAGS.validate_python(read_json(folder / TAGS))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(
                folder, _("its manifest or tags cannot be read ({name})", name=type(error).__name__)
            ) from error
        self.tags = [entry.tag for entry in listed]
        self.tag_counts = [entry.documents for entry in listed]
        self.tag_ids = [entry.ids for entry in listed]
        for name, entry in self.manifest.files.items():
            path = folder / name
            if path.parent != folder or not path.is_file() or path.stat().st_size != entry.get("bytes"):
                raise _damaged(folder, _("{name} is missing or has another size", name=name))
        self._is_checked = False

    def with_decisions(self, decisions: Sequence[Decision]) -> "PreparedData":
        """The same documents with the tags that people decided on, and a checksum of its own."""
        data = PreparedData(self.folder)
        data._overlay = Overlay.of(decisions, self.tags)
        together = hashlib.sha256(f"{self.manifest.checksum} {data._overlay.digest}".encode())
        data.manifest = replace(self.manifest, checksum=together.hexdigest())
        return data

    @property
    def has_decisions(self) -> bool:
        """Whether the documents' tags are as people decided, not as the database has them."""
        return self._overlay is not None

    @property
    def name(self) -> str:
        """tags_vX."""
        return self.folder.name

    @property
    def document_paths(self) -> list[Path]:
        """The Arrow stream files, in stored order."""
        return [self.folder / name for name in self.manifest.files if name.endswith(".arrow")]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All documents in stored order, a batch at a time, memory-mapped.

        The first pass over them checks that they are sound, wherever they come from. Raises GetTagsError where not.
        """
        count = 0
        for path in self.document_paths:
            for batch in self._read(path):
                count += len(batch)
                yield batch
        if count != self.manifest.documents_kept:
            raise _damaged(
                self.folder,
                _(
                    "they hold {count} documents instead of {expected}",
                    count=count,
                    expected=self.manifest.documents_kept,
                ),
            )
        self._is_checked = True

    def numbered_batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """`batches`, each with the row of its first document."""
        return with_first_row(self.batches())

    def read(self, path: Path) -> list[pa.RecordBatch]:
        """The documents of one of `document_paths`, memory-mapped. Raises GetTagsError where they are not sound."""
        return list(self._read(path))

    def _read(self, path: Path) -> Iterator[pa.RecordBatch]:
        try:
            for batch in read_batches(path):
                if not self._is_checked:
                    _check_batch(batch, len(self.tags))
                yield batch if self._overlay is None else self._overlay.apply(batch)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.folder, _("{name} holds no readable documents", name=path.name)) from error

    def versions(self) -> pa.Table:
        """The record of the documents, and of those left out, where they have versions. Raises GetTagsError."""
        try:
            return read_versions(self.folder, self.manifest.documents_kept)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.folder, _("{name} holds no readable documents", name=VERSIONS)) from error

    def undated(self) -> int:
        """How many documents have no date."""
        return sum(batch.column("date").null_count for batch in self.batches())

    def dates(self) -> NDArray[np.datetime64]:
        """(documents,) the date of each to the day, NaT where it has none."""
        return np.concatenate([batch.column("date").to_numpy(zero_copy_only=False) for batch in self.batches()])

    def verify_files(self) -> None:
        """Compare the files with the manifest's checksums. Raises GetTagsError naming the one that differs."""
        files = self.manifest.files
        hashes = files_sha256([self.folder / name for name in files])
        for (name, entry), own in zip(files.items(), hashes, strict=True):
            if own != entry.get("sha256"):
                raise _damaged(self.folder, _("{name} has changed since it was written", name=name))

    def verify(self) -> None:
        """Compare files and documents with the manifest's checksums. Raises GetTagsError naming what differs."""
        self.verify_files()
        digests = DocumentDigests(self.tags)
        for batch in self.batches():
            digests.add(batch)
        if digests.hexdigest() != self.manifest.checksum:
            raise _damaged(self.folder, _("its documents do not add up to its checksum"))


def _check_batch(batch: pa.RecordBatch, tags: int) -> None:
    """Raise ArrowInvalid where a batch is not as document_schema says: whoever made it could crash its readers."""
    if batch.schema not in (document_schema(pa.int64()), document_schema(pa.string())):
        raise pa.ArrowInvalid("other columns")
    batch.validate(full=True)
    if any(batch.column(name).null_count for name in batch.schema.names if name != "date"):
        raise pa.ArrowInvalid("empty cells")
    numbers = batch.column("tags").values.to_numpy()
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < tags:
        raise pa.ArrowInvalid("a tag that is not in tags.json")


def write_tags(folder: Path, tags: Sequence[str], counts: Sequence[int], tag_ids: Sequence[Sequence[str]]) -> None:
    """Write tags.json: the tags in order, each with the number of its documents and its ids in the database."""
    entries = [
        {"tag": tag, "documents": int(count), "ids": list(ids)}
        for tag, count, ids in zip(tags, counts, tag_ids, strict=True)
    ]
    write_json(folder / TAGS, entries)


def write_dataset_state(folder: Path, fingerprint: str) -> None:
    """Make the folder one that datasets.load_from_disk opens, all documents in stored order.

    The types of the columns are left to the Arrow files: each version of datasets has its own way to write them.
    """
    paths = sorted(folder.glob("documents-*.arrow"))
    state: dict[str, Any] = {
        "_data_files": [{"filename": path.name} for path in paths],
        "_fingerprint": fingerprint[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    write_json(folder / DATASET_STATE, state)
    write_json(
        folder / DATASET_INFO, {"description": f"The tags of a document are places in {TAGS}.", "features": None}
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which makes the data complete."""
    write_json(folder / MANIFEST, asdict(manifest))


def _damaged(folder: Path, what: str) -> GetTagsError:
    return InputError(
        _("The prepared data {folder} are damaged: {what}.", folder=folder, what=what),
        _(
            "Restore them from a copy, or remove them and extract again: {remove}",
            remove=Command("data", "remove", folder.name),
        ),
    )
