"""A second extraction reads no text whose version is unchanged, and its data are those of a full one."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from databases import settings_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event as StageEvent
from get_tags_train.core.events import Notice
from get_tags_train.core.home import data_dir
from get_tags_train.core.settings import Settings, Source
from get_tags_train.data import read, unchanged
from get_tags_train.data.extract import DataResult, extract
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.source import DocumentSource

DOCUMENTS = {
    1: ("Legea nr. 5 din 1990", ["legi"]),
    2: ("<p>Legea&nbsp;nr. 5\ndin 1990</p>", ["legi", "achiziții"]),
    3: ("Fără etichetă", []),
    4: ("", ["legi"]),
    5: ("Contractul de muncă", ["muncă"]),
    6: ("Alt text", ["legi", "muncă"]),
}
COLUMNS = "id, title, text, version, dated AS date"


class Site:
    """A home with a database that counts a document's version up whenever its title or text changes."""

    def __init__(self, folder: Path, base_model: Path) -> None:
        self.folder, self.base_model = folder, base_model
        self.asked: list[int] = []
        self.versions = count(2)
        self.events: list[StageEvent] = []
        self.run_sql(
            "CREATE TABLE documents (id INTEGER, title TEXT, text TEXT, version BLOB, dated TEXT)",
            "CREATE TABLE tags (document_id INTEGER, name TEXT)",
        )

    def run_sql(self, *statements: str, values: Any = ()) -> None:
        with closing(sqlite3.connect(self.folder / "test.db")) as database, database:
            for statement in statements:
                database.execute(statement, values)

    def put(self, document_id: Any, text: str, tags: list[str], *, version: Any = 1) -> None:
        self.remove(document_id)
        self.run_sql("INSERT INTO documents VALUES (?, NULL, ?, ?, '2026-01-02')", values=(document_id, text, version))
        self.tag(document_id, tags)

    def tag(self, document_id: Any, tags: list[str]) -> None:
        self.run_sql("DELETE FROM tags WHERE document_id = ?", values=(document_id,))
        for tag in tags:
            self.run_sql("INSERT INTO tags VALUES (?, ?)", values=(document_id, tag))

    def remove(self, document_id: Any) -> None:
        self.run_sql("DELETE FROM documents WHERE id = ?", values=(document_id,))
        self.tag(document_id, [])

    def settings(self, columns: str = COLUMNS, source: Source | None = None, **database: Any) -> Settings:
        queries = {
            "documents_query": f"SELECT {columns} FROM documents",
            "tags_query": "SELECT document_id AS id, name AS tag FROM tags",
        }
        training = {"base_model": str(self.base_model)}
        own = source or Source()
        return settings_for(self.folder, database={**queries, **database}, training=training, source=own)

    def extract(self, columns: str = COLUMNS, **options: Any) -> DataResult:
        """Extract, and note which ids are asked for their texts."""
        self.asked.clear()
        self.events.clear()
        return extract(self.settings(columns, **options), self.events.append)

    def extract_again(self, columns: str = COLUMNS, **options: Any) -> DataResult:
        """Extract twice, all texts the second time; the data are the same."""
        second = self.extract(columns, **options)
        asked, events = list(self.asked), list(self.events)
        full = self.extract(columns, source=Source(reads_all=True))
        assert (full.checksum, reused(full)) == (second.checksum, 0)
        assert rows(full) == rows(second)
        assert statistics(full) == statistics(second)
        shutil.rmtree(full.path)
        self.asked, self.events = asked, events
        return second

    def said(self) -> str:
        return "\n".join(event.message for event in self.events if isinstance(event, Notice))


@pytest.fixture
def site(tmp_path: Path, demo_tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path, demo_tokenizer_folder)
    page = DocumentSource.page

    def noted(self: DocumentSource, ids: Any) -> Any:
        made.asked += ids
        return page(self, ids)

    monkeypatch.setattr(DocumentSource, "page", noted)
    monkeypatch.setattr(unchanged, "SAMPLE", 0)
    for document_id, (text, tags) in DOCUMENTS.items():
        made.put(document_id, text, tags)
    yield made


