"""Assembling: the home's tags_map.csv merges, renames and drops tags, and is part of what the data are made of."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from databases import fill, settings_for, silent

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Event, Notice
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import PreparedData

DOCUMENTS = [(1, None, "unu"), (2, None, "doi"), (3, None, "trei")]
PAIRS = [(1, "veche"), (1, "nouă"), (2, "Veche"), (2, "rămâne"), (3, "moartă")]


@pytest.fixture
def settings(tmp_path: Path, demo_tokenizer_folder: Path) -> Any:
    fill(f"sqlite:///{tmp_path / 'test.db'}", DOCUMENTS, PAIRS)
    return settings_for(tmp_path, training={"base_model": str(demo_tokenizer_folder)})


def tags_of(folder: str) -> dict[int, list[str]]:
    data = PreparedData(Path(folder))
    rows = [row for batch in data.batches() for row in batch.to_pylist()]
    return {row["id"]: [data.tags[number] for number in row["tags"]] for row in rows}


def test_tags_are_mapped_after_they_are_normalised(settings: Any) -> None:
    text = "tag,becomes\nveche,nouă\nVeche,veche\nmoartă,\n"
    (settings.home / "tags_map.csv").write_text(text, encoding="utf-8-sig")
    result = extract(settings, silent)
    assert tags_of(result.path) == {1: ["nouă"], 2: ["nouă", "rămâne"]}
    assert result.dropped["no_tags"] == 1
    source = PreparedData(Path(result.path)).manifest.source
    assert source["tags_map"] == [["Veche", "nouă"], ["moartă", ""], ["veche", "nouă"]]


def test_a_wrong_map_is_found_before_the_database_is_asked(settings: Any) -> None:
    (settings.home / "tags_map.csv").write_text("a,b\nb,a\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1: a -> b -> a"):
        extract(settings, silent)
    assert not (settings.home / "_cache" / "_data").exists()


def test_work_begun_with_another_map_is_not_continued(settings: Any) -> None:
    def stop(event: Event) -> None:
        if getattr(event, "stage", "") == "join":
            raise KeyboardInterrupt

    with pytest.raises(BaseException, match="interrupted"):
        extract(settings, stop)
    (settings.home / "tags_map.csv").write_text("veche,nouă\n", encoding="utf-8")
    heard: list[Event] = []
    assert not extract(settings, heard.append).resumed
    assert any("tags map" in event.message for event in heard if isinstance(event, Notice))


def test_tags_that_are_no_list_are_reported(settings: Any) -> None:
    rows = [(1, "a;b", "unu"), (2, "[", "doi")]
    fill(f"sqlite:///{settings.home / 'test.db'}", rows, [])
    queries = {"documents_query": "SELECT id, title AS tags, text FROM documents", "tags_query": ""}
    own = settings.model_copy(update={"database": settings.database.model_copy(update=queries)})
    heard: list[Event] = []
    result = extract(own, heard.append)
    assert tags_of(result.path) == {1: ["a", "b"]}
    listed = Path(result.path) / "unreadable.csv"
    assert listed.read_text(encoding="utf-8-sig").split() == ["id,problem", "2,tags_unreadable"]
    told = [event.message for event in heard if isinstance(event, Notice)]
    assert any("The tags of 1 document are not a list" in message and str(listed) in message for message in told)


def test_a_document_that_cannot_be_decoded_is_counted_and_listed(settings: Any) -> None:
    with sqlite3.connect(settings.home / "test.db") as connection:
        connection.execute("UPDATE documents SET text = CAST(x'c328' AS TEXT) WHERE id = 2")
    result = extract(settings, silent)
    assert (result.documents_read, result.documents_kept, result.missing_ids) == (3, 2, 0)
    assert (result.dropped["undecodable"], result.dropped["no_text"]) == (1, 0)
    listed = Path(result.path) / "unreadable.csv"
    assert listed.read_text(encoding="utf-8-sig").split() == ["id,problem", "2,undecodable"]


def test_a_tag_renamed_while_it_was_read_is_one_tag(settings: Any) -> None:
    rows = [(1, 7, "veche"), (2, 7, "nouă"), (3, 7, "nouă"), (3, 8, "alta"), (1, None, "fără")]
    with sqlite3.connect(settings.home / "test.db") as connection:
        connection.execute("CREATE TABLE pairs (id, tag_id, tag)")
        connection.executemany("INSERT INTO pairs VALUES (?, ?, ?)", rows)
    queries = {"tags_query": "SELECT id, tag_id, tag FROM pairs"}
    result = extract(settings.model_copy(update={"database": settings.database.model_copy(update=queries)}), silent)
    assert tags_of(result.path) == {1: ["fără", "nouă"], 2: ["nouă"], 3: ["alta", "nouă"]}
    data = PreparedData(Path(result.path))
    assert dict(zip(data.tags, data.tag_ids, strict=True)) == {"alta": ["8"], "fără": [], "nouă": ["7"]}


def test_boilerplate_with_conflicting_tags_is_left_out_and_listed(settings: Any) -> None:
    copies = [(n, None, "Același  text" if n % 2 else "Același text") for n in range(10, 14)]
    agreeing = [(n, None, "Tot așa") for n in range(20, 24)]
    pairs = [*PAIRS, *((n, f"t{n}") for n, *_ in copies), *((n, "una") for n, *_ in agreeing)]
    fill(f"sqlite:///{settings.home / 'test.db'}", [*DOCUMENTS, *copies, *agreeing], pairs)
    dropped = {}
    for least in (0, 4, 5):
        database = settings.database.model_copy(update={"boilerplate_copies": least})
        result = extract(settings.model_copy(update={"database": database}), silent)
        dropped[least] = result.dropped["boilerplate"], result.dropped["duplicate"]
        listed = Path(result.path) / "boilerplate.csv"
        assert listed.exists() == (least == 4)
        assert ("t10" in PreparedData(Path(result.path)).tags) == (least != 4)
        if listed.exists():
            rows = listed.read_text(encoding="utf-8-sig").splitlines()
            assert rows == ["id,text", *(f"{n},Același text" for n in range(10, 14))]
    assert dropped == {0: (0, 6), 4: (4, 3), 5: (0, 6)}
