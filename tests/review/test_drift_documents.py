"""Which documents are newer, and the sample of them: read once, whole or not at all, never found as training data."""

import json
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from databases import fill, settings_for, silent
from prepared import prepared, texts_of
from sqlalchemy import String, create_engine

from get_tags_train.core.home import data_names, reviews_dir
from get_tags_train.core.settings import Settings
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.source import DocumentSource
from get_tags_train.review import drift_documents
from get_tags_train.review.drift_documents import NewerDocuments, last_sample, newer_ids, read_newer, sample
from get_tags_train.text.tokenizer import load_tokenizer

DATED = "SELECT id, text, title AS date FROM documents"


def source_of(folder: Path, documents: list[tuple[int | str, str | None]], *, dated: bool) -> DocumentSource:
    """Documents with an id and a date (in the column title), which has a source of its own."""
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder / 'test.db'}"
    is_text = isinstance(documents[0][0], str)
    fill(url, [(own, day, "text") for own, day in documents], [], id_type=String(9) if is_text else None)
    defaults = settings_for(folder).database
    engine = create_engine(url)
    return DocumentSource(engine, DATED if dated else defaults.documents_query, defaults.tags_query)


def data_of(folder: Path, documents: dict[int | str, date | None]) -> PreparedData:
    folder.mkdir(parents=True)
    texts = texts_of(len(documents))
    rows = [(own, text, ["a"]) for own, text in zip(documents, texts, strict=True)]
    return prepared(folder, rows, dates={own: day for own, day in documents.items() if day})


def test_by_date_those_after_the_last_of_the_data(tmp_path: Path) -> None:
    data = data_of(tmp_path / "tags_v1", {1: date(2025, 5, 1), 2: date(2025, 5, 3)})
    found = [(1, "2025-06-01"), (2, "2025-05-03"), (3, "03.05.2025"), (4, "2025-05-04"), (5, None), (6, "4.6.2025")]
    ids, known_by, since = newer_ids(source_of(tmp_path, found, dated=True), data)
    # 1 is in the data, whatever its date is today; 5 has none.
    assert (ids.to_pylist(), known_by, since) == ([4, 6], "date", "2025-05-03")


def test_a_date_after_the_extraction_is_no_last_date(tmp_path: Path) -> None:
    data = data_of(tmp_path / "tags_v1", {1: date(2025, 5, 1), 2: date(2099, 1, 1), 3: date(2025, 5, 1)})
    ids, _, since = newer_ids(source_of(tmp_path, [(4, "2025-05-02")], dated=True), data)
    assert (ids.to_pylist(), since) == ([4], "2025-05-01")


def test_without_dates_integers_above_the_highest(tmp_path: Path) -> None:
    data = data_of(tmp_path / "tags_v1", {10: None, 30: None})
    ids, known_by, since = newer_ids(source_of(tmp_path, [(n, None) for n in (5, 10, 20, 31, 40)], dated=False), data)
    assert (ids.to_pylist(), known_by, since) == ([31, 40], "highest id", 30)


def test_dates_that_the_data_lack_are_not_gone_by(tmp_path: Path) -> None:
    data = data_of(tmp_path / "tags_v1", {1: None, 2: None, 3: date(2025, 5, 1)})
    ids, known_by, _ = newer_ids(source_of(tmp_path, [(4, "2020-01-01")], dated=True), data)
    assert (ids.to_pylist(), known_by) == ([4], "highest id")


def test_texts_as_ids_are_newer_where_the_data_lack_them(tmp_path: Path) -> None:
    data = data_of(tmp_path / "tags_v1", {"b": None, "d": None})
    ids, known_by, since = newer_ids(source_of(tmp_path, [(n, None) for n in "abcd"], dated=False), data)
    assert (ids.to_pylist(), known_by, since) == (["a", "c"], "id", None)


def test_ids_that_were_texts_are_compared_as_texts(tmp_path: Path) -> None:
    data = data_of(tmp_path / "tags_v1", {"1": None, "3": None})
    ids, known_by, _ = newer_ids(source_of(tmp_path, [(n, None) for n in (1, 2, 3)], dated=False), data)
    assert (ids.to_pylist(), known_by) == ([2], "id")