def reused(result: DataResult) -> int:
    return PreparedData(Path(result.path)).manifest.taken_from_earlier


def rows(result: DataResult) -> list[dict[str, Any]]:
    return [row for batch in PreparedData(Path(result.path)).batches() for row in batch.to_pylist()]


def statistics(result: DataResult) -> tuple[Any, ...]:
    data = PreparedData(Path(result.path))
    manifest = data.manifest
    return data.tags, data.tag_counts, manifest.dropped, manifest.removed, manifest.conflicting_duplicates


def test_nothing_is_read_again_where_nothing_changed(site: Site) -> None:
    first = site.extract()
    assert sorted(site.asked) == [1, 2, 3, 4, 5, 6]
    second = site.extract_again()
    assert (site.asked, reused(second), second.checksum) == ([], 6, first.checksum)
    assert "6 of 6 documents have the version that they have in tags_v1" in site.said()


def test_only_what_changed_is_read(site: Site) -> None:
    site.extract()
    site.put(5, "Contractul de vânzare", ["vânzări"], version=2)
    site.put(7, "Un text nou", ["legi"])
    site.remove(6)
    second = site.extract_again()
    assert (site.asked, reused(second)) == ([5, 7], 4)
    assert [row["id"] for row in rows(second)] == [1, 5, 7]


def test_tags_are_always_those_of_now(site: Site) -> None:
    site.extract()
    site.tag(3, ["legi"])
    site.tag(1, ["altele"])
    site.tag(6, [])
    site.run_sql("UPDATE documents SET dated = '2026-03-04' WHERE id = 5")
    second = site.extract_again()
    assert site.asked == []
    assert [row["id"] for row in rows(second)] == [1, 3, 5]
    assert {row["id"]: row["date"] for row in rows(second)}[5] == date(2026, 3, 4)


@pytest.mark.parametrize(
    ("version", "later"),
    [
        (b"\x00\x07", b"\x00\x08"),
        (7, 6),
        ("2026-11-26 10:00:00.000001", "2026-11-26 10:00:00.000002"),
        (1.5, 1.25),
        ("", "0"),
    ],
)
def test_whatever_compares_is_a_version(site: Site, version: Any, later: Any) -> None:
    site.put(5, "Contractul de muncă", ["muncă"], version=version)
    site.extract()
    site.extract()
    assert site.asked == []
    site.put(5, "Contractul de vânzare", ["muncă"], version=later)
    site.extract_again()
    assert site.asked == [5]


def test_a_document_without_a_version_is_read_each_time(site: Site) -> None:
    site.put(5, "Contractul de muncă", ["muncă"], version=None)
    site.extract()
    site.put(5, "Contractul de vânzare", ["muncă"], version=None)
    site.extract_again()
    assert site.asked == [5]


def test_an_id_of_several_rows_is_read_each_time(site: Site) -> None:
    site.run_sql("INSERT INTO documents VALUES (5, NULL, 'Contractul de vânzare', 1, NULL)")
    site.extract()
    site.extract()
    assert site.asked == [5]
    site.run_sql("DELETE FROM documents WHERE text = 'Contractul de muncă'")
    assert {row["id"]: row["text"] for row in rows(site.extract_again())}[5] == "Contractul de vânzare"


def test_what_is_left_out_is_kept_for_the_next_time_only(site: Site) -> None:
    site.extract()
    assert [row["id"] for row in rows(site.extract())] == [1, 5, 6]
    site.tag(3, ["legi"])
    third = site.extract_again()
    assert (site.asked, reused(third)) == ([], 6)
    assert {row["id"]: row["text"] for row in rows(third)}[3] == "Fără etichetă"


def test_the_ids_of_a_file(site: Site) -> None:
    site.extract()
    (site.folder / "ids.csv").write_text("id\n6\n404\n5\n1\n", encoding="utf-8")
    site.put(5, "Contractul de vânzare", ["vânzări"], version=2)
    ids = Source("ids", site.folder / "ids.csv")
    result = site.extract(source=ids)
    assert ([row["id"] for row in rows(result)], result.missing_ids) == ([6, 5, 1], 1)
    assert (sorted(site.asked), reused(result)) == ([5, 404], 2)
    again = site.extract(source=ids)
    assert (site.asked, again.checksum) == ([404], result.checksum)
    site.extract()
    assert site.asked == [5]  # compared with the data of the database, not with those of the few ids


