"""The two queries of the settings: single SELECTs that write nothing, used as tables, their columns known by name."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlparse
from sqlalchemy import Unicode, bindparam, column, false, literal_column, select
from sqlalchemy import text as sql_text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ColumnElement, Select, Subquery
from sqlparse.tokens import DDL, Punctuation

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _

DECLARED_TYPES = sql_text(
    "SELECT name, system_type_name FROM sys.dm_exec_describe_first_result_set(:query, NULL, 0)"
).bindparams(bindparam("query", type_=Unicode()))
_CHANGING = {"INTO", "INSERT", "UPDATE", "DELETE", "EXEC", "EXECUTE"}
# What MariaDB, MySQL and SQL Server say of two columns of one name; PostgreSQL and SQLite take them.
_REPEATED = re.compile(r"Duplicate column name '([^']*)'|The column '([^']*)' was specified multiple times")


def checked_select(query: str, key: str) -> str:
    """The query without comments and closing semicolon, if it is one SELECT that writes nothing.

    `key` is the setting it comes from. Raises InputError.
    """
    plain = sqlparse.format(query, strip_comments=True)
    statements = [s for s in sqlparse.parse(plain) if str(s).strip().strip(";").strip()]
    hint = _("It must be one SELECT, without INTO; several statements and changes are refused.")
    if len(statements) != 1 or statements[0].get_type() != "SELECT":
        raise InputError(_("[database] {key} is not a single SELECT.", key=key), hint)
    depth = 0
    for token in statements[0].flatten():
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.ttype is Punctuation else 0
        if depth < 0:  # it would close the parenthesis that it is put into
            raise InputError(_("[database] {key} closes a parenthesis that it does not open.", key=key), hint)
        if token.ttype is DDL or (token.is_keyword and token.value.upper() in _CHANGING):
            raise InputError(_("[database] {key} contains {word}.", key=key, word=token.value.upper()), hint)
    return str(statements[0]).strip().rstrip(";").strip()


def check_inside_select(query: str, key: str) -> None:
    """Raise InputError where SQL Server would not take a checked query inside another SELECT."""
    depth, words = 0, []
    for token in sqlparse.parse(query)[0].flatten():
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.ttype is Punctuation else 0
        if depth == 0 and not token.is_whitespace:
            words.append(" ".join(token.value.upper().split()))
    if words[0] == "WITH":
        hint = _("Make it a view in the database and select from that.")
        raise InputError(
            _("[database] {key} begins with WITH, which SQL Server does not take inside another query.", key=key), hint
        )
    if "ORDER BY" in words and not {"TOP", "OFFSET"} & set(words):
        raise InputError(
            _("[database] {key} has an ORDER BY, which SQL Server does not take inside another query.", key=key),
            _("Leave it out: get-tags sorts by id itself."),
        )


def query_as_table(
    connection: Connection, key: str, query: str, required: Sequence[str], optional: Sequence[str]
) -> Subquery:
    """The query of setting `key` as a table, its columns found by asking for no rows of it.

    Raises InputError where a required column is missing, or where two that would be read have one name.
    """
    query = checked_select(query, key)
    if connection.dialect.name == "mssql":
        check_inside_select(query, key)
    # A colon in the user's text is not one of SQLAlchemy's parameters.
    escaped = query.replace(":", r"\:")
    names = _column_names(connection, key, escaped)
    times = Counter(name.lower() for name in _as_named(connection, query, names))
    for name in (*required, *optional):
        if times[name] > 1:
            raise _repeated(key, name)
    if missing := [name for name in required if not times[name]]:
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


def _column_names(connection: Connection, key: str, escaped: str) -> list[str]:
    """The names of all columns, in order, as another query around this one sees them."""
    no_rows: Select[Any] = (
        select(literal_column("*")).select_from(sql_text(escaped).columns().subquery("q")).where(false())
    )
    try:
        return _names_of(connection.execute(no_rows))
    except DBAPIError as error:
        if found := _REPEATED.search(str(error.orig)):
            raise _repeated(key, found[1] or found[2]) from None
        raise


def _as_named(connection: Connection, query: str, names: Sequence[str]) -> Sequence[str]:
    """The same names as the query alone gives them: inside another one SQLite makes `text:1` of a second `text`."""
    may_be_renamed = connection.dialect.name == "sqlite" and any(re.search(r":\d+$", name) for name in names)
    return _names_of(connection.exec_driver_sql(query)) if may_be_renamed else names


def _names_of(result: Any) -> list[str]:
    names = [str(described[0]) for described in result.cursor.description]
    result.close()
    return names


def _repeated(key: str, name: str) -> InputError:
    return InputError(
        _("[database] {key} has two columns {name}.", key=key, name=name),
        _("Leave one out, or give it another name: SELECT ... AS other_{name}.", name=name),
    )


def declared_id_type(connection: Connection, documents_query: str) -> str:
    """What SQL Server calls the type of the ids, for example varchar(20); '' for other databases."""
    if connection.dialect.name != "mssql":
        return ""
    declared = connection.execute(DECLARED_TYPES, {"query": checked_select(documents_query, "documents_query")})
    return next((str(kind) for name, kind in declared if str(name).lower() == "id"), "nvarchar")


def has_column(table: Subquery, name: str) -> bool:
    """Whether a query returns a column of this name, in any case."""
    return any(c.name.lower() == name for c in table.c)


def named_column(table: Subquery, name: str) -> ColumnElement[Any]:
    """The column of this name, in any case."""
    return next(c for c in table.c if c.name.lower() == name)


def optional_column(table: Subquery, name: str) -> ColumnElement[Any]:
    """The column of this name where there is one, else NULL under it."""
    return named_column(table, name) if has_column(table, name) else literal_column("NULL").label(name)
