"""The same documents through every kind of database give the same data: real servers, started for these tests.

What a SQL Server must do as well runs against the one whose URL is in GET_TAGS_TEST_MSSQL_URL; its tables documents,
tags and document_tags are dropped and made anew.
"""

import decimal
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from databases import Proxy, fill, mariadb, postgresql, read, settings_for, silent, write_settings
from keyboard import ENTER
from killing import kill_extractions
from sqlalchemy import CHAR, BigInteger, Numeric, String, Uuid, create_engine, make_url, text

from get_tags_train.cli.main import app
from get_tags_train.core.config import load_settings
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.settings import Settings, Source
from get_tags_train.data import unchanged
from get_tags_train.data.database import open_engine
from get_tags_train.data.database_errors import as_user_errors
from get_tags_train.data.extract import extract
from get_tags_train.data.source import TAGS_UNREADABLE, DocumentSource, RawDocument

pytestmark = pytest.mark.server

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {"postgresql": postgresql, "mariadb": mariadb}
# For what is done to a server, or to the way to it.
on_our_own_servers = pytest.mark.parametrize("url", list(SERVERS), indirect=True)
if sql_server := os.environ.get("GET_TAGS_TEST_MSSQL_URL"):
    SERVERS["sqlserver"] = lambda _: nullcontext(sql_server)
DOCUMENTS = [
    (
        number,
        f"Titlul {number}" if number % 3 else None,
        f"Conținutul şi ţinta nr. {number}: 50% 𝄞 " + "cuvânt " * number,
    )
    for number in range(1, 41)
]
PAIRS = [(number, f"eticheta {number % 7} ș") for number, _, _ in DOCUMENTS] + [(5, "ţară"), (5, "țară"), (6, None)]


@pytest.fixture(scope="module", params=SERVERS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as server_url:
        yield server_url


@pytest.fixture
def settings(url: str, tmp_path: Path, demo_tokenizer_folder: Path) -> Settings:
    return settings_for(tmp_path, url=url, training={"base_model": str(demo_tokenizer_folder)})


def opened(settings: Settings, **queries: str) -> DocumentSource:
    database = settings.database
    queries = {"documents_query": database.documents_query, "tags_query": database.tags_query, **queries}
    with as_user_errors(settings.database):
        return DocumentSource(open_engine(settings.database, settings.home), **queries)


def test_texts_and_tags_come_as_they_are(settings: Settings) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    source = opened(settings)
    assert source.read_ids().ids.to_pylist() == list(range(1, 41))
    five, six, one = read(source, [5, 99, 6, 1])
    assert five == RawDocument(5, *DOCUMENTS[4][1:], five.tags)
    assert sorted(five.tags) == sorted(["eticheta 5 ș", "ţară", "țară"])
    assert six.title is None
    assert six.tags == ["eticheta 6 ș"]
    assert one.id == 1


def test_the_data_equal_those_from_sqlite(settings: Settings, tmp_path: Path) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    fill(f"sqlite:///{tmp_path / 'test.db'}", DOCUMENTS, PAIRS)
    local = settings_for(tmp_path, training={"base_model": settings.training.base_model}, database={"page_size": 7})
    assert extract(settings, silent).checksum == extract(local, silent).checksum


VERSIONS = {
    "postgresql": ["timestamp(6) DEFAULT clock_timestamp()", "bytea DEFAULT '\\x07'", "numeric(10, 2) DEFAULT 1.50"],
    "mysql": ["TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6)", "VARBINARY(8) DEFAULT 0x07", "DECIMAL(10, 2) DEFAULT 1.50"],
    "mssql": [
        "datetime2(7) DEFAULT SYSDATETIME() WITH VALUES",
        "rowversion",
        "decimal(10, 2) DEFAULT 1.50 WITH VALUES",
    ],
}


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["time", "bytes", "decimal"])
def test_only_what_has_another_version_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    engine = create_engine(settings.database.url)
    declared = VERSIONS[engine.dialect.name if engine.dialect.name != "mariadb" else "mysql"][kind]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE documents ADD version {declared}")
    query = "SELECT id, title, text, version FROM documents"
    settings = settings.model_copy(update={"database": settings.database.model_copy(update={"documents_query": query})})
    monkeypatch.setattr(unchanged, "SAMPLE", 0)
    first = extract(settings, silent)
    asked: list[int] = []
    page = DocumentSource.page
    monkeypatch.setattr(DocumentSource, "page", lambda self, ids: asked.extend(ids) or page(self, ids))
    with engine.begin() as connection:
        for statement in (
            "DELETE FROM documents WHERE id = 9",
            "INSERT INTO documents (id, title, text) VALUES (41, NULL, 'nou')",
            "INSERT INTO document_tags VALUES (41, 1)",
            "INSERT INTO tags VALUES (1, 'nou')",
        ):
            connection.exec_driver_sql(statement)
    second = extract(settings, silent)
    assert asked == [41]
    assert second.checksum != first.checksum
    full = extract(settings.model_copy(update={"source": Source(reads_all=True)}), silent)
    assert full.checksum == second.checksum
    engine.dispose()