def test_tags_in_a_column_of_the_documents(site: Site) -> None:
    columns = "id, text, version, dated AS tags"
    for document_id, cell in enumerate(["a;b", '["a"]', "[1, 2", "", None, "b"], 1):
        site.run_sql("UPDATE documents SET dated = ? WHERE id = ?", values=(cell, document_id))
    site.extract(columns, tags_query="")
    site.run_sql("UPDATE documents SET dated = 'c' WHERE id = 1")
    second = site.extract(columns, tags_query="")
    assert site.asked == [3]  # its tags cannot be read
    full = site.extract(columns, tags_query="", source=Source(reads_all=True))
    assert (rows(full), statistics(full)) == (rows(second), statistics(second))
    assert PreparedData(Path(full.path)).manifest.unreadable_tags == 1


def test_tags_of_an_id_that_is_spelt_otherwise(site: Site) -> None:
    site.run_sql(
        "DROP TABLE documents",
        "DROP TABLE tags",
        "CREATE TABLE documents (id TEXT COLLATE NOCASE, title TEXT, text TEXT, version INTEGER, dated TEXT)",
        "CREATE TABLE tags (document_id TEXT COLLATE NOCASE, name TEXT)",
    )
    for document_id in ("a", "b", "c"):
        site.put(document_id, f"Textul {document_id}", ["t"])
    site.run_sql("UPDATE tags SET document_id = 'B' WHERE document_id = 'b'")
    site.extract()
    assert len(rows(site.extract_again())) == 3
    assert site.asked == ["b"]


def test_tags_of_what_is_no_document(site: Site) -> None:
    site.run_sql("INSERT INTO tags VALUES ('x1', 'altceva')", "INSERT INTO tags VALUES (NULL, 'altceva')")
    site.run_sql("INSERT INTO tags VALUES ('5', 'text')")
    site.extract()
    site.extract_again()
    assert site.asked == []


def test_a_tag_that_cannot_be_decoded(site: Site) -> None:
    site.extract()
    site.run_sql("INSERT INTO tags VALUES (5, CAST(x'e3' AS TEXT))")
    second = site.extract_again()
    assert sorted(set(site.asked)) == [1, 2, 3, 4, 5, 6]
    assert second.dropped["undecodable"] == 1
    assert "A tag cannot be decoded" in site.said()


def test_many_documents_whose_tags_only_a_query_by_id_can_tell(site: Site) -> None:
    """They are read page by page after all, and put among those that changed."""
    for document_id in range(10, 40):
        site.put(document_id, f"Textul {document_id}", [f"t{document_id % 3}"])
    site.extract()
    for document_id in range(10, 40, 7):
        site.put(document_id, f"Alt text {document_id}", ["t1"], version=2)
    site.run_sql("INSERT INTO tags VALUES (39, CAST(x'e3' AS TEXT))")
    second = site.extract_again(page_size=4)
    assert sorted(set(site.asked)) == [*range(1, 7), *range(10, 40)]
    assert (reused(second), second.dropped["undecodable"]) == (0, 1)


def test_what_changed_is_read_while_tags_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.extract()
    site.put(5, "Contractul de vânzare", ["vânzări"], version=2)
    page, read_tags, is_read = DocumentSource.page, DocumentSource.read_tags, Event()

    def noted(self: DocumentSource, ids: Any) -> Any:
        found = page(self, ids)
        is_read.set()
        return found

    def waiting(self: DocumentSource, *args: Any) -> Any:
        assert is_read.wait(60), "the texts wait for the tags"
        return read_tags(self, *args)

    monkeypatch.setattr(DocumentSource, "page", noted)
    monkeypatch.setattr(DocumentSource, "read_tags", waiting)
    assert reused(site.extract()) == 5


# --- what nothing is reused from ---


