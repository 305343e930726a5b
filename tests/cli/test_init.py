"""`get-tags init` against databases, answered by keys."""

import os
import sqlite3
import tomllib
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from databases import fill
from keyboard import BACK, CTRL_C, ENTER
from keyring.backend import KeyringBackend

from get_tags_train.cli import init
from get_tags_train.cli.main import app
from get_tags_train.core.config import load_settings
from get_tags_train.data.database import open_engine
from get_tags_train.data.source import DocumentSource

Keys = Callable[[str], None]
SQLITE = "5" + ENTER


class Keyring(KeyringBackend):
    """A keyring of this process."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


@pytest.fixture
def own_keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    before, own = keyring.get_keyring(), Keyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", own)
    assert before is not own
    return own


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "documents.db"
    documents = [(number, f"Titlul {number}", f"Textul nr. {number}") for number in range(1, 31)]
    fill(f"sqlite:///{path}", documents, [(number, f"tag {number % 3}") for number in range(1, 21)])
    return path


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as end:
        app(args=[str(arg) for arg in args])
    assert isinstance(end.value.code, int)
    return end.value.code


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What stood above the questions."""
    lines: list[str] = []
    monkeypatch.setattr("questionary.print", lines.append)
    return lambda: " ".join("\n".join(lines).split())


def test_a_database_is_set_up_by_taking_what_is_offered(
    keys: Keys, database: Path, tmp_path: Path, told: Callable[[], str]
) -> None:
    keys(SQLITE + str(database) + ENTER + ENTER * 13)
    assert run("init", "--home", tmp_path) == 0
    assert "30 documents. For example: 1: Titlul 1" in told()
    assert "20 documents with tags, 10 documents without. For example: 1: Titlul 1 [tag 1]" in told()
    settings = load_settings(tmp_path).database
    source = DocumentSource(open_engine(settings, tmp_path), settings.documents_query, settings.tags_query)
    assert [document.tags for document in source.page([1, 30])] == [["tag 1"], []]
    assert "# One SELECT that returns the columns id and text" in (tmp_path / "get-tags.toml").read_text()


