"""Prepared data made of texts, for tests of what comes after extraction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from get_tags_train.core.arrow import write_batches
from get_tags_train.core.files import file_sha256, write_json
from get_tags_train.data.prepared import TAGS, Manifest, PreparedData, document_schema, write_manifest
from get_tags_train.text.clean import text_hash

Document = tuple[int | str, str, list[str]]


def prepared(
    folder: Path, documents: Sequence[Document], batch_size: int = 3, dates: Mapping[int | str, date] | None = None
) -> PreparedData:
    """Complete prepared data with these (id, clean text, tags), a few to a batch, and dates by id."""
    tags = sorted({tag for _, _, own in documents for tag in own})
    counts = Counter(tag for _, _, own in documents for tag in own)
    schema = document_schema(pa.int64() if all(isinstance(i, int) for i, _, _ in documents) else pa.string())

    def batch(rows: Sequence[Document]) -> pa.RecordBatch:
        known: dict[str, list[Any]] = {
            "id": [i for i, _, _ in rows],
            "text": [text for _, text, _ in rows],
            "text_hash": [text_hash(text) for _, text, _ in rows],
            "tags": [[tags.index(tag) for tag in sorted(own)] for _, _, own in rows],
            "date": [(dates or {}).get(i) for i, _, _ in rows],
            "input_ids": [[] for _ in rows],
        }
        return pa.record_batch([known.get(name, [b""] * len(rows)) for name in schema.names], schema=schema)

    starts = range(0, len(documents), batch_size)
    write_batches(folder / "documents.arrow", schema, (batch(documents[s : s + batch_size]) for s in starts))
    write_json(folder / TAGS, [{"tag": tag, "documents": counts[tag], "ids": []} for tag in tags])
    path = folder / "documents.arrow"
    empty: dict[str, Any] = {"int": 0, "bool": False, "str": ""}
    blank = {field.name: empty.get(str(getattr(field.type, "__name__", field.type)), {}) for field in fields(Manifest)}
    blank |= {"created": "2026-01-01T00:00:00+02:00", "tags": len(tags)}
    del blank["format"]
    files = {path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}}
    write_manifest(
        folder,
        Manifest(**{**blank, "removed": None, "name": folder.name, "documents_kept": len(documents), "files": files}),
    )
    return PreparedData(folder)


def texts_of(count: int, words: int = 40, seed: int = 0) -> list[str]:
    """Texts that have nothing in common: words made of numbers that stand in no other."""
    return [" ".join(f"w{seed}x{n}x{word}" for word in range(words)) for n in range(count)]


def changed(text: str, every: int = 10) -> str:
    """The text with one word in `every` replaced."""
    return " ".join(f"altul{n}" if n % every == every // 2 else word for n, word in enumerate(text.split()))
