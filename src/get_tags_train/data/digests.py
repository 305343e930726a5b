"""The checksum of documents, and what tells whether the digest of one is still right."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import list_rows
from get_tags_train.text.clean_columns import letters


class DocumentDigests:
    """The checksum of documents: SHA-256 over each document's own digest, in stored order.

    A document's own is SHA-256 over its id, its text, the number of its tags, each tag in sorted order, and its
    input_ids as little-endian int32; before each field but the number stands its length in bytes (8, little-endian).
    """

    def __init__(self, tags: Sequence[str]) -> None:
        """tags: by their number in the documents, sorted."""
        self._all = hashlib.sha256()
        self._tags = [_field(tag.encode()) for tag in tags]

    def add(self, documents: pa.RecordBatch, known: Sequence[bytes | None] | None = None) -> list[bytes]:
        """Add the next documents, with the columns of document_schema; returns their own digests.

        known: those that need not be computed, None where one is to be.
        """
        if known is None:
            own = list(self._digests(documents))
        else:
            unknown = pa.array([n for n, digest in enumerate(known) if digest is None], pa.int64())
            computed = self._digests(documents.take(unknown))
            own = [next(computed) if digest is None else digest for digest in known]
        self._all.update(b"".join(own))
        return own

    def _digests(self, documents: pa.RecordBatch) -> Iterator[bytes]:
        texts = zip(documents.column("id").to_pylist(), letters(documents.column("text")), strict=True)
        numbers = zip(list_rows(documents.column("tags")), list_rows(documents.column("input_ids")), strict=True)
        for (document_id, text), (tags, input_ids) in zip(texts, numbers, strict=True):
            own = hashlib.sha256(_field(str(document_id).encode()) + _length(text.nbytes))
            own.update(text)
            own.update(_length(len(tags)) + b"".join(self._tags[tag] for tag in tags.tolist()))
            own.update(_length(input_ids.nbytes) + input_ids.astype("<i4", copy=False).tobytes())
            yield own.digest()

    def hexdigest(self) -> str:
        """The checksum of all documents added so far."""
        return self._all.hexdigest()


class TagSums:
    """A number for a set of tags, equal for equal sets whatever the tags' numbers are: the sum of their hashes."""

    def __init__(self, tags: Sequence[str]) -> None:
        """tags: by their number in the documents."""
        hashes = b"".join(hashlib.blake2b(tag.encode(), digest_size=8).digest() for tag in tags)
        self._hashes = np.frombuffer(hashes, "<u8")

    def __call__(self, tags: pa.ListArray) -> NDArray[np.uint64]:
        """(documents,) of a column of tags, by number; sums beyond 64 bits wrap around."""
        offsets, numbers = tags.offsets.to_numpy(), tags.values.to_numpy()
        before = np.zeros(len(numbers) + 1, np.uint64)
        np.cumsum(self._hashes[numbers], out=before[1:])
        sums: NDArray[np.uint64] = before[offsets[1:]] - before[offsets[:-1]]
        return sums


def _length(size: int) -> bytes:
    return size.to_bytes(8, "little")


def _field(content: bytes) -> bytes:
    return _length(len(content)) + content