def test_a_sample_is_the_same_in_every_run_and_grows_with_the_documents() -> None:
    ids = pa.array(range(1000))
    drawn = sample(ids, 100).to_pylist()
    assert drawn == sorted(drawn) == sample(ids, 100).to_pylist()
    assert len(set(drawn)) == 100
    assert sample(ids, 2000).equals(ids)
    more = sample(pa.array(range(1100)), 100).to_pylist()
    assert len(set(more) & set(drawn)) > 80


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home whose database has 40 documents, the first 20 of which are in tags_v1."""
    home = tmp_path / "home"
    texts = texts_of(40)
    data_of(home / "_cache" / "_data" / "tags_v1", dict.fromkeys(range(1, 21)))
    tags = [(n, tag) for n in range(1, 38) for tag in ("a", f"t{n % 3}")]
    fill(f"sqlite:///{home / 'test.db'}", [(n, None, text) for n, text in enumerate(texts, 1)], tags)
    return settings_for(home, database={"page_size": 5})


def read(settings: Settings, tokenizer_folder: Path, count: int = 2000) -> NewerDocuments:
    data = PreparedData(settings.home / "_cache" / "_data" / "tags_v1")
    tokenizer = load_tokenizer(str(tokenizer_folder))
    return read_newer(settings, data, tokenizer, count=count, on_event=silent)


def test_the_sample_is_prepared_data_of_its_own(settings: Settings, demo_tokenizer_folder: Path) -> None:
    newer = read(settings, demo_tokenizer_folder)
    assert newer.data is not None
    newer.data.verify()
    assert (newer.selection.found, newer.selection.sampled) == (20, 20)
    assert newer.data.manifest.documents_kept == 17
    assert newer.data.manifest.dropped["no_tags"] == 3
    assert newer.data.tags == ["a", "t0", "t1", "t2"]


def test_no_training_finds_the_sample(settings: Settings, demo_tokenizer_folder: Path) -> None:
    newer = read(settings, demo_tokenizer_folder)
    assert newer.data is not None
    assert newer.data.folder.is_relative_to(reviews_dir(settings.home))
    assert data_names(settings.home) == ["tags_v1"]


def test_only_the_last_sample_stays(settings: Settings, demo_tokenizer_folder: Path) -> None:
    first = read(settings, demo_tokenizer_folder, count=10).data
    last = read(settings, demo_tokenizer_folder, count=12).data
    assert first is not None
    assert last is not None
    assert [path.name for path in last.folder.parent.iterdir()] == [last.folder.name]


def test_an_interrupted_reading_goes_on_with_the_same_documents(
    settings: Settings, demo_tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = 0
    page = DocumentSource.page

    def interrupted(self: DocumentSource, ids: list[int]) -> object:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise KeyboardInterrupt
        return page(self, ids)

    monkeypatch.setattr(DocumentSource, "page", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(settings, demo_tokenizer_folder)
    (partial,) = (reviews_dir(settings.home) / "newer").iterdir()
    assert partial.name.endswith(".partial")
    monkeypatch.setattr(drift_documents, "newer_ids", None)  # they are not listed again
    newer = read(settings, demo_tokenizer_folder)
    assert newer.data is not None
    assert newer.data.manifest.resumed
    assert newer.data.manifest.documents_kept == 17


def test_no_newer_documents_leave_nothing(settings: Settings, demo_tokenizer_folder: Path) -> None:
    engine = create_engine(f"sqlite:///{settings.home / 'test.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM documents WHERE id > 20")
    engine.dispose()
    newer = read(settings, demo_tokenizer_folder)
    assert newer.data is None
    assert newer.selection.found == 0
    assert list((reviews_dir(settings.home) / "newer").iterdir()) == []


def test_newer_documents_without_tags_are_counted_and_not_kept(settings: Settings, demo_tokenizer_folder: Path) -> None:
    engine = create_engine(f"sqlite:///{settings.home / 'test.db'}")
    with closing(engine.raw_connection()) as connection:
        connection.execute("DELETE FROM document_tags WHERE document_id > 20")
        connection.commit()
    engine.dispose()
    newer = read(settings, demo_tokenizer_folder)
    assert newer.data is None
    assert json.loads(json.dumps(drift_documents.as_json(newer)))["sampled"] == 20


def test_the_last_sample_is_found_again(tmp_path: Path) -> None:
    assert last_sample(tmp_path) is None
    newer = reviews_dir(tmp_path) / "newer"
    for name in ("tags_v1-newer-20261101-020000", "tags_v1-newer-20261201-020000", "tags_v1-newer-20270101.partial"):
        prepared(newer / name, [(1, "text", ["a"])])
    found = last_sample(tmp_path)
    assert found is not None
    assert found.folder.name == "tags_v1-newer-20261201-020000"
