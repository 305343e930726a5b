"""Databases: where the password comes from, that nothing secret is ever shown, and what is tried again."""

import hashlib
import os
import sqlite3
import subprocess
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
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.settings import Settings
from get_tags_train.data import database
from get_tags_train.data import retry as retry_module
from get_tags_train.data.database import describe_url, first_line, open_engine, secrets_of
from get_tags_train.data.database_errors import as_user_errors
from get_tags_train.data.retry import RetryPolicy, retry, transient_error

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


def engine_of(settings: Settings) -> Engine:
    return open_engine(settings.database, settings.home)


def odbc_url(connection: str) -> str:
    return f"mssql+pyodbc:///?odbc_connect={quote_plus(connection)}"


def opened(home: Path, url: str, password: str = "") -> Any:
    return engine_of(settings_for(home, url=url, database={"password": password})).url


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
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings.database):
        raise OperationalError("SELECT 1", {"text": "a document"}, Exception(said))
    shown = f"{caught.value!r} {caught.value.message} {caught.value.hint}"
    assert "Login failed, PWD={***}" in shown
    assert not [secret for secret in spelt if secret in shown]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("url", "password"), SECRET_SETTINGS)
def test_settings_and_secrets(tmp_path: Path, url: str, password: str) -> None:
    settings = settings_for(tmp_path, url=url, database={"password": password})
    assert SECRET in secrets_of(settings.database)
    for secret in secrets_of(settings.database):
        assert secret not in repr(settings)
        assert secret not in str(settings)
        assert secret not in repr(settings.database)
        assert secret not in describe_url(url)


def test_the_keyrings_password_is_a_secret_too(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("get-tags", "ana@db1", SECRET)
    assert SECRET in secrets_of(settings_for(tmp_path, url="postgresql+psycopg://ana@db1/acte").database)


def test_an_unusable_url_is_not_repeated(tmp_path: Path) -> None:
    for url in (
        "ana:geheim@server",
        "nosuch+driver://ana:geheim@server/db",
        "postgresql+psycopg://ana:geheim@h:port/d",
    ):
        with pytest.raises(InputError) as caught:
            engine_of(settings_for(tmp_path, url=url))
        assert "[database] url" in caught.value.message
        assert "geheim" not in caught.value.message + caught.value.hint


def test_no_url_names_where_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No database is set") as caught:
        engine_of(settings_for(tmp_path, url=""))
    assert "get-tags.toml" in caught.value.hint


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pg8000", None)
    with pytest.raises(InputError, match="pg8000") as caught:
        engine_of(settings_for(tmp_path, url="postgresql+pg8000://ana:geheim@db1/acte"))
    assert caught.value.hint.endswith("pip install pg8000.")
    assert "geheim" not in caught.value.message


@pytest.mark.system
def test_an_odbc_driver_that_is_not_installed_is_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url="mssql+pyodbc://ana:geheim@db1/Acte?driver=No+Such+Driver")
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings.database):
        engine_of(settings).connect()
    assert "mssql+pyodbc://db1/Acte" in caught.value.message
    assert "geheim" not in caught.value.message


def test_a_closed_port_is_told_in_words(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url="postgresql+psycopg://ana:geheim@127.0.0.1:1/acte?connect_timeout=2")
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings.database):
        engine_of(settings).connect()
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
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings_for(tmp_path).database):
        raise OperationalError("SELECT 1", None, Exception(said))
    assert caught.value.message.startswith(message)
    assert caught.value.message.endswith(said)
    assert hint in caught.value.hint


def test_first_line() -> None:
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"


# --- errors that pass ---


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
    monkeypatch.setattr(retry_module, "monotonic", lambda: clock[0])
    monkeypatch.setattr(ended, "wait", lambda seconds: clock.__setitem__(0, clock[0] + seconds))

    def read() -> None:
        raise failure("08S01", "gone")

    policy = RetryPolicy(300, lambda why, seconds: heard.append(seconds), ended)
    with pytest.raises(GetTagsError, match="was lost, and 300 seconds of retries") as caught:
        retry(read, policy)
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


