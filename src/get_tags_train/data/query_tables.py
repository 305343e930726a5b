"""Both queries of the settings as tables, and the statements that read them: all rows, or those of some ids."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.sql import Select, Subquery

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.ids import DocumentId, id_type
from get_tags_train.data.queries import declared_id_type, has_column, named_column, optional_column, query_as_table

_FETCH_ROWS = 10_000


class QueryTables:
    """The documents, and their tags where these have a query; their columns, and the type of the ids."""

    def __init__(self, engine: Engine, documents_query: str, tags_query: str) -> None:
        """Check both queries against the database; an empty tags_query means a column `tags` of the documents.

        Raises InputError where a column is missing, stands there twice, or holds what cannot be ids.
        """
        self.engine = engine
        has_tags_query = bool(tags_query.strip())
        with engine.connect() as connection:
            required = ["id", "text"] if has_tags_query else ["id", "text", "tags"]
            self.documents = query_as_table(
                connection, "documents_query", documents_query, required, ["title", "date", "version"]
            )
            self.tags = (
                query_as_table(connection, "tags_query", tags_query, ["id", "tag"], ["tag_id", "active"])
                if has_tags_query
                else None
            )
            id_column = named_column(self.documents, "id")
            sample = connection.execute(select(id_column).where(id_column.is_not(None)).limit(1)).scalar()
            declared = declared_id_type(connection, documents_query) if isinstance(sample, str) else ""
        if sample is None:
            raise InputError(_("documents_query returns no documents."), _("Check [database] in get-tags.toml."))
        self.id_type = id_type(sample, declared)
        self.has_tag_ids = self.tags is not None and has_column(self.tags, "tag_id")
        self.has_dates = has_column(self.documents, "date")
        self.has_versions = has_column(self.documents, "version")

    def all_documents(self) -> Select[Any]:
        """id, title, text, date, version, and tags where they have no query; NULL for a column that is not there."""
        tags = ["tags"] if self.tags is None else []
        return self.document_columns("title", "text", "date", "version", *tags)

    def document_columns(self, *names: str) -> Select[Any]:
        """The id and these columns of all documents; NULL for one that is not there."""
        return select(named_column(self.documents, "id"), *(optional_column(self.documents, name) for name in names))

    def all_tags(self) -> Select[Any]:
        """id, tag, tag_id and active of every pair; NULL for a column that is not there."""
        if self.tags is None:
            raise ValueError(_("The tags are a column of the documents."))
        optional = (optional_column(self.tags, name) for name in ("tag_id", "active"))
        return select(named_column(self.tags, "id"), named_column(self.tags, "tag"), *optional)

    def documents_statement(self) -> Select[Any]:
        """all_documents of those whose ids are bound as `ids`."""
        return self._by_id(self.all_documents(), self.documents)

    def tags_statement(self) -> Select[Any]:
        """all_tags of the documents whose ids are bound as `ids`."""
        statement = self.all_tags()
        assert self.tags is not None
        return self._by_id(statement, self.tags)

    def rows(
        self, statement: Select[Any], table: Subquery, chosen: Iterable[Sequence[DocumentId]] | None = None
    ) -> Iterator[Sequence[Any]]:
        """The rows of a statement about a table, some at a time: of all in one scan, or of the chosen pages of ids."""
        if chosen is None:
            with self.engine.connect().execution_options(stream_results=True, yield_per=_FETCH_ROWS) as connection:
                yield from connection.execute(statement).partitions()
            return
        by_id = self._by_id(statement, table)
        with self.engine.connect() as connection:
            for ids in chosen:
                yield connection.execute(by_id, self.parameters(ids)).all()

    def parameters(self, ids: Sequence[DocumentId]) -> dict[str, list[Any]]:
        """What `ids` is bound to."""
        return {"ids": [self.id_type.to_database(i) for i in ids]}

    def _by_id(self, statement: Select[Any], table: Subquery) -> Select[Any]:
        ids = bindparam("ids", expanding=True, type_=self.id_type.sql)
        return statement.where(named_column(table, "id").in_(ids))
