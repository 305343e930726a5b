"""A list of ids -> pages of documents, from any database."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from get_tags_train.data import listing
from get_tags_train.data.cells import read_date, read_switch, read_tags, read_text, read_version
from get_tags_train.data.database_errors import is_undecodable
from get_tags_train.data.ids import DocumentId, IdList, IdMatcher, pages
from get_tags_train.data.queries import named_column, optional_column
from get_tags_train.data.query_tables import QueryTables
from get_tags_train.data.retry import RetryPolicy, retry
from get_tags_train.data.tag_lists import TagLists

# About 4,000 printed pages; whole pages of such documents would not fit into memory.
MAX_CHARACTERS = 10_000_000
# What keeps a document, or its tags, from being read.
UNDECODABLE, TOO_LONG, TAGS_UNREADABLE = "undecodable", "too_long", "tags_unreadable"


class RawDocument(NamedTuple):
    """One document as the database has it; `tag_ids` and `version` where the database gives them.

    `problem` is UNDECODABLE or TOO_LONG where it could not be read, TAGS_UNREADABLE where only its tags could not.
    """

    id: DocumentId
    title: str | None
    text: str | None
    tags: list[str]
    tag_ids: Sequence[str | None] = ()
    problem: str | None = None
    dated: date | None = None
    version: bytes | None = None


class Lookup(NamedTuple):
    """Seconds that one of the queries took for the same number of rows: chosen by id, and as they come."""

    by_id: float
    by_scan: float


class TagCoverage(NamedTuple):
    """How many documents have tags, and how many ids of tags_query belong to no document."""

    tagged: int
    untagged: int
    without_document: int = 0


class DocumentSource:
    """Documents and their tags, by id, through the two queries of the settings."""

    def __init__(
        self,
        engine: Engine,
        documents_query: str,
        tags_query: str,
        *,
        retry_seconds: float = 0,
        on_retry: Callable[[str, float], None] = lambda message, seconds: None,
    ) -> None:
        """Check both queries against the database; an empty tags_query means a column `tags` of the documents.

        Reading is tried again for retry_seconds where the error may pass; on_retry hears why, and the pause in
        seconds. Raises InputError where a column is missing, stands there twice, or holds what cannot be ids.
        """
        self._policy = RetryPolicy(retry_seconds, on_retry, Event())
        self.tables = QueryTables(engine, documents_query, tags_query)
        self._id_type = self.tables.id_type

    def read_ids(self, after: date | None = None) -> IdList:
        """All ids that documents_query returns, sorted by value, so that equal data have an equal order.

        after: only those of documents with a later date; one without a date is none of these.
        """
        return retry(lambda: listing.list_ids(self.tables, after), self._policy)

    def add_versions(self, listed: IdList, page_size: int) -> IdList:
        """Ids that people listed, with the versions and dates that their documents have now, if they have versions."""
        if not self.tables.has_versions:
            return listed
        found = retry(lambda: listing.list_versions(self.tables, pages(listed.ids, page_size)), self._policy)
        assert found.versions is not None and found.dates is not None
        places = pc.index_in(listed.ids, value_set=found.ids)
        return listed._replace(versions=found.versions.take(places), dates=found.dates.take(places))

    def read_tags(self, ids: pa.Array, page_size: int | None = None) -> TagLists | None:
        """The tags of the documents with these ids: in one scan of all tags, or page_size ids at a time.

        None where one cannot be decoded: `page` finds out whose it is.
        """

        def read() -> TagLists:
            chosen = None if page_size is None else pages(ids, page_size)
            return listing.scan_tags(self.tables, ids, chosen)

        try:
            return retry(read, self._policy)
        except (UnicodeDecodeError, DBAPIError) as error:
            if not is_undecodable(error):
                raise
            return None

    def parse_ids(self, listed: Sequence[str]) -> tuple[IdList, list[str]]:
        """Ids that people wrote, in their order, typed as the database's; and those that cannot be ids here."""
        return self._id_type.parse(listed)

    def page(self, ids: Sequence[DocumentId]) -> list[RawDocument]:
        """The documents that exist among these ids, in the order of the ids, with two queries at most.

        A document whose text is not in the encoding it should be is found by halving.
        """
        try:
            return retry(lambda: self._page(ids), self._policy)
        except (UnicodeDecodeError, DBAPIError) as error:
            if not is_undecodable(error):
                raise
            if len(ids) == 1:
                return [RawDocument(ids[0], None, None, [], problem=UNDECODABLE)]
        half = len(ids) // 2
        return self.page(ids[:half]) + self.page(ids[half:])

    def first(self, count: int) -> list[RawDocument]:
        """The first documents that the database comes upon."""
        with self.tables.engine.connect() as connection:
            rows = connection.execute(self.tables.document_columns().limit(count))
            ids = [self._id_type.from_documents(row[0]) for row in rows if row[0] is not None]
        return self.page(ids)

    def tag_coverage(self, ids: pa.Array) -> TagCoverage:
        """How many of all documents, whose `ids` these are, have tags; reads no text."""
        matcher, tagged = IdMatcher(ids.to_pylist()), self._tagged_ids()
        matched = {matcher.match(i) for i in tagged}
        without_document = sum(matcher.match(i) is None for i in tagged)
        found = len(matched - {None})
        return TagCoverage(found, len(ids) - found, without_document)

    def _tagged_ids(self) -> set[DocumentId]:
        tables, statement = self.tables, self.tables.document_columns("tags")
        if tables.tags is not None:
            pairs = named_column(tables.tags, "id"), optional_column(tables.tags, "active")
            statement = select(*pairs).where(named_column(tables.tags, "tag").is_not(None)).distinct()
        own = self._id_type.from_documents if tables.tags is None else self._id_type.from_tags
        return {
            own(document_id)
            for rows in tables.rows(statement, tables.documents)
            for document_id, value in rows
            if document_id is not None and self._is_tag(value)
        }

    def _is_tag(self, value: object) -> bool:
        """Whether a cell of the column active, or of the column tags, gives its document a tag."""
        if self.tables.tags is not None:
            return read_switch(value, "active", "tags_query")
        with suppress(ValueError):
            return bool(read_tags(value, "tags", "documents_query"))
        return False

    def close(self) -> None:
        """End the waiting for a database that does not answer, from any thread; nothing is tried again after it."""
        self._policy.ended.set()

    def time_lookups(self, ids: Sequence[DocumentId]) -> dict[str, Lookup]:
        """How long each query takes to find these ids, against reading as many rows without looking for any."""
        tables = self.tables
        statements = {"documents_query": (tables.all_documents(), tables.documents_statement())}
        if tables.tags is not None:
            statements["tags_query"] = (tables.all_tags(), tables.tags_statement())
        lookups = {}
        with tables.engine.connect() as connection:
            for key, (everything, chosen) in statements.items():
                started = perf_counter()
                count = len(connection.execute(chosen, tables.parameters(ids)).all())
                between = perf_counter()
                connection.execute(everything.limit(max(count, 1))).all()
                lookups[key] = Lookup(between - started, perf_counter() - between)
        return lookups

    def _page(self, ids: Sequence[DocumentId]) -> list[RawDocument]:
        # pyodbc calls SQLFetch and SQLGetData row by row whatever the columns are (5.5 never binds any), so texts of
        # varchar(max) take no slower path than others, and arraysize would change nothing.
        tables, parameters = self.tables, self.tables.parameters(ids)
        found: dict[DocumentId, RawDocument] = {}
        with tables.engine.connect() as connection:
            for row in connection.execute(tables.documents_statement(), parameters):
                document = self._document(*row)
                found.setdefault(document.id, document)
            pairs = [] if tables.tags is None else connection.execute(tables.tags_statement(), parameters).all()
        matcher = IdMatcher(found)
        tags: dict[DocumentId | None, list[str]] = {}
        tag_ids: dict[DocumentId | None, list[str | None]] = {}
        for document_id, tag, tag_id, active in pairs:
            if tag is not None and read_switch(active, "active", "tags_query"):
                key = matcher.match(self._id_type.from_tags(document_id))
                tags.setdefault(key, []).append(read_text(tag, "tag", "tags_query") or "")
                if tables.has_tag_ids:
                    tag_ids.setdefault(key, []).append(read_text(tag_id, "tag_id", "tags_query"))
        return [
            found[key]._replace(id=i, tags=tags.get(key, found[key].tags), tag_ids=tag_ids.get(key, ()))
            for i in ids
            if (key := matcher.match(i)) is not None
        ]

    def _document(
        self, document_id: Any, title: Any, text: Any, dated: Any, version: Any, tags: Any = None
    ) -> RawDocument:
        """A row of documents_statement, its id as the database spells it."""
        title, text = (read_text(value, name, "documents_query") for name, value in (("title", title), ("text", text)))
        listed, problem = list[str](), None
        try:
            listed = read_tags(tags, "tags", "documents_query")
        except ValueError:
            problem = TAGS_UNREADABLE
        if len(title or "") + len(text or "") > MAX_CHARACTERS:
            title, text, problem = None, None, TOO_LONG
        own = self._id_type.from_documents(document_id)
        was = read_version(version)
        return RawDocument(own, title, text, listed, problem=problem, dated=read_date(dated), version=was)