@on_our_own_servers
def test_init_sets_up_a_server_step_by_step(
    settings: Settings, tmp_path: Path, keys: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    url = make_url(settings.database.url)
    kind = "3" if url.drivername.startswith("postgresql") else "4"
    monkeypatch.setenv("GET_TAGS_DATABASE_PASSWORD", "")
    home = tmp_path / "home"
    keys(kind + ENTER + f"127.0.0.1:{url.port or url.query['port']}" + ENTER + f"{url.username}" + ENTER)
    if url.password:
        keys("wrong" + ENTER)
    keys(f"{url.password or ''}" + ENTER + ENTER + ENTER * 13)
    with pytest.raises(SystemExit) as end:
        app(args=["init", "--home", str(home)])
    assert end.value.code == 0
    assert "geheim" not in (home / "get-tags.toml").read_text()
    written = load_settings(home).database
    source = DocumentSource(open_engine(written, home), written.documents_query, written.tags_query)
    (five,) = source.page([5])
    assert sorted(five.tags) == sorted(["eticheta 5 ș", "ţară", "țară"])


GUIDS = [uuid.UUID(int=number << 96 | 0xABC, version=4) for number in (7, 5, 6)]


@pytest.mark.parametrize(
    ("ids", "id_type"),
    [
        ([2**40, 3, -1], BigInteger()),
        ([decimal.Decimal(10**12), decimal.Decimal(3), decimal.Decimal(-1)], Numeric(18, 0)),
        (["b", "ă", "x y"], String(20)),
        (GUIDS, Uuid()),
    ],
    ids=["integer", "decimal", "string", "guid"],
)
def test_ids_of_every_type(settings: Settings, ids: list[Any], id_type: Any) -> None:
    if isinstance(id_type, Uuid) and not settings.database.url.startswith("postgresql"):
        ids, id_type = [str(i) for i in ids], String(36)
    fill(settings.database.url, [(i, None, f"text {i}") for i in ids], [(ids[1], "t")], id_type=id_type)
    source = opened(settings)
    listed = source.read_ids().ids.to_pylist()
    assert len(listed) == 3
    assert listed == sorted(listed)
    assert [document.id for document in read(source, list(reversed(listed)))] == list(reversed(listed))
    assert [document.text for document in read(source, listed) if document.tags == ["t"]] == [f"text {ids[1]}"]
    parsed, unusable = source.parse_ids([str(i).upper() if "-4" in str(i) else str(i) for i in ids])
    assert unusable == []
    assert len(read(source, parsed.ids.to_pylist())) == 3


@pytest.mark.parametrize("column", ["id", "text", "title"])
def test_two_columns_of_one_name_are_refused_by_it(settings: Settings, column: str) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    query = f"SELECT id, title, text, '1' AS {column} FROM documents"
    with pytest.raises(InputError) as caught:
        opened(settings, documents_query=query)
    assert caught.value.message == f"[database] documents_query has two columns {column}."


def test_ids_beyond_64_bits_are_refused_with_what_to_cast(settings: Settings) -> None:
    ids = [decimal.Decimal(1), decimal.Decimal("9" * 30)]
    fill(settings.database.url, [(i, None, "x") for i in ids], [], id_type=Numeric(38, 0))
    with pytest.raises(InputError, match=r"not all integers of 64 bits: 9{30}") as caught:
        opened(settings).read_ids()
    assert "CAST(... AS varchar(50)) AS id" in caught.value.hint
    as_text = "SELECT CAST(id AS char(50)) AS id, title, text FROM documents"
    tags = "SELECT CAST(document_id AS char(50)) AS id, 'a' AS tag FROM document_tags"
    listed = opened(settings, documents_query=as_text, tags_query=tags).read_ids().ids.to_pylist()
    assert [i.strip() for i in listed] == ["1", "9" * 30]


def test_ids_that_differ_in_case_stay_distinct(settings: Settings) -> None:
    fill(settings.database.url, [("a", None, "small"), ("A", None, "large")], [("A", "t")], id_type=String(20))
    source = opened(settings)
    assert source.read_ids().ids.to_pylist() == ["A", "a"]
    assert read(source, ["a"]) == [RawDocument("a", None, "small", [])]
    assert [document.text for document in read(source, ["A", "a"])] == ["large", "small"]


def test_ids_that_a_char_column_pads_are_found_without_their_blanks(settings: Settings) -> None:
    fill(settings.database.url, [("a", None, "x"), ("b", None, "y")], [("a", "t")], id_type=CHAR(10))
    source = opened(settings)
    assert read(source, ["b", "c", "a"]) == [RawDocument("b", None, "y", []), RawDocument("a", None, "x", ["t"])]
    assert [document.tags for document in read(source, source.read_ids().ids.to_pylist())] == [["t"], []]


def test_ids_of_a_file(settings: Settings, tmp_path: Path) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    ids_path = tmp_path / "ids.csv"
    ids_path.write_text("id\n30\n7\n999\nx\n7\n", encoding="utf-8")
    chosen = settings.model_copy(update={"source": Source("ids", ids_path)})
    result = extract(chosen, silent)
    assert (result.documents_kept, result.missing_ids) == (2, 2)
    listed = (Path(result.path) / "missing_ids.csv").read_text(encoding="utf-8-sig").split()
    assert listed == ["id", "999", "x"]


def test_colons_and_percent_signs_are_the_users(settings: Settings) -> None:
    fill(settings.database.url, [(1, None, "x"), (2, None, "a:xb"), (3, None, "100% %(a)s ?")], [])
    for condition, expected in {"LIKE '%:x%'": [2], "LIKE '100%%(a)s ?'": [3]}.items():
        source = opened(settings, documents_query=f"SELECT id, text FROM documents WHERE text {condition}")
        assert source.read_ids().ids.to_pylist() == expected
        assert [document.id for document in read(source, [1, 2, 3])] == expected


def test_a_large_page(settings: Settings) -> None:
    fill(settings.database.url, [(i, None, "x") for i in range(1500)], [(i, "t") for i in range(1500)])
    assert len(read(opened(settings), list(range(1000)))) == 1000


def test_long_texts_come_whole(settings: Settings) -> None:
    long = "propoziție și atât. " * 2500
    fill(settings.database.url, [(1, None, long)], [(1, "t")])
    assert read(opened(settings), [1]) == [RawDocument(1, None, long, ["t"])]


def test_a_query_that_is_wrong_is_told_in_words(settings: Settings) -> None:
    fill(settings.database.url, DOCUMENTS[:1], PAIRS[:1])
    for query in ("SELECT id, text FROM nowhere", "SELECT id, nowhere AS text FROM documents"):
        with pytest.raises(GetTagsError, match="nowhere") as caught:
            opened(settings, documents_query=query)
        assert caught.value.hint == "Check documents_query and tags_query under [database]."
        assert "geheim" not in caught.value.message


@pytest.mark.parametrize("url", ["mariadb"], indirect=True)
def test_a_wrong_password_is_told_in_words(url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url=url.replace("geheim", "falsch"))
    with pytest.raises(GetTagsError, match="Access denied") as caught, as_user_errors(settings.database):
        open_engine(settings.database, settings.home).connect()
    assert "GET_TAGS_DATABASE_PASSWORD" in caught.value.hint
    assert "falsch" not in caught.value.message + caught.value.hint


@on_our_own_servers
def test_the_database_is_opened_for_reading(settings: Settings) -> None:
    fill(settings.database.url, DOCUMENTS[:1], PAIRS[:1])
    engine = open_engine(settings.database, settings.home)
    for _ in range(2):  # a connection of the pool stays so
        with (
            pytest.raises(GetTagsError, match=r"(?i)read.only"),
            as_user_errors(settings.database),
            engine.connect() as connection,
        ):
            connection.execute(text("DELETE FROM documents"))
    engine.dispose()


@on_our_own_servers
def test_a_query_that_takes_too_long_is_ended(settings: Settings) -> None:
    hasty = settings.model_copy(update={"database": settings.database.model_copy(update={"timeout_seconds": 1})})
    engine = open_engine(hasty.database, hasty.home)
    query = "SELECT pg_sleep(20)" if engine.dialect.name == "postgresql" else "SELECT SLEEP(20) FROM (SELECT 1) q"
    started = time.monotonic()
    with (
        pytest.raises(GetTagsError, match="took too long") as caught,
        as_user_errors(hasty.database),
        engine.connect() as connection,
    ):
        connection.execute(text(query))
    assert time.monotonic() - started < 10
    assert "timeout_seconds" in caught.value.hint
    engine.dispose()


def test_tags_in_a_column_and_inactive_tags(settings: Settings) -> None:
    fill(settings.database.url, [(1, "a; b", "unu"), (2, '["c", "d"]', "doi"), (3, "[", "trei"), (4, None, "4")], [])
    source = opened(settings, documents_query="SELECT id, text, title AS tags FROM documents", tags_query="")
    found = read(source, [1, 2, 3, 4])
    assert [document.tags for document in found] == [["a", "b"], ["c", "d"], [], []]
    assert [document.problem for document in found] == [None, None, TAGS_UNREADABLE, None]
    fill(settings.database.url, DOCUMENTS[:3], [(1, "a"), (1, "b"), (2, "a")])
    pairs = "SELECT document_id AS id, name AS tag, name = 'a' AS active FROM document_tags JOIN tags ON id = tag_id"
    assert [document.tags for document in read(opened(settings, tags_query=pairs), [1, 2, 3])] == [["a"], ["a"], []]


# --- what goes wrong on the way ---


@pytest.fixture
def proxy(settings: Settings) -> Iterator[Proxy]:
    made = Proxy(port_of(settings.database.url))
    yield made
    made.close()


def port_of(url: str) -> int:
    return int(url.partition("port=")[2].partition("&")[0] or url.rpartition(":")[2].partition("/")[0])


def through(proxy: Proxy, settings: Settings, **values: Any) -> Settings:
    url = settings.database.url.replace(str(port_of(settings.database.url)), str(proxy.port))
    database = settings.database.model_copy(update={"url": url, **values})
    return settings.model_copy(update={"database": database})


@on_our_own_servers
def test_a_connection_cut_in_mid_page_is_made_anew(settings: Settings, proxy: Proxy) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    undisturbed = extract(settings, silent).checksum
    heard: list[Event] = []
    disturbed = through(proxy, settings, page_size=4)  # of ten pages at most seven are read when the first is told

    def cut_in_a_later_page(event: Event) -> None:
        heard.append(event)
        if getattr(event, "done", 0) == 4:
            proxy.cut_after(1500, down_seconds=1.5)

    result = extract(disturbed, cut_in_a_later_page)
    assert proxy.cuts == 1
    assert result.checksum == undisturbed
    told = [event.message for event in heard if isinstance(event, Notice)]
    assert "The connection to the database was lost; trying again in 1 s." in told


@on_our_own_servers
def test_a_server_that_stays_away(settings: Settings, proxy: Proxy) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    gone = through(proxy, settings, retry_seconds=2)
    heard: list[tuple[str, float]] = []
    with as_user_errors(gone.database):
        source = DocumentSource(
            open_engine(gone.database, gone.home),
            gone.database.documents_query,
            gone.database.tags_query,
            retry_seconds=gone.database.retry_seconds,
            on_retry=lambda why, pause: heard.append((why, pause)),
        )
        proxy.close()
        with pytest.raises(GetTagsError) as caught:
            read(source, [1, 2, 3])
    assert caught.value.message.endswith(", and 2 seconds of retries did not help.")
    assert caught.value.hint == "What was read is kept: the same command continues it."
    assert [pause for _, pause in heard] == [1, 2]
    assert {why for why, _ in heard} <= {"The connection to the database was lost", "The database cannot be reached"}


@on_our_own_servers
def test_waiting_for_a_server_can_be_ended(settings: Settings, proxy: Proxy) -> None:
    fill(settings.database.url, DOCUMENTS, PAIRS)
    gone, database = through(proxy, settings), settings.database
    queries = database.documents_query, database.tags_query
    source = DocumentSource(
        open_engine(gone.database, gone.home), *queries, retry_seconds=60, on_retry=lambda *_: paused.set()
    )
    paused = threading.Event()
    proxy.close()

    def end() -> None:
        paused.wait(30)
        source.close()

    threading.Thread(target=end).start()
    started = time.monotonic()
    with pytest.raises(GetTagsError, match="Reading was stopped"):
        read(source, [1])
    assert time.monotonic() - started < 20


@on_our_own_servers
def test_typical_failures_are_told_apart(settings: Settings) -> None:
    fill(settings.database.url, DOCUMENTS[:1], PAIRS[:1])
    url, is_postgresql = settings.database.url, settings.database.url.startswith("postgresql")
    with create_engine(url).begin() as connection:
        if is_postgresql:
            connection.execute(text("DROP ROLE IF EXISTS nobody"))
            connection.execute(text("CREATE ROLE nobody LOGIN"))
    failing = {
        url.replace(str(port_of(url)), "1"): "The server of ",
        url.replace("/postgres", "/nowhere").replace("/t?", "/nowhere?"): "There is no database ",
    }
    if is_postgresql:
        failing[url.replace("test@", "nobody@")] = "The user may not read everything "
    failing[url.replace("test@", "stranger@").replace("u:", "stranger:")] = "The login at "
    for wrong, said in failing.items():
        own = settings_for(settings.home, url=wrong)
        with pytest.raises(GetTagsError, match=f"^{said}"):
            opened(own)
    with create_engine(url).begin() as connection:
        if is_postgresql:
            connection.execute(text("DROP ROLE nobody"))


@on_our_own_servers
def test_twenty_kills_cost_nothing_but_time(settings: Settings) -> None:
    rows = [(n, f"Titlul {n}", f"Conținutul nr. {n} " + "cuvânt " * (n % 90)) for n in range(1, 1001)]
    fill(settings.database.url, rows, [(n, f"eticheta {n % 7}") for n in range(1, 1001)])
    write_settings(settings.home, settings.database.url, settings.training.base_model)
    counts = kill_extractions(settings.home, 20, random.Random())
    assert counts["killed"] == 20
    assert counts["continued"] > 0
