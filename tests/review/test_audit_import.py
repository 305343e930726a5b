"""A marked list: kept decisions, how right the audit was, and changes that the database's owner may run."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from corpora import data
from hypothesis import given
from hypothesis import strategies as st

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.home import decisions_path, reviews_dir
from get_tags_train.data.decisions import read_decisions
from get_tags_train.data.prepared import PreparedData
from get_tags_train.review.audit_import import Change, Imported, _sql, import_marks
from get_tags_train.review.audit_sheet import Told, row_check

HEADER = ["id", "tag", "suspicion", "is it an error?", "check"]


@pytest.fixture
def stored(tmp_path: Path) -> PreparedData:
    return data(tmp_path)


def text_hash(stored: PreparedData, document: int) -> str:
    hashes = [own for batch in stored.batches() for own in batch.column("text_hash").to_pylist()]
    return hashes[document].hex()


def marked(home: Path, rows: Sequence[Sequence[object]], stored: PreparedData | None) -> Imported:
    sheet = []
    for document, tag, suspicion, mark, probability, estimate, own_hash in rows:
        told = Told(str(own_hash), float(str(probability)), float(str(estimate)))
        sheet.append([document, tag, suspicion, mark, row_check(str(document), str(tag), str(suspicion), told)])
    write_csv(home / "list.csv", [HEADER, *sheet])
    return import_marks(home, home / "list.csv", stored, dialect="sqlite")


def test_decisions_are_kept_and_measured(tmp_path: Path, stored: PreparedData) -> None:
    own = text_hash(stored, 7)
    rows = [
        [7, "urbanism", "missing", "yes", 0.9, 2.2, own],
        [7, "vămi", "wrong", "no", 0.3, -0.8, own],
        [7, "păduri", "missing", "don't know", 0.3, -0.8, own],
        [7, "școli", "missing", "", 0.2, -1.4, own],
    ]
    found = marked(tmp_path, rows, stored)
    assert (found.decided, found.errors, found.unsure, found.unmarked) == (3, 1, 1, 1)
    assert found.foreseen.errors == pytest.approx(1.2)
    assert [(band.decided, band.errors) for band in found.bands] == [(1, 0), (1, 1)]
    assert [d.answer for d in read_decisions(tmp_path)] == ["error", "no error", "don't know"]


def test_the_same_list_twice_adds_nothing(tmp_path: Path, stored: PreparedData) -> None:
    rows = [[7, "urbanism", "missing", "yes", 0.9, 2.2, text_hash(stored, 7)]]
    marked(tmp_path, rows, stored)
    found = marked(tmp_path, rows, stored)
    assert (found.decided, found.known) == (0, 1)
    assert len(read_decisions(tmp_path)) == 1
    assert len(list(reviews_dir(tmp_path).glob("changes-*.sql"))) == 1
    assert all(path.is_file() for path in found.written)


def test_a_list_that_cannot_be_read_changes_nothing(tmp_path: Path, stored: PreparedData) -> None:
    own = text_hash(stored, 7)
    rows = [[7, "urbanism", "missing", "yes", 0.9, 2.2, own], [7, "vămi", "wrong", "perhaps", 0.9, 2.2, own]]
    with pytest.raises(InputError, match="line 3"):
        marked(tmp_path, rows, stored)
    assert not decisions_path(tmp_path).exists()


def test_changes_are_those_that_the_data_still_lack(tmp_path: Path, stored: PreparedData) -> None:
    own = text_hash(stored, 7)
    rows = [
        [7, "urbanism", "missing", "yes", 0.9, 2.2, own],
        [7, "vămi", "missing", "yes", 0.9, 2.2, own],  # it has it
        [7, "vămi", "wrong", "no", 0.9, 2.2, own],
        [12, "pescuit", "wrong", "yes", 0.9, 2.2, "00" * 16],  # its text has changed
    ]
    found = marked(tmp_path, rows, stored)
    assert found.changes == 1
    table, script = found.written
    assert table.read_text(encoding="utf-8-sig").splitlines()[1].startswith("7,urbanism,,add,")
    assert "INSERT INTO document_tags" in script.read_text(encoding="utf-8")


def test_the_script_changes_a_database_once(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db")
    database.executescript(
        "CREATE TABLE tags(id INTEGER, name TEXT); CREATE TABLE document_tags(document_id INTEGER, tag_id INTEGER);"
        "INSERT INTO tags VALUES (1, 'a'), (2, 'it''s'), (3, 'c');"
        "INSERT INTO document_tags VALUES (10, 1), (10, 3);"
    )
    changes = [
        Change(10, "a", ["1"], False, "2026"),
        Change(10, "it's", [], True, "2026"),
        Change(11, "c", ["3", "4"], True, "2026"),
    ]
    for _ in range(2):
        database.executescript("\n".join(_sql(changes, "sqlite")))
    assert sorted(database.execute("SELECT * FROM document_tags")) == [(10, 2), (10, 3), (11, 3)]


@given(document=st.text(), tag=st.text(), tag_id=st.text())
def test_no_text_ends_its_quotes(document: str, tag: str, tag_id: str) -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE tags(id TEXT, name TEXT); CREATE TABLE document_tags(document_id TEXT, tag_id TEXT);"
        "INSERT INTO document_tags VALUES ('kept', 'kept');"
    )
    changes = [Change(document, tag, ids, is_added, "") for ids in ([], [tag_id]) for is_added in (True, False)]
    script = "\n".join(_sql(changes, "mysql")).replace(" FROM dual", "").replace("START TRANSACTION", "BEGIN")
    database.executescript(script)
    assert ("kept", "kept") in database.execute("SELECT * FROM document_tags").fetchall()
    assert all(line.startswith(("--", "INSERT", "DELETE", "BEGIN;", "COMMIT;")) for line in script.splitlines())


def test_sql_server_gets_its_letters() -> None:
    [statement] = [line for line in _sql([Change("x", "școală", [], True, "")], "mssql") if line.startswith("INSERT")]
    assert "N'școală'" in statement
