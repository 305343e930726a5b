"""The source: pages of documents in the order of their ids, whatever the ids are and however queries are written."""

import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from databases import Documents, Tags, fill, read, tag_number
from sqlalchemy import Engine, String, create_engine, event
from sqlalchemy.dialects.mssql.pyodbc import dialect as mssql_dialect
from sqlalchemy.types import TypeEngine

from get_tags_train.core.config import load_settings
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.settings import DatabaseSettings
from get_tags_train.data import source
from get_tags_train.data.queries import DECLARED_TYPES
from get_tags_train.data.source import TAGS_UNREADABLE, TOO_LONG, UNDECODABLE, DocumentSource, RawDocument

DOCUMENTS: Documents = [
    (3, "Titlu", "al treilea"),
    (1, None, "primul"),
    (20, "Doar titlu", None),
    (2, "", "al doilea: 50%"),
]
TAGS: Tags = [(3, "b"), (3, "a"), (1, "a"), (1, None), (99, "z")]


@pytest.fixture
def database(tmp_path: Path) -> Iterator["Database"]:
    made = Database(tmp_path)
    yield made
    made.engine.dispose()


class Database:
    """A SQLite database with the given rows, and the statements that were sent to it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'test.db'}"
        self.engine: Engine = create_engine(self.url)
        self.statements: list[str] = []
        event.listen(self.engine, "before_cursor_execute", self._note)
        defaults = load_settings(folder, environ={}).database
        self.documents_query, self.tags_query = defaults.documents_query, defaults.tags_query

    def source(
        self,
        documents: Documents = DOCUMENTS,
        tags: Tags = TAGS,
        *,
        id_type: TypeEngine[Any] | None = None,
        documents_query: str = "",
        tags_query: str | None = None,
    ) -> DocumentSource:
        fill(self.url, documents, tags, id_type=id_type)
        own_tags = self.tags_query if tags_query is None else tags_query
        return DocumentSource(self.engine, documents_query or self.documents_query, own_tags)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)


def test_all_ids_come_sorted_by_value(database: Database) -> None:
    listed = database.source().read_ids()
    assert listed.ids.to_pylist() == [1, 2, 3, 20]
    assert listed.ids.type == pa.int64()
    assert (listed.nulls, listed.repeated) == (0, 0)


def test_null_and_repeated_ids_are_counted(database: Database) -> None:
    rows = [(None, None, "x"), (5, None, "x"), (4, None, "x"), (5, None, "y"), (None, None, "y"), (5, None, "z")]
    listed = database.source(rows, []).read_ids()
    assert listed.ids.to_pylist() == [4, 5]
    assert (listed.nulls, listed.repeated) == (2, 2)


def test_a_page_has_the_order_of_its_ids(database: Database) -> None:
    source = database.source()
    assert read(source, [20, 3, 7, 1, 2]) == [
        RawDocument(20, "Doar titlu", None, []),
        RawDocument(3, "Titlu", "al treilea", ["b", "a"]),
        RawDocument(1, None, "primul", ["a"]),
        RawDocument(2, "", "al doilea: 50%", []),
    ]
    assert read(source, [7]) == []


def test_a_page_takes_two_queries(database: Database) -> None:
    source = database.source([(i, None, "x") for i in range(500)], [(i, "a") for i in range(500)])
    database.statements.clear()
    assert len(read(source, list(range(500)))) == 500
    assert len(database.statements) == 2


def test_of_a_repeated_id_the_first_row_is_taken(database: Database) -> None:
    source = database.source([(1, "a", "unu"), (1, "b", "doi")], [(1, "t")])
    assert read(source, [1]) == [RawDocument(1, "a", "unu", ["t"])]


def test_ids_of_a_file_keep_its_order(database: Database) -> None:
    listed, unusable = database.source().parse_ids(["20", "3", "007", "-1", "x", "3", "1.5", "9" * 30, "+1"])
    assert listed.ids.to_pylist() == [20, 3, 7, -1, 1]
    assert listed.repeated == 1
    assert unusable == ["x", "1.5", "9" * 30]


def test_ids_that_are_strings(database: Database) -> None:
    rows = [("b", None, "1"), ("ă", None, "2"), ("10", None, "3"), ("9", None, "4")]
    source = database.source(rows, [("ă", "t")], id_type=String(20))
    listed = source.read_ids()
    assert listed.ids.type == pa.string()
    assert listed.ids.to_pylist() == ["10", "9", "b", "ă"]
    assert read(source, ["ă", "9"]) == [RawDocument("ă", None, "2", ["t"]), RawDocument("9", None, "4", [])]
    parsed, unusable = source.parse_ids(["9", "x y", "ă"])
    assert parsed.ids.to_pylist() == ["9", "x y", "ă"]
    assert unusable == []


def test_ids_that_differ_in_case_stay_distinct(database: Database) -> None:
    rows = [("a", None, "small"), ("A", None, "large")]
    source = database.source(rows, [("A", "t")], id_type=String(20, collation="NOCASE"))
    assert source.read_ids().ids.to_pylist() == ["A", "a"]
    assert read(source, ["a"]) == [RawDocument("a", None, "small", [])]
    assert read(source, ["A", "a"]) == [RawDocument("A", None, "large", ["t"]), RawDocument("a", None, "small", [])]


def test_ids_that_differ_in_blanks_stay_distinct(database: Database) -> None:
    source = database.source([("a", None, "1"), ("a ", None, "2")], [("a ", "t")], id_type=String(20))
    assert read(source, ["a"]) == [RawDocument("a", None, "1", [])]
    assert read(source, ["a ", "a"]) == [RawDocument("a ", None, "2", ["t"]), RawDocument("a", None, "1", [])]


GUIDS = ["0F1E2D3C-0000-4000-8000-00000000000A", "0F1E2D3C-0000-4000-8000-00000000000B"]


@pytest.mark.parametrize("spell", [str.upper, str.lower])
def test_guids_are_found_however_the_file_spells_them(database: Database, spell: Any) -> None:
    own = [spell(guid) for guid in GUIDS]
    source = database.source([(guid, None, "x") for guid in own], [], id_type=String(36))
    listed, unusable = source.parse_ids([GUIDS[1].lower(), f"{{{GUIDS[0].upper()}}}", GUIDS[1].upper(), "x"])
    assert listed.ids.to_pylist() == [own[1], own[0], "x"]
    assert listed.repeated == 1
    assert unusable == []
    assert [document.id for document in read(source, listed.ids.to_pylist())] == [own[1], own[0]]


def test_guids_that_the_driver_gives_as_such(tmp_path: Path) -> None:
    sqlite3.register_converter("uniqueidentifier", lambda raw: uuid.UUID(raw.decode()))
    path = tmp_path / "test.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE documents (id uniqueidentifier, text TEXT)")
        connection.executemany("INSERT INTO documents VALUES (?, 'x')", [[uuid.UUID(guid).hex] for guid in GUIDS])
    connection.close()
    engine = create_engine(f"sqlite:///{path}", connect_args={"detect_types": sqlite3.PARSE_DECLTYPES})
    source = DocumentSource(engine, "SELECT id, text FROM documents", "SELECT id, text AS tag FROM documents")
    assert source.read_ids().ids.to_pylist() == [guid.lower() for guid in GUIDS]
    listed, unusable = source.parse_ids([GUIDS[1], "5", GUIDS[1].lower()])
    assert listed.ids.to_pylist() == [GUIDS[1].lower()]
    assert unusable == ["5"]
    assert read(source, [GUIDS[1].lower()]) == [RawDocument(GUIDS[1].lower(), None, "x", ["x"])]
    engine.dispose()


def test_ids_that_are_no_ids(database: Database) -> None:
    with pytest.raises(InputError, match="of type float"):
        database.source(documents_query="SELECT 1.5 AS id, text FROM documents")


def test_ids_of_two_kinds(database: Database) -> None:
    source = database.source(documents_query="SELECT 1 AS id, 'a' AS text UNION ALL SELECT 'x1', 'b'")
    with pytest.raises(GetTagsError, match="partly integers, partly not: 'x1'") as caught:
        source.read_ids()
    assert "CAST" in caught.value.hint


@pytest.mark.parametrize(
    ("cell", "kind"), [("x'6162'", "bytes"), ("1.5", "float"), ("CAST(name AS BLOB)", "bytes"), ("2e0", "float")]
)
def test_a_tag_that_is_no_text_is_refused_by_the_name_of_its_column(database: Database, cell: str, kind: str) -> None:
    query = f"SELECT document_id AS id, {cell} AS tag FROM document_tags JOIN tags ON tags.id = tag_id"
    with pytest.raises(GetTagsError, match=f"The column tag of tags_query holds {kind}, not text"):
        database.source(tags_query=query).page([3])


def test_a_tag_that_is_an_integer_is_its_digits(database: Database) -> None:
    query = "SELECT document_id AS id, 2024 AS tag FROM document_tags JOIN tags ON tags.id = tag_id WHERE name = 'a'"
    assert read(database.source(tags_query=query), [3])[0].tags == ["2024"]


@pytest.mark.parametrize("column", ["title", "text"])
def test_a_text_that_is_bytes_is_refused_by_the_name_of_its_column(database: Database, column: str) -> None:
    other = "text" if column == "title" else "title"
    query = f"SELECT id, {other}, CAST(text AS BLOB) AS {column} FROM documents"
    with pytest.raises(GetTagsError, match=f"The column {column} of documents_query holds bytes, not text"):
        database.source(documents_query=query).page([3])


def test_ids_with_a_fraction_match_nothing_else(tmp_path: Path) -> None:
    sqlite3.register_converter("numeric38", lambda raw: Decimal(raw.decode()))
    path = tmp_path / "test.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE documents (id numeric38, text TEXT)")
        connection.executemany("INSERT INTO documents VALUES (?, 'x')", [["1"], ["1.50"]])
    engine = create_engine(f"sqlite:///{path}", connect_args={"detect_types": sqlite3.PARSE_DECLTYPES})
    source = DocumentSource(engine, "SELECT id, text FROM documents", "SELECT id, text AS tag FROM documents")
    with pytest.raises(InputError, match=r"not all integers of 64 bits: 1\.5"):
        source.read_ids()
    engine.dispose()


def test_ids_after_a_date_are_those_of_later_documents(database: Database) -> None:
    dates = [(1, "2026-11-24", "x"), (2, "24.11.2026", "x"), (3, "2026-11-25 10:00", "x"), (4, None, "x")]
    source = database.source(dates, [], documents_query="SELECT id, text, title AS date FROM documents")
    assert source.read_ids(after=date(2026, 11, 24)).ids.to_pylist() == [3]
    assert source.read_ids(after=date(2026, 11, 25)).ids.to_pylist() == []
    assert len(source.read_ids().ids) == 4


def test_no_documents_at_all(database: Database) -> None:
    with pytest.raises(InputError, match="returns no documents"):
        database.source([], [])


def test_columns_are_found_whatever_their_case(database: Database) -> None:
    source = database.source(
        documents_query="SELECT title AS TITLE, text AS TeXt, id AS Id, 1 AS extra FROM documents",
        tags_query="SELECT name AS Tag, document_id AS ID FROM document_tags JOIN tags ON tags.id = tag_id",
    )
    assert read(source, [3]) == [RawDocument(3, "Titlu", "al treilea", ["b", "a"])]


def test_a_title_is_optional(database: Database) -> None:
    source = database.source(documents_query="SELECT id, text FROM documents")
    assert read(source, [3]) == [RawDocument(3, None, "al treilea", ["b", "a"])]


def test_a_date_is_optional(database: Database) -> None:
    source = database.source(documents_query="SELECT id, text, '2026-11-24 14:03' AS \"Date\" FROM documents")
    assert source.tables.has_dates
    assert [document.dated for document in read(source, [1, 3])] == [date(2026, 11, 24)] * 2
    assert not database.source().tables.has_dates


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (
            {"documents_query": "SELECT id, text AS body, title FROM documents"},
            "[database] documents_query has no column text; it returns id, body, title.",
        ),
        (
            {"documents_query": "SELECT id AS nr FROM documents"},
            "[database] documents_query has no column id and text; it returns nr.",
        ),
        (
            {"tags_query": "SELECT document_id, tag_id AS tag FROM document_tags"},
            "[database] tags_query has no column id; it returns document_id, tag.",
        ),
    ],
)
def test_a_missing_column_is_named(database: Database, queries: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        database.source(**queries)
    assert caught.value.message == message
    assert "SELECT ... AS" in caught.value.hint


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ({"documents_query": "SELECT id, title AS text, text FROM documents"}, "documents_query has two columns text"),
        ({"documents_query": "SELECT id, title AS TEXT, text FROM documents"}, "documents_query has two columns text"),
        ({"documents_query": "SELECT a.*, b.id FROM documents a, documents b"}, "documents_query has two columns id"),
        ({"documents_query": "SELECT *, 'x' AS title FROM documents"}, "documents_query has two columns title"),
        (
            {"documents_query": "SELECT id, text, '' AS date, '' AS date FROM documents"},
            "documents_query has two columns date",
        ),
        (
            {"documents_query": "SELECT id, text, title AS tags, '' AS tags FROM documents", "tags_query": ""},
            "documents_query has two columns tags",
        ),
        (
            {"tags_query": "SELECT document_id AS id, name AS tag, id FROM document_tags JOIN tags ON id = tag_id"},
            "tags_query has two columns id",
        ),
        (
            {"tags_query": "SELECT document_id AS id, name AS tag, 1 AS tag FROM document_tags, tags"},
            "tags_query has two columns tag",
        ),
    ],
)
def test_two_columns_of_one_name_are_refused_by_it(database: Database, queries: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        database.source(**queries)
    assert caught.value.message == f"[database] {said}."
    assert f"SELECT ... AS other_{said.split()[-1]}" in caught.value.hint


def test_two_columns_of_one_name_that_are_not_read_do_no_harm(database: Database) -> None:
    source = database.source(documents_query="SELECT id, text, 1 AS extra, 2 AS extra, 'x' AS \"t:1\" FROM documents")
    assert read(source, [3]) == [RawDocument(3, None, "al treilea", ["b", "a"])]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("text LIKE '%:x%'", [2]),
        (r"text = 'a\:b'", [4]),
        ("text LIKE '%:x%' -- :y %s", [2]),
        ("strftime('%H:%M', '2020-01-01 10:30') = '10:30' AND id = 1", [1]),
        ("text LIKE '100%' AND text LIKE '%(a)s%'", [3]),
    ],
)
def test_colons_and_percent_signs_are_the_users(database: Database, condition: str, expected: list[int]) -> None:
    rows = [(1, None, "x"), (2, None, "a:xb"), (3, None, "100% %(a)s"), (4, None, r"a\:b")]
    source = database.source(rows, [], documents_query=f"SELECT id, text FROM documents WHERE {condition}")
    assert source.read_ids().ids.to_pylist() == expected
    assert [document.id for document in read(source, [4, 3, 2, 1])] == expected


def test_a_few_first_documents(database: Database) -> None:
    shown = database.source().first(2)
    assert [document.id for document in shown] == [3, 1]
    assert shown[0].tags == ["b", "a"]


TAGS_COLUMN = "SELECT id, title AS Tags, text FROM documents"


def test_tags_in_a_column_of_the_documents(database: Database) -> None:
    cells = ["a;b", "a | b", '["a", "b"]', "['a', 'b']", None, "", "[1, 2", "a"]
    rows = [(i, cell, "x") for i, cell in enumerate(cells)]
    source = database.source(rows, [], documents_query=TAGS_COLUMN, tags_query=" ")
    database.statements.clear()
    found = read(source, list(range(len(cells))))
    assert [document.tags for document in found] == [["a", "b"]] * 4 + [[]] * 3 + [["a"]]
    assert [document.problem for document in found] == [None] * 6 + [TAGS_UNREADABLE, None]
    assert len(database.statements) == 1


def test_without_a_tags_query_a_column_tags_is_needed(database: Database) -> None:
    with pytest.raises(InputError, match="documents_query has no column tags; it returns id, title, text"):
        database.source(tags_query="")


@pytest.mark.parametrize("switched_off", ["0", "'0'", "'False'", "x'00'", "0.0 = 1"])
def test_tags_that_are_not_active_are_passed_over(database: Database, switched_off: str) -> None:
    query = (
        f"SELECT document_id AS id, name AS tag, CASE name WHEN 'a' THEN {switched_off} WHEN 'b' THEN 1 END AS Active"
    )
    source = database.source(DOCUMENTS, TAGS, tags_query=f"{query} FROM document_tags JOIN tags ON id = tag_id")
    assert [document.tags for document in read(source, [3, 1])] == [["b"], []]


def tagged_and_strangers(source: DocumentSource) -> tuple[int, int]:
    coverage = source.tag_coverage(source.read_ids().ids)
    return coverage.tagged, coverage.without_document


def test_documents_with_tags_are_counted(database: Database) -> None:
    source = database.source()
    assert tagged_and_strangers(source) == (2, 1)
    query = "SELECT document_id AS id, name AS tag, name <> 'a' AS active FROM document_tags JOIN tags ON id = tag_id"
    source = database.source(tags_query=query)
    assert tagged_and_strangers(source) == (1, 1)
    cells = ["a;b", None, "", "[1, 2", "a"]
    rows = [(i, cell, "x") for i, cell in enumerate(cells)]
    source = database.source(rows, [], documents_query=TAGS_COLUMN, tags_query="")
    assert tagged_and_strangers(source) == (2, 0)
    texts = [("abc", None, "unu"), ("d ", None, "doi"), ("e", None, "trei")]
    source = database.source(texts, [("ABC", "a"), ("d", "b"), ("f", "c")], id_type=String(20))
    assert tagged_and_strangers(source) == (2, 1)


def test_lookups_are_timed_by_id_and_by_scan(database: Database) -> None:
    source = database.source([(i, None, "x" * 500) for i in range(20_000)], [(i, "a") for i in range(20_000)])
    lookups = source.time_lookups(list(range(10_000, 10_050)))
    assert set(lookups) == {"documents_query", "tags_query"}
    assert lookups["documents_query"].by_id > 0 < lookups["documents_query"].by_scan
    alone = database.source([(1, "a", "x")], [], documents_query=TAGS_COLUMN, tags_query="")
    assert set(alone.time_lookups([1])) == {"documents_query"}


def test_sql_server_is_asked_for_the_type_of_the_ids() -> None:
    sql = " ".join(str(DECLARED_TYPES.compile(dialect=mssql_dialect())).split())
    assert sql == "SELECT name, system_type_name FROM sys.dm_exec_describe_first_result_set(:query, NULL, 0)"


@pytest.mark.parametrize("id_type", [None, String(20)])
def test_what_sql_server_gets(database: Database, id_type: TypeEngine[Any] | None) -> None:
    rows = [("a" if id_type else 1, None, "x")]
    source = database.source(
        rows, [], id_type=id_type, documents_query="SELECT id, text FROM documents WHERE id<>':x%'"
    )
    largest = next(m.le for m in DatabaseSettings.model_fields["page_size"].metadata if hasattr(m, "le"))
    ids = [str(i) if id_type else i for i in range(largest)]
    for statement in (source.tables.documents_statement(), source.tables.tags_statement()):
        compiled = statement.compile(dialect=mssql_dialect()).construct_expanded_state({"ids": ids})
        sql = " ".join(compiled.statement.split())
        assert "ORDER BY" not in sql
        assert "WITH" not in sql
        assert "NOLOCK" not in sql
        assert len(compiled.parameters) == largest == len(re.findall(r":ids_\d+", sql))
        assert largest <= 2100
        assert re.search(r"FROM \(SELECT .*\) AS q WHERE q\.id IN \(:ids_1, ", sql)
    assert "id<>':x%'" in str(source.tables.documents_statement().compile(dialect=mssql_dialect()))


def test_tags_find_their_document_whatever_the_case_of_its_id(database: Database) -> None:
    source = database.source(
        [("abc", None, "unu"), ("d ", None, "doi")], [("ABC", "a"), ("d", "b")], id_type=String(20)
    )
    assert read(source, ["abc", "d "]) == [RawDocument("abc", None, "unu", []), RawDocument("d ", None, "doi", [])]


def test_an_id_of_nineteen_digits_is_found(database: Database) -> None:
    snowflake = 1234567890123456789
    source = database.source([(snowflake, None, "unu")], [(snowflake, "a")])
    listed, unusable = source.parse_ids([str(snowflake), str(2**63)])
    assert read(source, listed.ids.to_pylist()) == [RawDocument(snowflake, None, "unu", ["a"])]
    assert unusable == [str(2**63)]


def test_a_text_that_cannot_be_decoded_is_passed_over_and_noted(database: Database) -> None:
    source = database.source([(n, None, f"text {n}") for n in range(1, 8)], [(n, "a") for n in range(1, 8)])
    connection = sqlite3.connect(database.url.removeprefix("sqlite:///"))
    connection.execute("UPDATE documents SET text = CAST(x'c328' AS TEXT) WHERE id = 5")
    connection.commit()
    connection.close()
    found = read(source, list(range(1, 8)))
    assert found[4] == RawDocument(5, None, None, [], problem=UNDECODABLE)
    assert [document.text for document in found] == ["text 1", "text 2", "text 3", "text 4", None, "text 6", "text 7"]


def test_a_text_of_absurd_size_is_passed_over_and_noted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_CHARACTERS", 100)
    opened = database.source([(1, "t" * 50, "x" * 50), (2, "t" * 50, "x" * 51)], [(2, "a")])
    assert [document.problem for document in read(opened, [1, 2])] == [None, TOO_LONG]
    assert read(opened, [2]) == [RawDocument(2, None, None, ["a"], problem=TOO_LONG)]


def test_tags_come_with_their_ids_where_the_query_has_them(database: Database) -> None:
    (document,) = database.source().page([3])
    assert dict(zip(document.tags, document.tag_ids, strict=True)) == {tag: str(tag_number(tag)) for tag in "ab"}
    query = "SELECT document_id AS id, name AS tag FROM document_tags JOIN tags ON tags.id = tag_id"
    assert database.source(tags_query=query).page([3])[0].tag_ids == ()
