"""A list of ids -> pages of documents, from any database."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Engine,
    Numeric,
    String,
    Unicode,
    Uuid,
    bindparam,
    column,
    false,
    literal_column,
    select,
)
from sqlalchemy import text as sql_text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ColumnElement, Select, Subquery
from sqlalchemy.types import TypeEngine

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.database import check_inside_select, checked_select
from get_tags_train.data.database_errors import RetryPolicy, is_undecodable, retry
from get_tags_train.text.tags import parse_labels

DocumentId = int | str
_FETCH_ROWS = 10_000
# About 4,000 printed pages; whole pages of such documents would not fit into memory.
MAX_CHARACTERS = 10_000_000
# What keeps a document, or its tags, from being read.
UNDECODABLE, TOO_LONG, TAGS_UNREADABLE = "undecodable", "too_long", "tags_unreadable"
# What a column `active` holds where a tag is not in use.
_INACTIVE = {"0", "false", "f", "b'\\x00'"}
DECLARED_TYPES = sql_text(
    "SELECT name, system_type_name FROM sys.dm_exec_describe_first_result_set(:query, NULL, 0)"
).bindparams(bindparam("query", type_=Unicode()))
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)|(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)")
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


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


class IdList(NamedTuple):
    """Ids without repetition, an int64 or string array, and what was left out on the way."""

    ids: pa.Array
    nulls: int = 0
    repeated: int = 0


class Lookup(NamedTuple):
    """Seconds that one of the queries took for the same number of rows: chosen by id, and as they come."""

    by_id: float
    by_scan: float


@dataclass(frozen=True)
class _IdType:
    """How an id goes to the database and comes back."""

    sql: TypeEngine[Any]
    to_database: Any
    is_integer: bool


_ID_TYPES: dict[type, _IdType] = {
    int: _IdType(BigInteger(), int, True),
    Decimal: _IdType(Numeric(), Decimal, True),
    uuid.UUID: _IdType(Uuid(), uuid.UUID, False),
    str: _IdType(String(), str, False),
}


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

        Reading is tried again for retry_seconds where the trouble may pass; on_retry hears why, and the pause in
        seconds. Raises InputError where a column is missing.
        """
        self._engine = engine
        self._patience = RetryPolicy(retry_seconds, on_retry, Event())
        with engine.connect() as connection:
            columns = ["id", "text"] if tags_query.strip() else ["id", "text", "tags"]
            self._documents = _subquery(connection, "documents_query", documents_query, columns)
            self._tags = _subquery(connection, "tags_query", tags_query, ["id", "tag"]) if tags_query.strip() else None
            id_column = _column(self._documents, "id")
            sample = connection.execute(select(id_column).where(id_column.is_not(None)).limit(1)).scalar()
            declared = _declared_type(connection, documents_query) if isinstance(sample, str) else ""
        self.has_dates = _has(self._documents, "date")
        """Whether the documents come with dates."""
        self._has_tag_ids = self._tags is not None and _has(self._tags, "tag_id")
        if sample is None:
            raise InputError(_("documents_query returns no documents."), _("Check [database] in get-tags.toml."))
        if type(sample) not in _ID_TYPES:
            raise InputError(
                _("The ids of documents_query are of type {name}.", name=type(sample).__name__),
                _("They should be integers, texts or GUIDs: convert the column in the query."),
            )
        self._id_type = sql_server_id_type(declared) if declared else _ID_TYPES[type(sample)]
        # GUIDs are equal whatever their case: SQL Server gives capitals, what people list has either.
        spelt = str(sample)
        self._spell_guid = (str.upper if spelt.isupper() else str.lower) if _GUID.fullmatch(spelt) else None

    def read_ids(self) -> IdList:
        """All ids that documents_query returns, sorted by value, so that equal data have an equal order."""
        return retry(self._read_ids, self._patience)

    def page(self, ids: Sequence[DocumentId]) -> list[RawDocument]:
        """The documents that exist among these ids, in the order of the ids, with two queries at most.

        A document whose text is not in the encoding it should be is found by halving.
        """
        try:
            return retry(lambda: self._page(ids), self._patience)
        except (UnicodeDecodeError, DBAPIError) as error:
            if not is_undecodable(error):
                raise
            if len(ids) == 1:
                return [RawDocument(ids[0], None, None, [], problem=UNDECODABLE)]
        half = len(ids) // 2
        return self.page(ids[:half]) + self.page(ids[half:])

    def close(self) -> None:
        """End the waiting for a database that does not answer, from any thread; nothing is tried again after it."""
        self._patience.ended.set()

    def _read_ids(self) -> IdList:
        statement = select(_column(self._documents, "id"))
        chunks, nulls = [], 0
        with self._engine.connect().execution_options(stream_results=True, yield_per=_FETCH_ROWS) as connection:
            for rows in connection.execute(statement).partitions():
                values = [self._from_database(row[0]) for row in rows if row[0] is not None]
                nulls += len(rows) - len(values)
                chunks.append(pa.array(values, self._arrow_type))
        all_ids = pa.chunked_array(chunks, self._arrow_type).combine_chunks()
        ids = pc.unique(all_ids)
        ids = ids.take(pc.array_sort_indices(ids))
        return IdList(ids, nulls, len(all_ids) - len(ids))

    def parse_ids(self, listed: Sequence[str]) -> tuple[IdList, list[str]]:
        """Ids that people wrote, in their order, typed as the database's; and those that cannot be ids here."""
        parsed = [(written, self._id_of(written)) for written in listed]
        values = [value for _, value in parsed if value is not None]
        unusable = [written for written, value in parsed if value is None]
        ids = pc.unique(pa.array(values, self._arrow_type))
        return IdList(ids, repeated=len(values) - len(ids)), unusable

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
        owner = _Owners(found)
        tags: dict[DocumentId | None, list[str]] = {}
        tag_ids: dict[DocumentId | None, list[str | None]] = {}
        for document_id, tag, tag_id, active in pairs:
            if tag is not None and (active is None or str(active).lower() not in _INACTIVE):
                key = owner.of(self._from_database(document_id))
                tags.setdefault(key, []).append(str(tag))
                if self._has_tag_ids:
                    tag_ids.setdefault(key, []).append(None if tag_id is None else str(tag_id))
        return [
            found[key]._replace(id=i, tags=tags.get(key, found[key].tags), tag_ids=tag_ids.get(key, ()))
            for i in ids
            if (key := owner.of(i)) is not None
        ]

    def _document(self, document_id: Any, title: Any, text: Any, moment: Any, tags: Any = None) -> RawDocument:
        """A row of documents_statement, its id as the database spells it."""
        title, text, problem, listed = _as_text(title, "title"), _as_text(text, "text"), None, []
        try:
            listed = parse_labels(_as_text(tags, "tags") or "") if tags else []
        except ValueError:
            problem = TAGS_UNREADABLE
        if len(title or "") + len(text or "") > MAX_CHARACTERS:
            title, text, problem = None, None, TOO_LONG
        own = self._from_database(document_id)
        return RawDocument(own, title, text, listed, problem=problem, dated=parse_date(moment))

    def first(self, count: int) -> list[RawDocument]:
        """The first documents that the database comes upon."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_column(self._documents, "id")).limit(count))
            ids = [self._from_database(row[0]) for row in rows if row[0] is not None]
        return self.page(ids)

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

    def _all_documents(self) -> Select[Any]:
        documents = self._documents
        tags = [_column(documents, "tags")] if self._tags is None else []
        title, dated = (_optional(documents, name) for name in ("title", "date"))
        return select(_column(documents, "id"), title, _column(documents, "text"), dated, *tags)

    def _all_tags(self) -> Select[Any]:
        assert self._tags is not None
        optional = (_optional(self._tags, name) for name in ("tag_id", "active"))
        return select(_column(self._tags, "id"), _column(self._tags, "tag"), *optional)

    def _by_id(self, statement: Select[Any], table: Subquery) -> Select[Any]:
        ids = bindparam("ids", expanding=True, type_=self._id_type.sql)
        return statement.where(_column(table, "id").in_(ids))

    def _parameters(self, ids: Sequence[DocumentId]) -> dict[str, list[Any]]:
        return {"ids": [self._id_type.to_database(i) for i in ids]}

    def _id_of(self, written: str) -> DocumentId | None:
        """An id that people wrote, as the database spells it; None where it cannot be one."""
        if self._id_type.is_integer:
            is_id = re.fullmatch(r"[+-]?\d{1,19}", written) and -(2**63) <= int(written) < 2**63
            return int(written) if is_id else None
        if self._spell_guid and _GUID.fullmatch(written.strip("{}")):
            return self._spell_guid(written.strip("{}"))
        return None if self._id_type.to_database is uuid.UUID else written

    @property
    def _arrow_type(self) -> pa.DataType:
        return pa.int64() if self._id_type.is_integer else pa.string()

    def _from_database(self, value: Any) -> DocumentId:
        if not self._id_type.is_integer:
            return str(value)
        try:
            return int(value)
        except ValueError:
            raise GetTagsError(
                _("The ids of documents_query are partly integers, partly not: {value!r:.60}.", value=value),
                _("Convert the column in the query, for example CAST(id AS varchar(50))."),
            ) from None


def _as_text(value: Any, name: str) -> str | None:
    if isinstance(value, bytes | bytearray | memoryview):
        raise GetTagsError(
            _("The column {name} of documents_query holds bytes, not text.", name=name),
            _("Convert it in the query, for example CAST(text AS nvarchar(max))."),
        )
    return None if value is None else str(value)


def parse_date(value: Any) -> date | None:
    """A date, or a text that begins with one as 2026-11-24 or 24.11.2026; None for what is no date."""
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    found = _DATE.match(str(value))
    if found is None:
        return None
    try:
        return date(*(int(part) for part in (found[1] or found[6], found[2] or found[5], found[3] or found[4])))
    except ValueError:
        return None


class _Owners:
    """Which document an id means where a server takes ids as equal that are not: other case, blanks of a char(n)."""

    def __init__(self, found: Iterable[DocumentId]) -> None:
        self._found = set(found)
        self._alike: dict[DocumentId, list[DocumentId]] = {}
        for document_id in self._found:
            self._alike.setdefault(_folded(document_id), []).append(document_id)

    def of(self, document_id: DocumentId) -> DocumentId | None:
        """The document with this id, else the only one that is spelt alike, else None."""
        if document_id in self._found:
            return document_id
        alike = self._alike.get(_folded(document_id), [])
        return alike[0] if len(alike) == 1 else None


def _folded(document_id: DocumentId) -> DocumentId:
    return document_id.rstrip(" ").casefold() if isinstance(document_id, str) else document_id


def pages(ids: pa.Array, page_size: int) -> Iterator[list[DocumentId]]:
    """The ids, a page at a time."""
    for start in range(0, len(ids), page_size):
        yield ids.slice(start, page_size).to_pylist()


def _subquery(connection: Connection, key: str, query: str, required: Sequence[str]) -> Subquery:
    """The query of setting `key` as a table, its columns found by asking for no rows of it."""
    query = checked_select(query, key)
    if connection.dialect.name == "mssql":
        check_inside_select(query, key)
    # A colon in the user's text is not one of SQLAlchemy's parameters.
    escaped = query.replace(":", r"\:")
    unnamed = sql_text(escaped).columns().subquery("q")
    names = list(connection.execute(select(literal_column("*")).select_from(unnamed).where(false())).keys())
    if missing := [name for name in required if name not in [n.lower() for n in names]]:
        raise InputError(
            _(
                "[database] {key} has no column {missing}; it returns {names}.",
                key=key,
                missing=" and ".join(missing),
                names=", ".join(names),
            ),
            _("Name the columns in the query: SELECT ... AS {missing}.", missing=missing[0]),
        )
    return sql_text(escaped).columns(*(column(name) for name in names)).subquery("q")


def _declared_type(connection: Connection, documents_query: str) -> str:
    """What SQL Server calls the type of the ids, for example varchar(20); '' for other databases."""
    if connection.dialect.name != "mssql":
        return ""
    declared = connection.execute(DECLARED_TYPES, {"query": checked_select(documents_query, "documents_query")})
    return next((str(kind) for name, kind in declared if str(name).lower() == "id"), "nvarchar")


def sql_server_id_type(declared: str) -> _IdType:
    """How ids of this SQL Server type are bound: an nvarchar parameter would scan a table indexed by varchar."""
    if declared == "uniqueidentifier":
        return _ID_TYPES[uuid.UUID]
    kind, length = re.match(r"(\w*)(?:\((\d+)\))?", declared).groups()  # type: ignore[union-attr]
    sql = String if kind in {"char", "varchar"} else Unicode
    return _IdType(sql(int(length) if length else None), str, False)


def _has(table: Subquery, name: str) -> bool:
    return any(c.name.lower() == name for c in table.c)


def _optional(table: Subquery, name: str) -> ColumnElement[Any]:
    return _column(table, name) if _has(table, name) else literal_column("NULL").label(name)


def _column(table: Subquery, name: str) -> ColumnElement[Any]:
    return next(c for c in table.c if c.name.lower() == name)
