"""Queries: one SELECT that writes nothing, its columns each once, whatever a database says of that."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError

from get_tags_train.core.errors import InputError
from get_tags_train.data.queries import check_inside_select, checked_select, query_as_table


@pytest.mark.parametrize(
    ("query", "plain"),
    [
        ("SELECT id, text FROM d", "SELECT id, text FROM d"),
        ("  select id, text\nfrom d ;\n", "select id, text\nfrom d"),
        ("SELECT 1; -- the end", "SELECT 1"),
        ("SELECT 1 -- the end;", "SELECT 1"),
        ("SELECT 1;;", "SELECT 1"),
        ("/* all; DELETE nothing */ SELECT 1", "SELECT 1"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT 1) SELECT * FROM x"),
        ("SELECT 1 UNION SELECT 2", "SELECT 1 UNION SELECT 2"),
    ],
)
def test_one_select_is_taken_without_its_tail(query: str, plain: str) -> None:
    assert checked_select(query, "documents_query") == plain


@pytest.mark.parametrize(
    "query",
    [
        'SELECT [update] AS id, "delete" AS text FROM d',
        "SELECT `into` AS id FROM d",
        "SELECT last_update, d.delete_date, d.update FROM d",
        "SELECT id, 'insert; into' AS text FROM d",
        "SELECT id FROM d WHERE t LIKE '%;%'",
        "SELECT '-- no comment' AS id, '/* nor this */' AS text",
        "SELECT REPLACE(t, 'a', 'b') AS text FROM d",
        "SELECT N'ș' AS [a;b] FROM d",
    ],
)
def test_words_in_quotes_and_names_are_no_commands(query: str) -> None:
    assert checked_select(query, "documents_query") == query


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "-- only a comment",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE documents",
        "DROP TABLE documents",
        "EXEC sp_who",
        "UPDATE d SET a = 1",
        "DELETE FROM d",
        "VALUES (1)",
        "MERGE INTO d USING e ON 1 = 1 WHEN MATCHED THEN DELETE",
    ],
)
def test_what_is_not_one_select_is_refused(query: str) -> None:
    with pytest.raises(InputError, match=r"^\[database\] tags_query is not a single SELECT\.$") as caught:
        checked_select(query, "tags_query")
    assert "one SELECT" in caught.value.hint


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELECT id, text INTO copy FROM d", "INTO"),
        ("select id, text into copy from d", "INTO"),
        ("WITH gone AS (DELETE FROM d RETURNING id) SELECT id FROM gone", "DELETE"),
        ("WITH x AS (UPDATE d SET a = 1 RETURNING id) SELECT id FROM x", "UPDATE"),
        ("SELECT * FROM (INSERT INTO d OUTPUT inserted.id VALUES (1)) q", "INSERT"),
        ("SELECT id /* x */ INTO/**/copy FROM d", "INTO"),
    ],
)
def test_a_select_that_writes_is_refused(query: str, word: str) -> None:
    with pytest.raises(InputError, match=rf"documents_query contains {word}\.$"):
        checked_select(query, "documents_query")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("WITH x AS (SELECT 1 AS id) SELECT id FROM x", "begins with WITH"),
        ("SELECT id, text FROM d ORDER BY id", "has an ORDER BY"),
        ("SELECT id, (SELECT TOP 1 text FROM t ORDER BY n) AS text FROM d\norder  by id", "has an ORDER BY"),
    ],
)
def test_what_sql_server_does_not_take_inside_a_query(query: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"^\[database\] tags_query {said}, which SQL Server does not take"):
        check_inside_select(query, "tags_query")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT TOP 100 PERCENT id FROM d ORDER BY id",
        "SELECT id FROM d ORDER BY id OFFSET 0 ROWS",
        "SELECT id, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS text FROM d",
        "SELECT id, 'ORDER BY' AS text FROM d",
        "SELECT id, (SELECT TOP 1 text FROM t ORDER BY n) AS text FROM d",
    ],
)
def test_what_sql_server_takes_inside_a_query(query: str) -> None:
    check_inside_select(query, "tags_query")


@pytest.mark.parametrize(
    "said",
    [
        "(1060, \"Duplicate column name 'text'\")",
        "('HY000', \"[HY000] [ma-3.1.15][10.11.6-MariaDB]Duplicate column name 'text' (1060) (SQLExecDirectW)\")",
        "[42000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]The column 'text' was specified multiple times "
        "for 'q'. (8156) (SQLExecDirectW)",
    ],
)
def test_what_servers_say_of_two_columns_is_told_by_the_columns_name(said: str) -> None:
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "before_cursor_execute")
    def refuse(*_: object) -> Callable[..., None]:
        raise OperationalError("SELECT", None, Exception(said))

    with (
        engine.connect() as connection,
        pytest.raises(InputError, match=r"^\[database\] documents_query has two columns text\.$"),
    ):
        query_as_table(connection, "documents_query", "SELECT id, title AS text, text FROM d", ["id", "text"], [])
