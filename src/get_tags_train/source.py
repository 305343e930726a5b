"""A list of ids -> pages of documents, from any database."""

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Engine,
    Numeric,
    String,
    Uuid,
    bindparam,
    column,
    false,
    literal_column,
    select,
)
from sqlalchemy import text as sql_text
from sqlalchemy.engine import Connection
from sqlalchemy.sql import ColumnElement, Select, Subquery
from sqlalchemy.types import TypeEngine

from get_tags_train.database import checked_select
from get_tags_train.errors import GetTagsError, InputError

DocumentId = int | str
_FETCH_ROWS = 10_000
_GUID = re.compile(r"\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?", re.IGNORECASE)


class RawDocument(NamedTuple):
    """One document as the database has it."""

    id: DocumentId
    title: str | None
    text: str | None
    tags: list[str]


class IdList(NamedTuple):
    """Ids without repetition, an int64 or string array, and what was left out on the way."""

    ids: pa.Array
    nulls: int = 0
    repeated: int = 0


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

    def __init__(self, engine: Engine, documents_query: str, tags_query: str) -> None:
        """Check both queries against the database. Raises InputError where a column is missing."""
        self._engine = engine
        with engine.connect() as connection:
            self._documents = _subquery(connection, "documents_query", documents_query, ["id", "text"])
            self._tags = _subquery(connection, "tags_query", tags_query, ["id", "tag"])
            id_column = _column(self._documents, "id")
            sample = connection.execute(select(id_column).where(id_column.is_not(None)).limit(1)).scalar()
        if sample is None:
            raise InputError("documents_query returns no documents.", "Check [database] in get-tags.toml.")
        if type(sample) not in _ID_TYPES:
            raise InputError(
                f"The ids of documents_query are of type {type(sample).__name__}.",
                "They should be integers, texts or GUIDs: convert the column in the query.",
            )
        self._id_type = _ID_TYPES[type(sample)]
        # GUIDs are equal whatever their case: SQL Server gives capitals, what people list has either.
        spelt = str(sample)
        self._spell_guid = (str.upper if spelt.isupper() else str.lower) if _GUID.fullmatch(spelt) else None

    def read_ids(self) -> IdList:
        """All ids that documents_query returns, sorted by value, so that equal data have an equal order."""
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

    def page(self, ids: Sequence[DocumentId]) -> list[RawDocument]:
        """The documents that exist among these ids, in the order of the ids, with two queries."""
        parameters = {"ids": [self._id_type.to_database(i) for i in ids]}
        found: dict[DocumentId, tuple[str | None, str | None]] = {}
        tags: dict[DocumentId, list[str]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(self.documents_statement(), parameters):
                found.setdefault(self._from_database(row[0]), (_as_text(row[1], "title"), _as_text(row[2], "text")))
            for row in connection.execute(self.tags_statement(), parameters):
                if row[1] is not None:
                    tags.setdefault(self._from_database(row[0]), []).append(str(row[1]))
        return [RawDocument(i, *found[i], tags.get(i, [])) for i in ids if i in found]

    def first(self, count: int) -> list[RawDocument]:
        """The first documents that the database comes upon."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_column(self._documents, "id")).limit(count))
            ids = [self._from_database(row[0]) for row in rows if row[0] is not None]
        return self.page(ids)

    def documents_statement(self) -> Select[Any]:
        """id, title and text of the documents whose ids are bound as `ids`."""
        documents = self._documents
        title = _column(documents, "title") if _has(documents, "title") else literal_column("NULL").label("title")
        return self._by_id(select(_column(documents, "id"), title, _column(documents, "text")), documents)

    def tags_statement(self) -> Select[Any]:
        """id and tag of every pair whose document ids are bound as `ids`."""
        return self._by_id(select(_column(self._tags, "id"), _column(self._tags, "tag")), self._tags)

    def _by_id(self, statement: Select[Any], table: Subquery) -> Select[Any]:
        ids = bindparam("ids", expanding=True, type_=self._id_type.sql)
        return statement.where(_column(table, "id").in_(ids))

    def _id_of(self, written: str) -> DocumentId | None:
        """An id that people wrote, as the database spells it; None where it cannot be one."""
        if self._id_type.is_integer:
            return int(written) if re.fullmatch(r"[+-]?\d{1,18}", written) else None
        if _GUID.fullmatch(written) and self._spell_guid:
            return self._spell_guid(str(uuid.UUID(written)))
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
                f"The ids of documents_query are partly integers, partly not: {value!r:.60}.",
                "Convert the column in the query, for example CAST(id AS varchar(50)).",
            ) from None


def _as_text(value: Any, name: str) -> str | None:
    if isinstance(value, bytes | bytearray | memoryview):
        raise GetTagsError(
            f"The column {name} of documents_query holds bytes, not text.",
            "Convert it in the query, for example CAST(text AS nvarchar(max)).",
        )
    return None if value is None else str(value)


def pages(ids: pa.Array, page_size: int) -> Iterator[list[DocumentId]]:
    """The ids, a page at a time."""
    for start in range(0, len(ids), page_size):
        yield ids.slice(start, page_size).to_pylist()


def _subquery(connection: Connection, key: str, query: str, required: Sequence[str]) -> Subquery:
    """The query of setting `key` as a table, its columns found by asking for no rows of it."""
    if connection.dialect.name == "mssql" and re.match(r"with\b", checked_select(query, key), re.IGNORECASE):
        raise InputError(
            f"[database] {key} begins with WITH, which SQL Server does not take inside another query.",
            "Make it a view in the database and select from that.",
        )
    # A colon in the user's text is not one of SQLAlchemy's parameters.
    escaped = checked_select(query, key).replace(":", r"\:")
    unnamed = sql_text(escaped).columns().subquery("q")
    names = list(connection.execute(select(literal_column("*")).select_from(unnamed).where(false())).keys())
    if missing := [name for name in required if name not in [n.lower() for n in names]]:
        raise InputError(
            f"[database] {key} has no column {' and '.join(missing)}; it returns {', '.join(names)}.",
            f"Name the columns in the query: SELECT ... AS {missing[0]}.",
        )
    return sql_text(escaped).columns(*(column(name) for name in names)).subquery("q")


def _has(table: Subquery, name: str) -> bool:
    return any(c.name.lower() == name for c in table.c)


def _column(table: Subquery, name: str) -> ColumnElement[Any]:
    return next(c for c in table.c if c.name.lower() == name)
