"""A list of ids -> pages of documents, from any database."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Select, Subquery

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.cells import read_date, read_switch, read_tags, read_text
from get_tags_train.data.database_errors import is_undecodable
from get_tags_train.data.ids import DocumentId, IdList, IdMatcher, id_type
from get_tags_train.data.queries import declared_id_type, has_column, named_column, optional_column, query_as_table
from get_tags_train.data.retry import RetryPolicy, retry

_FETCH_ROWS = 10_000
# About 4,000 printed pages; whole pages of such documents would not fit into memory.
MAX_CHARACTERS = 10_000_000
# What keeps a document, or its tags, from being read.
UNDECODABLE, TOO_LONG, TAGS_UNREADABLE = "undecodable", "too_long", "tags_unreadable"


class RawDocument(NamedTuple):
    """One document as the database has it; `tag_ids` of its tags where the database gives them.

    `problem` is UNDECODABLE or TOO_LONG where it could not be read, TAGS_UNREADABLE where only its tags could not.
    """

    id: DocumentId
    title: str | None
    text: str | None
    tags: list[str]
    tag_ids: Sequence[str | None] = ()
    problem: str | None = None
    dated: date | None = None


class Lookup(NamedTuple):
    """Seconds that one of the queries took for the same number of rows: chosen by id, and as they come."""

    by_id: float
    by_scan: float


class TagCoverage(NamedTuple):
    """How many documents have tags, and how many ids of tags_query are no document's."""

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
        self._engine = engine
        self._policy = RetryPolicy(retry_seconds, on_retry, Event())
        has_tags_query = bool(tags_query.strip())
        with engine.connect() as connection:
            required = ["id", "text"] if has_tags_query else ["id", "text", "tags"]
            self._documents = query_as_table(
                connection, "documents_query", documents_query, required, ["title", "date"]
            )
            self._tags = (
                query_as_table(connection, "tags_query", tags_query, ["id", "tag"], ["tag_id", "active"])
                if has_tags_query
                else None
            )
            id_column = named_column(self._documents, "id")
            sample = connection.execute(select(id_column).where(id_column.is_not(None)).limit(1)).scalar()
            declared = declared_id_type(connection, documents_query) if isinstance(sample, str) else ""
        if sample is None:
            raise InputError(_("documents_query returns no documents."), _("Check [database] in get-tags.toml."))
        self._id_type = id_type(sample, declared)
        self._has_tag_ids = self._tags is not None and has_column(self._tags, "tag_id")
        self.has_dates = has_column(self._documents, "date")
        """Whether the documents come with dates."""

    def read_ids(self, after: date | None = None) -> IdList:
        """All ids that documents_query returns, sorted by value, so that equal data have an equal order.

        after: only those of documents with a later date; one without a date is none of these.
        """
        return retry(lambda: self._read_ids(after), self._policy)

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
        with self._engine.connect() as connection:
            rows = connection.execute(select(named_column(self._documents, "id")).limit(count))
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
        if self._tags is None:
            statement = select(named_column(self._documents, "id"), named_column(self._documents, "tags"))
        else:
            pairs = named_column(self._tags, "id"), optional_column(self._tags, "active")
            statement = select(*pairs).where(named_column(self._tags, "tag").is_not(None)).distinct()
        found = set()
        with self._engine.connect().execution_options(stream_results=True, yield_per=_FETCH_ROWS) as connection:
            for document_id, value in connection.execute(statement):
                if document_id is not None and self._is_tag(value):
                    own = self._id_type.from_documents if self._tags is None else self._id_type.from_tags
                    found.add(own(document_id))
        return found

    def _is_tag(self, value: object) -> bool:
        """Whether a cell of the column active, or of the column tags, gives its document a tag."""
        if self._tags is not None:
            return read_switch(value, "active", "tags_query")
        with suppress(ValueError):
            return bool(read_tags(value, "tags", "documents_query"))
        return False

    def close(self) -> None:
        """End the waiting for a database that does not answer, from any thread; nothing is tried again after it."""
        self._policy.ended.set()

    def time_lookups(self, ids: Sequence[DocumentId]) -> dict[str, Lookup]:
        """How long each query takes to find these ids, against reading as many rows without looking for any."""
        statements = {"documents_query": (self._all_documents(), self.documents_statement())}
        if self._tags is not None:
            statements["tags_query"] = (self._all_tags(), self.tags_statement())
        lookups = {}
        with self._engine.connect() as connection:
            for key, (everything, chosen) in statements.items():
                started = perf_counter()
                count = len(connection.execute(chosen, self._parameters(ids)).all())
                between = perf_counter()
                connection.execute(everything.limit(max(count, 1))).all()
                lookups[key] = Lookup(between - started, perf_counter() - between)
        return lookups

    def documents_statement(self) -> Select[Any]:
        """id, title, text, date, and tags where they have no query, of the documents whose ids are bound as `ids`."""
        return self._by_id(self._all_documents(), self._documents)

    def tags_statement(self) -> Select[Any]:
        """id, tag, tag_id and active (NULL where not there) of every pair whose document ids are bound as `ids`."""
        if self._tags is None:
            raise ValueError(_("The tags are a column of the documents."))
        return self._by_id(self._all_tags(), self._tags)

    def _read_ids(self, after: date | None) -> IdList:
        columns = [named_column(self._documents, name) for name in ("id", *([] if after is None else ["date"]))]
        chunks, nulls = [], 0
        with self._engine.connect().execution_options(stream_results=True, yield_per=_FETCH_ROWS) as connection:
            for rows in connection.execute(select(*columns)).partitions():
                if after is not None:  # compared here: the column may be a text
                    rows = [row for row in rows if (dated := read_date(row[1])) is not None and dated > after]
                values = [self._id_type.from_documents(row[0]) for row in rows if row[0] is not None]
                nulls += len(rows) - len(values)
                chunks.append(pa.array(values, self._id_type.arrow))
        all_ids = pa.chunked_array(chunks, self._id_type.arrow).combine_chunks()
        ids = pc.unique(all_ids)
        ids = ids.take(pc.array_sort_indices(ids))
        return IdList(ids, nulls, len(all_ids) - len(ids))

    def _page(self, ids: Sequence[DocumentId]) -> list[RawDocument]:
        # pyodbc calls SQLFetch and SQLGetData row by row whatever the columns are (5.5 never binds any), so texts of
        # varchar(max) take no slower path than others, and arraysize would change nothing.
        parameters = self._parameters(ids)
        found: dict[DocumentId, RawDocument] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(self.documents_statement(), parameters):
                document = self._document(*row)
                found.setdefault(document.id, document)
            pairs = [] if self._tags is None else connection.execute(self.tags_statement(), parameters).all()
        matcher = IdMatcher(found)
        tags: dict[DocumentId | None, list[str]] = {}
        tag_ids: dict[DocumentId | None, list[str | None]] = {}
        for document_id, tag, tag_id, active in pairs:
            if tag is not None and read_switch(active, "active", "tags_query"):
                key = matcher.match(self._id_type.from_tags(document_id))
                tags.setdefault(key, []).append(read_text(tag, "tag", "tags_query") or "")
                if self._has_tag_ids:
                    tag_ids.setdefault(key, []).append(read_text(tag_id, "tag_id", "tags_query"))
        return [
            found[key]._replace(id=i, tags=tags.get(key, found[key].tags), tag_ids=tag_ids.get(key, ()))
            for i in ids
            if (key := matcher.match(i)) is not None
        ]

    def _document(self, document_id: Any, title: Any, text: Any, dated: Any, tags: Any = None) -> RawDocument:
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
        return RawDocument(own, title, text, listed, problem=problem, dated=read_date(dated))

    def _all_documents(self) -> Select[Any]:
        documents = self._documents
        tags = [named_column(documents, "tags")] if self._tags is None else []
        title, dated = (optional_column(documents, name) for name in ("title", "date"))
        return select(named_column(documents, "id"), title, named_column(documents, "text"), dated, *tags)

    def _all_tags(self) -> Select[Any]:
        assert self._tags is not None
        optional = (optional_column(self._tags, name) for name in ("tag_id", "active"))
        return select(named_column(self._tags, "id"), named_column(self._tags, "tag"), *optional)

    def _by_id(self, statement: Select[Any], table: Subquery) -> Select[Any]:
        ids = bindparam("ids", expanding=True, type_=self._id_type.sql)
        return statement.where(named_column(table, "id").in_(ids))

    def _parameters(self, ids: Sequence[DocumentId]) -> dict[str, list[Any]]:
        return {"ids": [self._id_type.to_database(i) for i in ids]}
