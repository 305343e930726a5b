"""Databases: what a query may be, where the password comes from, and that nothing secret is ever shown."""

import hashlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus

import keyring
import pytest
from databases import settings_for
from keyring.backend import KeyringBackend
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.settings import Settings
from get_tags_train.data import database, database_errors
from get_tags_train.data.database import (
    check_inside_select,
    checked_select,
    describe_url,
    first_line,
    open_engine,
    secrets_of,
)
from get_tags_train.data.database_errors import RetryPolicy, as_user_errors, retry, transient_error

SECRET = "p@ss: w/ö;rd+%41"
ODBC = "DRIVER={ODBC Driver 18 for SQL Server};SERVER=tcp:db1,1433;DATABASE=Acte;UID=ana"


class MemoryKeyring(KeyringBackend):
    """A keyring that lives as long as a test."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


@pytest.fixture(autouse=True)
def memory_keyring() -> Any:
    before, own = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


def odbc_url(connection: str) -> str:
    return f"mssql+pyodbc:///?odbc_connect={quote_plus(connection)}"


def opened(home: Path, url: str, password: str = "") -> Any:
    return open_engine(settings_for(home, url=url, database={"password": password})).url


# --- queries ---


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


# --- passwords ---


def test_the_password_in_the_url_goes_before_all_others(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@db1", "of the keyring")
    url = f"postgresql+psycopg://ana:{quote(SECRET, safe='')}@db1/acte"
    assert opened(tmp_path, url, "of the setting").password == SECRET


def test_the_setting_goes_before_the_keyring(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@db1", "of the keyring")
    assert opened(tmp_path, "postgresql+psycopg://ana@db1/acte", SECRET).password == SECRET


def test_the_keyring_is_asked_last(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@db1", SECRET)
    assert opened(tmp_path, "postgresql+psycopg://ana@db1/acte").password == SECRET
    assert opened(tmp_path, "postgresql+psycopg://bob@db1/acte").password is None
    assert opened(tmp_path, "postgresql+psycopg://db1/acte", SECRET).password is None


def test_a_machine_without_a_keyring_has_no_password(tmp_path: Path) -> None:
    from keyring.backends.fail import Keyring

    keyring.set_keyring(Keyring())
    assert opened(tmp_path, "postgresql+psycopg://ana@db1/acte").password is None


@pytest.mark.system
@pytest.mark.parametrize("key", ["PWD", "Pwd", "Password"])
def test_a_driver_string_keeps_its_own_password(tmp_path: Path, key: str) -> None:
    url = opened(tmp_path, odbc_url(f"{ODBC};{key}=own"), "of the setting")
    assert url.query["odbc_connect"] == f"{ODBC};{key}=own"


@pytest.mark.system
def test_a_driver_string_gets_the_setting(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@tcp:db1,1433", "of the keyring")
    url = opened(tmp_path, odbc_url(ODBC), "a}b;c")
    assert url.query["odbc_connect"] == f"{ODBC};PWD={{a}}}}b;c}}"


@pytest.mark.system
def test_a_driver_string_gets_the_keyrings(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@tcp:db1,1433", "of the keyring")
    assert opened(tmp_path, odbc_url(ODBC)).query["odbc_connect"] == f"{ODBC};PWD={{of the keyring}}"


@pytest.mark.system
def test_a_driver_string_without_a_user_is_left_alone(tmp_path: Path) -> None:
    trusted = "DRIVER={ODBC Driver 18 for SQL Server};SERVER=db1;DATABASE=Acte;Trusted_Connection=yes"
    assert opened(tmp_path, odbc_url(trusted), SECRET).query["odbc_connect"] == trusted


# --- nothing secret is shown ---


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///demo.db", "sqlite:///demo.db"),
        (f"postgresql+psycopg://ana:{quote(SECRET, safe='')}@db1:5433/acte", "postgresql+psycopg://db1:5433/acte"),
        ("mysql+pymysql://ana@db1/acte?password=geheim", "mysql+pymysql://db1/acte"),
        (odbc_url(f"{ODBC};PWD=geheim"), "mssql+pyodbc://tcp:db1,1433/Acte"),
        (odbc_url("dsn=Acte;uid=ana;pwd={ge;heim}"), "mssql+pyodbc://Acte/"),
    ],
)
def test_an_address_is_shown_without_user_password_and_options(url: str, shown: str) -> None:
    assert describe_url(url) == shown


SECRET_SETTINGS = [
    (f"postgresql+psycopg://ana:{quote(SECRET, safe='')}@db1/acte", ""),
    ("postgresql+psycopg://ana@db1/acte", SECRET),
    (f"postgresql+psycopg://ana@db1/acte?password={quote(SECRET, safe='')}", ""),
    (odbc_url(f"{ODBC};PWD={{{SECRET}}}"), ""),
    (odbc_url(ODBC), SECRET),
]


@pytest.mark.parametrize(("url", "password"), SECRET_SETTINGS)
def test_errors_never_show_a_password(tmp_path: Path, url: str, password: str) -> None:
    settings = settings_for(tmp_path, url=url, database={"password": password})
    spelt = [SECRET, quote(SECRET, safe=""), quote_plus(SECRET)]
    said = f"Login failed, PWD={{{SECRET}}}; " + "; ".join(spelt)
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings):
        raise OperationalError("SELECT 1", {"text": "a document"}, Exception(said))
    shown = f"{caught.value!r} {caught.value.message} {caught.value.hint}"
    assert "Login failed, PWD={***}" in shown
    assert not [secret for secret in spelt if secret in shown]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("url", "password"), SECRET_SETTINGS)
def test_settings_and_secrets(tmp_path: Path, url: str, password: str) -> None:
    settings = settings_for(tmp_path, url=url, database={"password": password})
    assert SECRET in secrets_of(settings)
    for secret in secrets_of(settings):
        assert secret not in repr(settings)
        assert secret not in str(settings)
        assert secret not in repr(settings.database)
        assert secret not in describe_url(url)


def test_the_keyrings_password_is_a_secret_too(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@db1", SECRET)
    assert SECRET in secrets_of(settings_for(tmp_path, url="postgresql+psycopg://ana@db1/acte"))


def test_an_unusable_url_is_not_repeated(tmp_path: Path) -> None:
    for url in (
        "ana:geheim@server",
        "nosuch+driver://ana:geheim@server/db",
        "postgresql+psycopg://ana:geheim@h:port/d",
    ):
        with pytest.raises(InputError) as caught:
            open_engine(settings_for(tmp_path, url=url))
        assert "[database] url" in caught.value.message
        assert "geheim" not in caught.value.message + caught.value.hint


def test_no_url_names_where_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No database is set") as caught:
        open_engine(settings_for(tmp_path, url=""))
    assert "get-tags.toml" in caught.value.hint


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pg8000", None)
    with pytest.raises(InputError, match="pg8000") as caught:
        open_engine(settings_for(tmp_path, url="postgresql+pg8000://ana:geheim@db1/acte"))
    assert caught.value.hint.endswith("pip install pg8000.")
    assert "geheim" not in caught.value.message


@pytest.mark.system
def test_an_odbc_driver_that_is_not_installed_is_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url="mssql+pyodbc://ana:geheim@db1/Acte?driver=No+Such+Driver")
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings):
        open_engine(settings).connect()
    assert "mssql+pyodbc://db1/Acte" in caught.value.message
    assert "geheim" not in caught.value.message


def test_a_closed_port_is_told_in_words(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url="postgresql+psycopg://ana:geheim@127.0.0.1:1/acte?connect_timeout=2")
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings):
        open_engine(settings).connect()
    assert caught.value.message.startswith("The server of postgresql+psycopg://127.0.0.1:1/acte cannot be reached: ")
    assert "geheim" not in caught.value.message
    assert caught.value.hint


MICROSOFT = "[Microsoft][ODBC Driver 18 for SQL Server]"


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("no such table: x", "A table or column of the queries is not in", "documents_query"),
        ("[42S02] Invalid object name 'x'.", "A table or column of the queries is not in", "documents_query"),
        ("Login failed for user 'ana'. (18456)", "The login at", "GET_TAGS_DATABASE_PASSWORD"),
        (
            f"[08001] {MICROSOFT}SSL Provider: The certificate chain was issued by an authority that is not trusted.",
            "The certificate of",
            "TrustServerCertificate=yes",
        ),
        (
            f'[42000] {MICROSOFT}Cannot open database "Acte" requested by the login. The login failed. (4060)',
            "There is no database",
            "after the server's",
        ),
        (f"[HYT00] {MICROSOFT}Login timeout expired", "The server of", "VPN"),
        (f"[HYT00] {MICROSOFT}Query timeout expired", "A query to", "timeout_seconds"),
        (f"[42000] {MICROSOFT}The SELECT permission was denied on the object 'd' (229)", "The user may not", "SELECT"),
        ("SELECT command denied to user 'u'@'h' for table 'documents' (1142)", "The user may not", "SELECT"),
        ("Access denied for user 'u'@'h' to database 'x' (1044)", "There is no database", "name"),
        ("Access denied for user 'u'@'h' (using password: YES) (1045)", "The login at", "keyring"),
        ("[08S01] [FreeTDS][SQL Server]Unable to connect: Adaptive Server is unavailable", "The server of", "network"),
        (
            "[01000] Can't open lib 'ODBC Driver 18 for SQL Server' : file not found",
            "The ODBC driver for",
            "installed: ",
        ),
        ("[IM002] Data source name not found and no default driver specified", "The ODBC driver for", "installed: "),
        (f"[42000] {MICROSOFT}Snapshot isolation transaction failed (3952)", "Snapshot isolation is not", "ALTER"),
        ("something else", "The database sqlite:///test.db answered: something else", "get-tags doctor"),
    ],
)
def test_what_a_database_says_is_told_in_words(tmp_path: Path, said: str, message: str, hint: str) -> None:
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings_for(tmp_path)):
        raise OperationalError("SELECT 1", None, Exception(said))
    assert caught.value.message.startswith(message)
    assert caught.value.message.endswith(said)
    assert hint in caught.value.hint


def test_first_line() -> None:
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"


# --- trouble that passes ---


def failure(*args: Any, statement: str | None = "SELECT 1", lost: bool = False) -> DBAPIError:
    return OperationalError(statement, None, Exception(*args), connection_invalidated=lost)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (failure("40001", "[40001] deadlock victim (1205)"), "deadlock"),
        (failure(1213, "Deadlock found"), "deadlock"),
        (failure("HY000", "[HY000] Lock wait timeout exceeded (1205)"), "locked"),
        (failure("HYT00", "[HYT00] Query timeout expired", lost=True), "too long"),
        (failure("08S01", "[08S01] Communication link failure"), "connection"),
        (failure("gone", lost=True), "connection"),
        (failure("connection refused", statement=None), "cannot be reached"),
        (failure("42S02", "[42S02] Invalid object name"), ""),
        (failure("28000", "[28000] Login failed", statement=None), ""),
        (failure(1045, "Access denied", statement=None), ""),
        (failure("no such table: d"), ""),
        (ProgrammingError(None, None, Exception("syntax")), ""),
        (ValueError("08S01"), ""),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(error: Exception, said: str) -> None:
    assert (said in transient_error(error)) if said else not transient_error(error)


def test_pauses_grow_until_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, heard, ended = [0.0], [], Event()
    monkeypatch.setattr(database_errors, "monotonic", lambda: clock[0])
    monkeypatch.setattr(ended, "wait", lambda seconds: clock.__setitem__(0, clock[0] + seconds))

    def read() -> None:
        raise failure("08S01", "gone")

    patience = RetryPolicy(300, lambda why, seconds: heard.append(seconds), ended)
    with pytest.raises(GetTagsError, match="was lost, and 300 seconds of trying again") as caught:
        retry(read, patience)
    assert heard[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert 300 <= sum(heard) < 330
    assert "the same command continues it" in caught.value.hint


def test_what_will_not_pass_is_not_tried_again(home: Path) -> None:
    calls = []

    def read() -> None:
        calls.append(1)
        raise failure("42S02", "no such table")

    for seconds in (0, 300):
        with pytest.raises(OperationalError):
            retry(read, RetryPolicy(seconds, lambda *_: None, Event()))
    with pytest.raises(OperationalError):
        retry(lambda: (_ for _ in ()).throw(failure("08S01", "gone")), RetryPolicy(0, lambda *_: None, Event()))
    assert len(calls) == 2


# --- SQL Server ---


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


@pytest.mark.system
@pytest.mark.parametrize("snapshot", [True, False])
def test_sql_server_reads_a_snapshot_if_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: bool
) -> None:
    options: dict[str, Any] = {}
    original = database.create_engine
    monkeypatch.setattr(database, "create_engine", lambda url, **given: options.update(given) or original(url, **given))
    url = "mssql+pyodbc://ana:x@db1/Acte?driver=ODBC+Driver+18+for+SQL+Server"
    engine = open_engine(settings_for(tmp_path, url=url, database={"snapshot_isolation": snapshot}))
    assert options.get("isolation_level") == ("SNAPSHOT" if snapshot else None)
    connection = SimpleNamespace(timeout=0)
    for listener in engine.pool.dispatch.connect:
        if getattr(listener, "__name__", "") == "limit":
            listener(connection, None)
    assert connection.timeout == 600


# --- SQLite ---


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "casă 100%20 #1 &"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "test.db")) as connection:
        connection.execute("CREATE TABLE documents (id INTEGER, text TEXT)")
        connection.execute("INSERT INTO documents VALUES (1, 'unu')")
        connection.commit()
    return folder


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no SQLite database") as caught:
        open_engine(settings_for(tmp_path, url="sqlite:///nowhere/test.db"))
    assert str(tmp_path / "nowhere" / "test.db") in caught.value.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("absolute", [True, False])
def test_a_sqlite_file_is_read_and_never_changed(home: Path, absolute: bool) -> None:
    path = home / "test.db"
    before = hashlib.sha256(path.read_bytes()).digest()
    url = f"sqlite:///{quote(str(path))}" if absolute else "sqlite:///test.db"
    settings = settings_for(home, url=url)
    engine = open_engine(settings)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, text FROM documents")).all() == [(1, "unu")]
    for statement in ("INSERT INTO documents VALUES (2, 'doi')", "CREATE TABLE t (a)", "DROP TABLE documents"):
        with (
            pytest.raises(GetTagsError, match="readonly database"),
            as_user_errors(settings),
            engine.begin() as connection,
        ):
            connection.execute(text(statement))
    engine.dispose()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [p.name for p in home.iterdir()] == ["test.db"]


@pytest.mark.parametrize(("query", "said"), [("SELECT 1 FROM nope", "nope"), ("SELECT nope FROM documents", "nope")])
def test_an_unknown_table_or_column_is_named(home: Path, query: str, said: str) -> None:
    settings = settings_for(home)
    with pytest.raises(GetTagsError, match=said) as caught, as_user_errors(settings):
        open_engine(settings).connect().execute(text(query))
    assert caught.value.hint == "Check documents_query and tags_query under [database]."
    assert "sqlite:///test.db" in caught.value.message


def test_bound_text_is_never_shown(home: Path) -> None:
    settings = settings_for(home)
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings):
        open_engine(settings).connect().execute(
            text("SELECT nope FROM documents WHERE text = :t"), {"t": "secret text"}
        )
    assert "secret text" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "test.db").write_text("no database" * 200)
    settings: Settings = settings_for(tmp_path)
    with pytest.raises(GetTagsError, match="not a database"), as_user_errors(settings):
        open_engine(settings).connect().execute(text("SELECT 1 FROM sqlite_master"))