def test_a_column_that_looks_like_a_version_is_offered(keys: Keys, database: Path, tmp_path: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE documents ADD COLUMN updated_at TEXT")
    connection.close()
    keys(SQLITE + str(database) + ENTER + ENTER * 15)
    assert run("init", "--home", tmp_path) == 0
    assert "updated_at AS version FROM documents" in load_settings(tmp_path).database.documents_query


def test_a_file_that_is_not_there_is_asked_for_again(
    keys: Keys, database: Path, tmp_path: Path, told: Callable[[], str]
) -> None:
    keys(SQLITE + "nowhere.db" + ENTER + "documents.db" + ENTER + CTRL_C)
    assert run("init", "--home", tmp_path) == 130
    assert f"There is no SQLite database {tmp_path / 'nowhere.db'}." in told()
    assert "has 3 tables" in told()
    assert not (tmp_path / "get-tags.toml").exists()


def test_ids_of_another_table_are_found_out(
    keys: Keys, database: Path, tmp_path: Path, told: Callable[[], str]
) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE document_tags SET document_id = document_id + 1000")
    connection.close()
    keys(SQLITE + str(database) + ENTER + ENTER * 11 + CTRL_C)
    assert run("init", "--home", tmp_path) == 130
    assert "No document has a tag: none of the 20 ids there belongs to a document." in told()


def test_some_ids_without_a_document_are_said(
    keys: Keys, database: Path, tmp_path: Path, told: Callable[[], str]
) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO document_tags SELECT 999, tag_id FROM document_tags LIMIT 1")
    connection.close()
    keys(SQLITE + str(database) + ENTER + ENTER * 11 + CTRL_C)
    assert run("init", "--home", tmp_path) == 130
    assert "1 id there belongs to no document; its tags are left out." in told()


def test_tags_in_a_column_of_the_documents(keys: Keys, database: Path, tmp_path: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE docs AS SELECT id, text AS content, 'a;b' AS labels FROM documents")
        for table in ("documents", "tags", "document_tags"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()
    keys(SQLITE + str(database) + ENTER + ENTER * 3 + ENTER + ENTER + "2" + ENTER + ENTER + ENTER + ENTER)
    assert run("init", "--home", tmp_path) == 0
    settings = load_settings(tmp_path).database
    assert settings.documents_query == "SELECT id, content AS text, labels AS tags FROM docs"
    assert settings.tags_query == ""


def test_queries_of_ones_own(keys: Keys, database: Path, tmp_path: Path) -> None:
    queries = [
        "SELECT id, text FROM documents WHERE id < 5",
        "SELECT document_id AS id, tag_id AS tag FROM document_tags",
    ]
    keys(
        SQLITE
        + str(database)
        + ENTER
        + "4"
        + ENTER
        + "DROP TABLE documents"
        + ENTER
        + "\x15"
        + queries[0]
        + ENTER
        + ENTER
    )
    keys("4" + ENTER + queries[1] + ENTER + ENTER + ENTER)
    assert run("init", "--home", tmp_path) == 0
    settings = load_settings(tmp_path).database
    assert [settings.documents_query, settings.tags_query] == queries


def test_going_back_changes_a_column(keys: Keys, database: Path, tmp_path: Path) -> None:
    keys(SQLITE + str(database) + ENTER + ENTER * 4 + BACK + "4" + ENTER + ENTER * 9)
    assert run("init", "--home", tmp_path) == 0
    assert load_settings(tmp_path).database.documents_query == "SELECT id, text FROM documents"


def test_what_else_the_settings_say_stays(keys: Keys, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "get-tags.toml"
    path.write_text(
        '# ours\n[training]\nepochs = 3 # few\n\n[database]\nurl = "sqlite:///old.db"\npage_size = 50\n'
        'password = "geheim"\n'
        "[keep]\ndata = 2\n"
    )
    before = path.read_text()
    keys(SQLITE + str(database) + ENTER + ENTER * 13)
    assert run("init", "--home", tmp_path) == 0
    text = path.read_text()
    assert text.startswith("# ours\n[training]\nepochs = 3 # few\n\n[database]\n")
    assert "geheim" not in text
    parsed = tomllib.loads(text)
    assert parsed["database"]["page_size"] == 50
    assert parsed["keep"] == {"data": 2}
    (backup,) = tmp_path.glob("get-tags.2*.toml")
    assert backup.read_text() == before


def test_a_no_at_the_end_writes_nothing(keys: Keys, database: Path, tmp_path: Path) -> None:
    keys(SQLITE + str(database) + ENTER + ENTER * 12 + "n" + ENTER)
    assert run("init", "--home", tmp_path) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["documents.db"]


def test_without_a_terminal_it_says_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "--home", tmp_path) == 2
    assert "docs/databases.md" in said(capsys)


def test_the_wizard_goes_on_with_the_database_that_was_set_up(
    keys: Keys, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys(ENTER + SQLITE + str(database) + ENTER + ENTER * 13 + ENTER * 5 + "n" + ENTER)
    assert run("train", "--home", tmp_path) == 130
    assert "--source database --epochs 5" in said(capsys)


def test_a_password_goes_into_the_keyring(own_keyring: Keyring) -> None:
    assert init._keep_password("postgresql+psycopg://u@server/db", "geheim") == "keyring"
    assert own_keyring.passwords == {("get-tags", "u@server"): "geheim"}


def test_without_a_keyring_this_process_alone_knows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GET_TAGS_DATABASE_PASSWORD", "")
    monkeypatch.setattr("get_tags_train.cli.init.keep_password", lambda *_: False)
    assert init._keep_password("postgresql+psycopg://u@server/db", "geheim") == "environment"
    assert os.environ["GET_TAGS_DATABASE_PASSWORD"] == "geheim"


def test_a_server_that_does_not_answer_is_asked_for_again(keys: Keys, tmp_path: Path, told: Callable[[], str]) -> None:
    keys("3" + ENTER + "127.0.0.1:1" + ENTER + "a b" + ENTER + CTRL_C)
    assert run("init", "--home", tmp_path) == 130
    assert "127.0.0.1 does not answer at port 1" in told()
    assert "a b is not the name of a server." in told()


def test_a_url_shows_and_keeps_no_password(keys: Keys, tmp_path: Path, told: Callable[[], str]) -> None:
    keys("6" + ENTER + "postgresql+psycopg://u@127.0.0.1:1/db?password=geheim" + ENTER + CTRL_C)
    assert run("init", "--home", tmp_path) == 130
    assert "The URL has a password among its options." in told()
