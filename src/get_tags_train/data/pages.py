"""Pages of documents -> columns of a shard: read, cleaned and tokenised side by side, or taken as they were."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.data.ids import DocumentId, IdList, pages
from get_tags_train.data.shards import shard_schema
from get_tags_train.data.source import DocumentSource, RawDocument
from get_tags_train.data.unchanged import Audit, Unchanged
from get_tags_train.text.clean_columns import clean_documents, source_hashes, text_hashes
from get_tags_train.text.encoder import CleanTextEncoder

# Of a page: documents that are taken as they were need no query, but memory.
_MOST_DOCUMENTS = 2_000
_TAGS_AND_SPACES = re.compile(r"</?[A-Za-z][^<>]*>|&#?\w+;|\s")


class _Page(NamedTuple):
    """Ids from start to stop, the documents read of them, and their clean texts."""

    start: int
    stop: int
    documents: list[RawDocument]
    texts: pa.StringArray
    lied: list[DocumentId]


class FinishedPage(NamedTuple):
    """How many ids were asked for, the documents found, with the columns of shard_schema, and how many were reused.

    lied: those that had another text under the same version, where all are read.
    """

    asked: int
    documents: pa.RecordBatch
    reused: int
    lied: list[DocumentId]


class PageSteps:
    """The steps of reading that run side by side, and the seconds spent on each.

    page_size: how many texts are read at a time; is_read: (ids,) False where a document is thought to be unchanged;
    audit: what all are compared with, where all are read.
    """

    def __init__(
        self,
        source: DocumentSource,
        encoder: CleanTextEncoder,
        listed: IdList,
        *,
        page_size: int,
        is_read: NDArray[np.bool_],
        audit: Audit | None = None,
    ) -> None:
        self._source, self._encoder, self._listed = source, encoder, listed
        self._page_size, self._is_read, self._audit = page_size, is_read, audit
        self._has_versions = listed.versions is not None
        self.schema = shard_schema(listed.ids.type, has_versions=self._has_versions)
        self._seconds: dict[str, float] = {}

    def read(self, first: int) -> Iterator[_Page]:
        """Read the documents from the first id on, page_size at a time, and clean them."""
        for start, stop in _bounds(self._is_read, first, self._page_size):
            is_read = pa.array(self._is_read[start:stop])
            ids = self._listed.ids.slice(start, stop - start).filter(is_read).to_pylist()
            with self.timed("read"):
                documents = self._source.page(ids) if ids else []
            lied = list[DocumentId]()
            if self._audit is not None:
                lied = self._audit.changed_unnoticed(self._listed.ids, np.arange(start, stop), documents)
            with self.timed("clean"):
                texts = _clean(documents)
            yield _Page(start, stop, documents, texts, lied)

    def tokenised(self, pages: Iterator[_Page], unchanged: Unchanged | None) -> Iterator[FinishedPage]:
        """Tokenise what was read, and put what is unchanged in its place."""
        for page in pages:
            if unchanged is not None:
                page = self._with_unsure(page, unchanged)
            with self.timed("tokenise"):
                input_ids = self._encoder(page.texts)
            documents = self._columns(page, input_ids)
            if unchanged is not None:
                with self.timed("take"):
                    documents = unchanged.merge(page.start, page.stop, documents)
            reused = len(documents) - len(page.documents)
            yield FinishedPage(page.stop - page.start, documents, reused, page.lied)

    def _with_unsure(self, page: _Page, unchanged: Unchanged) -> _Page:
        """The page, and those of its documents that are read after all: only `source.page` can tell their tags."""
        within = slice(page.start, page.stop)
        unsure = self._listed.ids[within].filter(pa.array(~self._is_read[within] & (unchanged.rows[within] < 0)))
        if not len(unsure):
            return page
        with self.timed("take"):
            read = [document for ids in pages(unsure, self._page_size) for document in self._source.page(ids)]
        return page._replace(documents=page.documents + read, texts=pa.concat_arrays([page.texts, _clean(read)]))

    def _columns(self, page: _Page, input_ids: pa.ListArray) -> pa.RecordBatch:
        documents = page.documents
        left = pc.utf8_length(page.texts).to_numpy()
        characters = np.fromiter(map(_characters, documents, left.tolist()), np.int32, len(documents))
        columns: dict[str, Any] = {
            "id": [document.id for document in documents],
            "text": page.texts,
            "characters": characters,
            "removed": (characters - left).clip(min=0),
            "source_hash": source_hashes([(document.title, document.text) for document in documents]),
            "text_hash": text_hashes(page.texts),
            "tags": [document.tags for document in documents],
            "tag_ids": [document.tag_ids for document in documents],
            "problem": [document.problem for document in documents],
            "date": [document.dated for document in documents],
            "input_ids": input_ids,
        }
        if self._has_versions:
            columns |= {"version": self._versions(page), "digest": None, "tags_sum": None, "row": None}
        nothing = [None] * len(documents)
        arrays = [pa.array(nothing if columns[f.name] is None else columns[f.name], f.type) for f in self.schema]
        return pa.record_batch(arrays, schema=self.schema)

    def _versions(self, page: _Page) -> list[bytes | None]:
        """Of each document, as it came with its text; none where that could not be read or several rows have its id."""
        assert self._listed.versions is not None
        within = slice(page.start, page.stop)
        has_version = set(self._listed.ids[within].filter(pc.is_valid(self._listed.versions[within])).to_pylist())
        return [
            document.version if document.problem is None and document.id in has_version else None
            for document in page.documents
        ]

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time inside to a part's seconds."""
        began = perf_counter()
        yield
        self._seconds[part] = self._seconds.get(part, 0.0) + perf_counter() - began

    def take_seconds(self) -> dict[str, float]:
        """What was spent on each part since the last time."""
        seconds, self._seconds = self._seconds, {}
        return {part: round(spent, 4) for part, spent in seconds.items()}


def _clean(documents: list[RawDocument]) -> pa.StringArray:
    return clean_documents([(document.title, document.text) for document in documents])


def _bounds(is_read: NDArray[np.bool_], start: int, page_size: int) -> Iterator[tuple[int, int]]:
    """From where to where each page goes, so that it has at most page_size documents to read."""
    read_before = np.concatenate([[0], np.cumsum(is_read)])
    while start < len(is_read):
        stop = int(np.searchsorted(read_before, read_before[start] + page_size, side="right")) - 1
        stop = min(stop, start + max(_MOST_DOCUMENTS, page_size))
        yield start, stop
        start = stop


def _characters(document: RawDocument, left: int) -> int:
    """Of title and text, a line break between them, without white space around; 0 where they are tags and spaces only.

    left: how many of them cleaning left.
    """
    text = "\n".join(part for part in (document.title, document.text) if part).strip()
    return len(text) if left or _TAGS_AND_SPACES.sub("", text) else 0