@pytest.mark.system
@pytest.mark.parametrize("snapshot", [True, False])
def test_sql_server_reads_a_snapshot_if_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: bool
) -> None:
    options: dict[str, Any] = {}
    original = database.create_engine
    monkeypatch.setattr(database, "create_engine", lambda url, **given: options.update(given) or original(url, **given))
    url = "mssql+pyodbc://ana:x@db1/Acte?driver=ODBC+Driver+18+for+SQL+Server"
    engine = engine_of(settings_for(tmp_path, url=url, database={"snapshot_isolation": snapshot}))
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
        engine_of(settings_for(tmp_path, url="sqlite:///nowhere/test.db"))
    assert str(tmp_path / "nowhere" / "test.db") in caught.value.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("absolute", [True, False])
def test_a_sqlite_file_is_read_and_never_changed(home: Path, absolute: bool) -> None:
    path = home / "test.db"
    before = hashlib.sha256(path.read_bytes()).digest()
    url = f"sqlite:///{quote(str(path))}" if absolute else "sqlite:///test.db"
    settings = settings_for(home, url=url)
    engine = engine_of(settings)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, text FROM documents")).all() == [(1, "unu")]
    for statement in ("INSERT INTO documents VALUES (2, 'doi')", "CREATE TABLE t (a)", "DROP TABLE documents"):
        with (
            pytest.raises(GetTagsError, match="readonly database"),
            as_user_errors(settings.database),
            engine.begin() as connection,
        ):
            connection.execute(text(statement))
    engine.dispose()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [p.name for p in home.iterdir()] == ["test.db"]


@pytest.mark.parametrize(("query", "said"), [("SELECT 1 FROM nope", "nope"), ("SELECT nope FROM documents", "nope")])
def test_an_unknown_table_or_column_is_named(home: Path, query: str, said: str) -> None:
    settings = settings_for(home)
    with pytest.raises(GetTagsError, match=said) as caught, as_user_errors(settings.database):
        engine_of(settings).connect().execute(text(query))
    assert caught.value.hint == "Check documents_query and tags_query under [database]."
    assert "sqlite:///test.db" in caught.value.message


def test_bound_text_is_never_shown(home: Path) -> None:
    settings = settings_for(home)
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings.database):
        engine_of(settings).connect().execute(text("SELECT nope FROM documents WHERE text = :t"), {"t": "secret text"})
    assert "secret text" not in str(caught.value)


KILLED_WRITER = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 5")  # so that half of the change is in the file when it is killed
database.execute("BEGIN")
database.execute("UPDATE documents SET text = 'altul' || text")
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_what_a_killed_writer_left_is_told_with_what_to_do(home: Path) -> None:
    with closing(sqlite3.connect(home / "test.db")) as connection, connection:
        connection.executemany("INSERT INTO documents VALUES (?, ?)", [(n, "x" * 500) for n in range(2, 2000)])
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(home / "test.db")], check=False)
    assert (home / "test.db-journal").stat().st_size
    settings = settings_for(home)
    with pytest.raises(GetTagsError) as caught, as_user_errors(settings.database):
        engine_of(settings).connect().execute(text("SELECT count(*) FROM documents"))
    assert caught.value.message.startswith("A program was stopped while it wrote to sqlite:///test.db")
    assert "-journal" in caught.value.hint
    with closing(sqlite3.connect(home / "test.db")) as connection:  # as the hint says
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (1999,)
    with engine_of(settings).connect() as reader:
        assert reader.execute(text("SELECT text FROM documents WHERE id = 1")).scalar() == "unu"


@pytest.mark.skipif(sys.platform == "win32", reason="names there are Unicode")
def test_a_sqlite_file_is_read_whatever_bytes_its_path_has(home: Path) -> None:
    odd = home.rename(home.with_name(os.fsdecode(b"cas\xe3")))
    with engine_of(settings_for(odd)).connect() as connection:
        assert connection.execute(text("SELECT id, text FROM documents")).all() == [(1, "unu")]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "test.db").write_text("no database" * 200)
    settings: Settings = settings_for(tmp_path)
    with pytest.raises(GetTagsError, match="not a database"), as_user_errors(settings.database):
        engine_of(settings).connect().execute(text("SELECT 1 FROM sqlite_master"))