def test_without_a_version_all_texts_are_read(site: Site) -> None:
    columns = "id, title, text"
    first = site.extract(columns)
    assert not list(Path(first.path).glob("*.arrows"))
    assert reused(site.extract(columns)) == 0


@pytest.mark.parametrize("name", ["documents-00000.arrow", "versions.arrows", "left_out.arrows"])
def test_nothing_is_reused_from_damaged_data(site: Site, name: str) -> None:
    first = site.extract()
    path = Path(first.path) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    second = site.extract()
    assert (reused(second), second.checksum) == (0, first.checksum)
    assert "Nothing is reused from tags_v1: " in site.said()


def test_nothing_is_reused_under_another_query(site: Site) -> None:
    site.extract()
    assert reused(site.extract(COLUMNS + ", 1 AS extra")) == 0


def test_nothing_is_reused_from_data_of_another_tokenizer(site: Site) -> None:
    site.extract()
    site.base_model = Path(shutil.copytree(site.base_model, site.folder / "other"))
    path = site.base_model / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"##a"', '"##a1"'), encoding="utf-8")
    assert reused(site.extract()) == 0


# --- versions that lie ---


def test_a_text_that_changed_under_its_version_stops_the_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "SAMPLE", 200)
    site.extract()
    site.run_sql("UPDATE documents SET text = 'altul' WHERE id IN (2, 5)")
    with pytest.raises(
        GetTagsError, match="Of 6 documents with an unchanged version, 2 have another text: 2, 5"
    ) as caught:
        site.extract()
    assert "--full" in str(caught.value.hint)
    assert [path.name for path in data_dir(site.folder).iterdir()] == ["tags_v1"]


def test_reading_all_says_which_versions_lied(site: Site) -> None:
    site.extract()
    site.run_sql("UPDATE documents SET text = 'altul' WHERE id IN (2, 5)")
    full = site.extract(source=Source(reads_all=True))
    assert reused(full) == 0
    assert {row["id"]: row["text"] for row in rows(full)}[2] == "altul"
    assert "2 documents have another text than before under the same version: 2, 5." in site.said()
    site.extract_again()
    assert "under the same version" not in site.said()


# --- equal to a full extraction, whatever changes, and however often it is stopped ---

TEXTS = st.sampled_from(["", "unu", "doi", "  doi", "<b>trei</b>", "patru patru", "cinci"])
TAGS = st.lists(st.sampled_from(["a", "b", "B ", "ş", "ș"]), max_size=3, unique=True)
IDS = st.integers(1, 8)
CHANGES = st.one_of(
    st.tuples(st.just("put"), IDS, TEXTS, TAGS),
    st.tuples(st.just("tag"), IDS, TAGS),
    st.tuples(st.just("remove"), IDS),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(CHANGES, max_size=6), min_size=1, max_size=3))
def test_whatever_changes_the_data_are_those_of_a_full_extraction(site: Site, rounds: list[list[Any]]) -> None:
    site.extract()
    for changes in rounds:
        for what, *values in changes:
            getattr(site, what)(*values, **({"version": next(site.versions)} if what == "put" else {}))
        site.put(100, "mereu aici", ["a"])
        site.extract_again()
        assert len(set(site.asked)) <= sum(change[0] == "put" for change in changes) + 1


class Stop(Exception):
    """Stands in for whatever ends a run."""


@pytest.mark.parametrize("at", range(1, 14))
def test_a_run_stopped_anywhere_is_continued(site: Site, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr(read, "SHARD_DOCUMENTS", 2)
    site.extract()
    site.put(2, "Legea nr. 6", ["legi"], version=2)
    site.put(6, "Alt text nou", ["muncă"], version=2)
    seen: list[Event] = []

    def stop(event: Event) -> None:
        seen.append(event)
        if len(seen) == at:
            raise Stop

    try:
        extract(site.settings(), stop)
    except Stop:
        shutil.rmtree(data_dir(site.folder) / "tags_v1") if at % 2 else None
        second = site.extract()
        assert second.name == "tags_v2"
    full = site.extract(source=Source(reads_all=True))
    assert rows(full) == rows(second if seen[at - 1 : at] else full)
