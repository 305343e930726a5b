"""What a database holds, for whoever sets it up: its databases, tables and columns, and queries made of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Engine, Integer, inspect, text
from sqlalchemy.engine.reflection import ObjectKind

from get_tags_train.data.source import DocumentSource

_LOOKED_AT, _SHOWN = 20, 3
# Those that this user may open, without the server's own.
_DATABASES = {
    "mssql": "SELECT name FROM sys.databases WHERE database_id > 4 AND HAS_DBACCESS(name) = 1 ORDER BY name",
    "postgresql": "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate "
    "AND has_database_privilege(datname, 'CONNECT') ORDER BY datname",
    "mysql": "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "
    "('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY schema_name",
}
_OWN_SCHEMAS = {"information_schema", "pg_catalog", "sys", "guest"}
# What columns and tables are called, the likeliest first; in English and Romanian.
ID_NAMES = ("id", "document_id", "doc_id", "documentid", "docid", "id_document", "iddocument", "cod")
TEXT_NAMES = ("text", "content", "continut", "conținut", "body", "corp", "html", "description", "descriere")
TITLE_NAMES = ("title", "titlu", "subject", "subiect", "headline", "denumire", "name", "nume")
DATE_NAMES = ("date", "published", "publicat", "data", "created")
VERSION_NAMES = (
    "rowversion", "row_version", "version", "versiune", "updated", "modified", "modificat", "actualizat", "changed"
)  # fmt: skip
TAG_NAMES = ("tag", "label", "etichet", "keyword", "descriptor", "tag_id", "name", "nume", "denumire")
DOCUMENT_TABLES = ("documents", "docs", "articles", "documente", "articole", "doc", "artic")
PAIR_TABLES = ("document_tags", "doc_tags", "document", "doc", "tag", "etichet", "label", "keyword")


class Column(NamedTuple):
    """A column of a table or view."""

    name: str
    is_integer: bool


class SurveyedTable(NamedTuple):
    """A table or view with its columns; `schema` is None where the database has one only."""

    schema: str | None
    name: str
    columns: tuple[Column, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def read_databases(engine: Engine) -> list[str]:
    """The databases of a server that this user may open, by name; none for SQLite and others."""
    statement = _DATABASES.get("mysql" if engine.dialect.name == "mariadb" else engine.dialect.name)
    with engine.connect() as connection:
        return [str(name) for name in connection.scalars(text(statement))] if statement else []


def read_tables(engine: Engine) -> list[SurveyedTable]:
    """All tables and views, but for the server's own."""
    inspector = inspect(engine)
    has_schemas = engine.dialect.name not in {"sqlite", "mysql", "mariadb"}
    schemas = [s for s in inspector.get_schema_names() if _is_users_schema(s)] if has_schemas else [None]
    found = []
    for schema in schemas:
        for (_schema, name), columns in inspector.get_multi_columns(schema, kind=ObjectKind.ANY).items():
            own = tuple(Column(column["name"], isinstance(column["type"], Integer)) for column in columns)
            found.append(SurveyedTable(schema, name, own))
    return sorted(found, key=str)


def _is_users_schema(schema: str) -> bool:
    return schema.lower() not in _OWN_SCHEMAS and not schema.lower().startswith("db_")


def likeliness(name: str, likely: Sequence[str]) -> int:
    """How far a name is from the likely ones: 0 for the first of them, more for one that has it inside."""
    folded = name.lower()
    if folded in likely:
        return likely.index(folded)
    return next((len(likely) + place for place, word in enumerate(likely) if word in folded), 2 * len(likely))


def likeliest(columns: Sequence[Column], likely: Sequence[str]) -> str | None:
    """The column that is most likely called so; None where none is."""
    found = min(columns, key=lambda column: likeliness(column.name, likely))
    return found.name if likeliness(found.name, likely) < 2 * len(likely) else None


def write_query(engine: Engine, table: SurveyedTable, columns: Mapping[str, str]) -> str:
    """SELECT these columns, each under the name that it is to have, FROM the table."""
    quote = engine.dialect.identifier_preparer.quote
    listed = (quote(own) if own == wanted else f"{quote(own)} AS {wanted}" for wanted, own in columns.items())
    return f"SELECT {', '.join(listed)} FROM {_written(engine, table)}"


class Pairs(NamedTuple):
    """Two columns of a table: of the documents' tags (document id, tag id), or of the tags (tag id, name)."""

    table: SurveyedTable
    key: str
    value: str


def write_joined_query(engine: Engine, pairs: Pairs, names: Pairs) -> str:
    """The tags_query of a table with a row for each document's tag and one with the tags' names."""
    quote = engine.dialect.identifier_preparer.quote
    tag_id = f"names.{quote(names.key)}"
    return (
        f"SELECT pairs.{quote(pairs.key)} AS id, names.{quote(names.value)} AS tag, {tag_id} AS tag_id\n"
        f"FROM {_written(engine, pairs.table)} pairs "
        f"JOIN {_written(engine, names.table)} names ON {tag_id} = pairs.{quote(pairs.value)}"
    )


def example_lines(source: DocumentSource) -> list[str]:
    """Three of the first documents, shortened, with their tags; those that have tags come first."""
    found = sorted(source.first(_LOOKED_AT), key=lambda document: not document.tags)
    shown = []
    for document in found[:_SHOWN]:
        text = " ".join((document.title or document.text or "").split())
        line = f"{document.id}: {text[:40]} [{'; '.join(tag[:40] for tag in document.tags[:3])}]"
        # A terminal would obey what is no letter.
        shown.append("".join(letter if letter.isprintable() else "?" for letter in line))
    return shown


def _written(engine: Engine, table: SurveyedTable) -> str:
    quote = engine.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in (table.schema, table.name) if part)
