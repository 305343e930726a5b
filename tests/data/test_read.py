"""Extraction: what is dropped, joined and counted, and that a kill costs nothing but time."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from databases import Documents, Tags, fill, settings_for, silent

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.home import data_dir
from get_tags_train.core.settings import Settings, Source
from get_tags_train.data import read
from get_tags_train.data.extract import DataResult, extract
from get_tags_train.data.prepared import PreparedData

DOCUMENTS: Documents = [
    (9, "Titlu", "Contractul  de muncă\n\nşi ţinta"),
    (1, None, "Legea nr. 5 din 1990"),
    (2, None, "<p>Legea&nbsp;nr. 5\ndin 1990</p>"),
    (3, None, "Fără etichetă"),
    (4, None, None),
    (5, "  ", "<p>&nbsp;</p>"),
    (6, None, "Numai etichete goale"),
    (7, None, "Alt text, cu aceleași etichete"),
    (8, None, "Alt text,  cu aceleaşi etichete"),
]
TAGS: Tags = [
    (9, "muncă"), (9, "achiziţii"), (9, "achiziții"),
    (1, "legi"), (2, "legi"), (2, "achiziții "),
    (4, "legi"), (5, "legi"), (6, "  "), (6, None),
    (7, "legi"), (7, "muncă"), (8, "muncă"), (8, "legi"),
]  # fmt: skip


class Home:
    """A home with a SQLite database and the example's tokenizer."""

    def __init__(self, folder: Path, base_model: Path) -> None:
        self.folder, self.base_model = folder, base_model
        self.events: list[Event] = []

    def settings(self, **options: Any) -> Settings:
        training = {"base_model": str(self.base_model)}
        return settings_for(self.folder, **{"training": training, **options})

    def extract(self, documents: Documents = DOCUMENTS, tags: Tags = TAGS, **options: Any) -> DataResult:
        fill(f"sqlite:///{self.folder / 'test.db'}", documents, tags)
        return extract(self.settings(**options), self.events.append)

    def extract_ids(self, ids: list[object], **options: Any) -> DataResult:
        path = self.folder / "ids.csv"
        path.write_text("".join(f"{i}\n" for i in ids), encoding="utf-8")
        return self.extract(source=Source("ids", path), **options)

    def notices(self) -> str:
        return "\n".join(event.message for event in self.events if isinstance(event, Notice))


@pytest.fixture
def home(tmp_path: Path, demo_tokenizer_folder: Path) -> Home:
    return Home(tmp_path, demo_tokenizer_folder)


def rows(result: DataResult) -> list[dict[str, Any]]:
    return [row for batch in PreparedData(Path(result.path)).batches() for row in batch.to_pylist()]


def ids_of(result: DataResult) -> list[int]:
    return [row["id"] for row in rows(result)]


def tags_of(result: DataResult) -> dict[int, list[str]]:
    names = PreparedData(Path(result.path)).tags
    return {row["id"]: [names[tag] for tag in row["tags"]] for row in rows(result)}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what becomes of documents ---


def test_what_is_dropped_is_counted(home: Home) -> None:
    result = home.extract()
    assert (result.documents_read, result.documents_kept) == (9, 3)
    assert {reason: count for reason, count in result.dropped.items() if count} == {
        "no_text": 2,
        "no_tags": 2,
        "duplicate": 2,
    }
    assert ids_of(result) == [1, 7, 9]
    assert (result.name, result.source, result.missing_ids, result.resumed) == ("tags_v1", "database", 0, False)


def test_equal_texts_are_one_document_with_the_tags_of_all(home: Home) -> None:
    result = home.extract()
    assert tags_of(result) == {1: ["achiziții", "legi"], 7: ["legi", "muncă"], 9: ["achiziții", "muncă"]}
    assert PreparedData(Path(result.path)).manifest.conflicting_duplicates == 1
    assert "1 text appears in several documents with different tags" in home.notices()


def test_a_tag_of_several_spellings_is_one_and_is_reported(home: Home) -> None:
    data = PreparedData(Path(home.extract().path))
    assert data.tags == ["achiziții", "legi", "muncă"]
    assert data.tag_counts == [2, 2, 2]
    assert {tag: sorted(spelt) for tag, spelt in data.manifest.respelt_tags.items()} == {
        "achiziții": sorted(["achiziţii", "achiziții", "achiziții "])
    }
    assert "1 tag was spelt in several ways" in home.notices()


def test_text_is_stored_clean_with_its_title(home: Home) -> None:
    texts = {row["id"]: row["text"] for row in rows(home.extract())}
    assert texts[9] == "Titlu\nContractul de muncă\nși ținta"
    assert texts[1] == "Legea nr. 5 din 1990"


def test_only_the_data_are_left(home: Home) -> None:
    result = home.extract()
    assert names_in(data_dir(home.folder)) == ["tags_v1"]
    assert names_in(Path(result.path)) == [
        "dataset_info.json",
        "documents-00000.arrow",
        "manifest.json",
        "state.json",
        "tags.json",
    ]


def test_documents_that_nothing_is_left_of(home: Home) -> None:
    with pytest.raises(InputError, match="None of the 2 documents can be used: 1 without text, 1 without tags"):
        home.extract(DOCUMENTS[3:5])
    assert names_in(data_dir(home.folder)) == []


def test_null_and_repeated_ids_are_told(home: Home) -> None:
    result = home.extract([*DOCUMENTS, (None, None, "x"), (1, None, "again")])
    manifest = PreparedData(Path(result.path)).manifest
    assert (manifest.null_ids, manifest.repeated_ids) == (1, 1)
    assert "Ignored ids: 1 repeated, 1 NULL." in home.notices()


# --- equal data, equal checksum ---


def test_the_checksum_depends_on_nothing_but_the_documents(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    checksums = {home.extract().checksum}
    for page_size, shard_documents in [(1, 5000), (2, 3), (500, 1), (3, 4)]:
        monkeypatch.setattr(read, "SHARD_DOCUMENTS", shard_documents)
        result = home.extract(database={"page_size": page_size})
        checksums.add(result.checksum)
        assert ids_of(result) == [1, 7, 9]
        assert PreparedData(Path(result.path)).manifest.conflicting_duplicates == 1
    monkeypatch.setattr(read, "SHARD_SECONDS", 0.0)
    checksums.add(
        home.extract(list(reversed(DOCUMENTS)), list(reversed(list(TAGS))), database={"page_size": 2}).checksum
    )
    assert len(checksums) == 1
    assert names_in(data_dir(home.folder)) == [f"tags_v{n}" for n in range(1, 7)]


def test_whatever_changes_a_document_changes_the_checksum(home: Home) -> None:
    checksums = {
        home.extract().checksum,
        home.extract([*DOCUMENTS[1:], (10, *DOCUMENTS[0][1:])], [*TAGS, (10, "muncă"), (10, "achiziții")]).checksum,
        home.extract([*DOCUMENTS[1:], (9, "Alt titlu", DOCUMENTS[0][2])]).checksum,
        home.extract(tags=[*TAGS, (9, "legi")]).checksum,
        home.extract_ids([9, 7, 1, 2, 8]).checksum,
    }
    assert len(checksums) == 5


# --- ids of a file ---


def test_the_order_is_that_of_the_file(home: Home) -> None:
    result = home.extract_ids([9, 8, 2, 7])
    assert ids_of(result) == [9, 8, 2]
    assert (result.source, result.documents_read, result.missing_ids) == ("ids", 4, 0)
    assert tags_of(result)[2] == ["achiziții", "legi"]


def test_ids_that_are_not_in_the_database_are_listed(home: Home) -> None:
    result = home.extract_ids(["id", 9, 404, 1, "abc", 405, 9], database={"page_size": 2})
    assert ids_of(result) == [9, 1]
    assert result.missing_ids == 3
    listed = Path(result.path) / "missing_ids.csv"
    with listed.open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream)) == [["id"], ["404"], ["405"], ["abc"]]
    assert f"3 ids are not in the database; they are listed in {listed}" in home.notices()
    PreparedData(Path(result.path)).verify()


@pytest.mark.parametrize("ids", [[404, 405, 406, 407], ["abc", "xyz"]])
def test_none_of_the_ids_exist(home: Home, ids: list[object]) -> None:
    with pytest.raises(InputError, match=f"None of the {len(ids)} ids is in the database: {ids[0]}"):
        home.extract_ids(ids)
    assert names_in(data_dir(home.folder)) == []


def test_of_many_ids_that_do_not_exist_the_first_are_named(home: Home) -> None:
    with pytest.raises(InputError, match=r"database: 404, 405, 406 and 9 more\.$"):
        home.extract_ids(range(404, 416))


# --- interrupted and continued ---


class Stop(Exception):
    """Stands in for whatever ends a run."""


def stop_after(events: int) -> Any:
    """A listener that ends the run at its n-th event."""
    left = [events]

    def on_event(_: Event) -> None:
        left[0] -= 1
        if not left[0]:
            raise Stop

    return on_event


def test_a_run_stopped_anywhere_is_continued(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "SHARD_DOCUMENTS", 2)
    whole = home.extract(database={"page_size": 1})
    events = len(home.events)
    for at in range(2, events - 2):
        settings = home.settings(database={"page_size": 1})
        try:
            extract(settings, stop_after(at))
        except Stop:
            pass
        else:
            break
        partial = [name for name in names_in(data_dir(home.folder)) if name.endswith(".partial")]
        result = extract(home.settings(database={"page_size": 3}), silent)
        assert result.checksum == whole.checksum
        assert result.resumed == bool(partial)
        assert not [name for name in names_in(data_dir(home.folder)) if not re.fullmatch(r"tags_v\d+", name)]
        assert names_in(Path(result.path))[-3:] == ["manifest.json", "state.json", "tags.json"]


def test_another_plan_is_not_continued(home: Home) -> None:
    fill(f"sqlite:///{home.folder / 'test.db'}", DOCUMENTS, TAGS)
    with pytest.raises(Stop):
        extract(home.settings(), stop_after(3))
    changed = home.settings(database={"documents_query": "SELECT id, text FROM documents"})
    result = extract(changed, home.events.append)
    assert (result.name, result.resumed) == ("tags_v2", False)
    assert "tags_v1.partial is not resumed: documents query changed" in home.notices()
    assert names_in(data_dir(home.folder)) == ["tags_v1.partial", "tags_v2"]
    assert extract(home.settings(), silent).name == "tags_v1"


def test_a_failing_database_leaves_the_work_to_continue(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "SHARD_DOCUMENTS", 2)
    whole = home.extract()
    original, calls = read.DocumentSource.page, []

    def failing(self: Any, ids: Any) -> Any:
        calls.append(ids)
        if len(calls) == 3:
            raise GetTagsError("The database answered: gone")
        return original(self, ids)

    with monkeypatch.context() as patch:
        patch.setattr(read.DocumentSource, "page", failing)
        with pytest.raises(GetTagsError, match="gone"):
            extract(home.settings(), silent)
    result = extract(home.settings(), silent)
    assert (result.name, result.resumed, result.checksum) == ("tags_v2", True, whole.checksum)


def test_an_older_tools_files_are_left_alone(home: Home) -> None:
    data_dir(home.folder).mkdir(parents=True)
    (data_dir(home.folder) / "tags_v7_old.pkl").write_bytes(b"old")
    assert home.extract().name == "tags_v8"
    assert names_in(data_dir(home.folder)) == ["tags_v7_old.pkl", "tags_v8"]


# The command itself, its shards small and its database slow enough to be killed in the middle.
SLOW_COMMAND = """
import sys, time
from get_tags_train.cli import main
from get_tags_train.data import read
read.SHARD_DOCUMENTS = 40
page = read.DocumentSource.page
def slow(self, ids):
    time.sleep(0.01)
    return page(self, ids)
read.DocumentSource.page = slow
main.app(["extract", "--yes", "--json", "--home", sys.argv[1]])
"""


def start(*command: str) -> "subprocess.Popen[bytes]":
    source = Path(read.__file__).parents[2]
    variables = {**os.environ, "PYTHONPATH": str(source), "GET_TAGS_DATABASE_PAGE_SIZE": "20"}
    return subprocess.Popen(
        [sys.executable, "-P", *command], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def answer(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode(errors="replace")
    result: dict[str, Any] = json.loads(out)["data"]
    return result


@pytest.fixture
def small_demo(demo_home: Path, tmp_path: Path) -> Path:
    """A home of its own on the example's files."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("demo.db", "demo_bert", "get-tags.toml", "test_samples_tags.csv"):
        (home / name).symlink_to(demo_home / name)
    return home


@pytest.fixture(scope="module")
def demo_checksum(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = settings_for(
        tmp_path_factory.mktemp("undisturbed"),
        url=f"sqlite:///{demo_home / 'demo.db'}",
        training={"base_model": str(demo_home / "demo_bert")},
    )
    return extract(settings, silent).checksum


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL and symbolic links")
def test_a_killed_command_is_continued(small_demo: Path, demo_checksum: str) -> None:
    rng = random.Random()
    kept: list[int] = []
    for _ in range(2):
        process = start("-c", SLOW_COMMAND, str(small_demo))
        partial = data_dir(small_demo) / "tags_v1.partial"
        had = len(list(partial.glob("piece-*.arrow")))
        assert had >= max(kept, default=0), "what was read once stays"
        kept.append(had)
        deadline = time.monotonic() + 60
        while not (partial / "ids.arrow").exists() or len(list(partial.glob("piece-*.arrow"))) == had:
            assert time.monotonic() < deadline, "the command did not begin"
            assert process.poll() is None, process.communicate()[1].decode(errors="replace")
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    result = answer(start("-m", "get_tags_train", "extract", "--yes", "--json", "--home", str(small_demo)))
    assert result["resumed"] is True
    assert result["name"] == "tags_v1"
    assert result["checksum"] == demo_checksum
    assert names_in(data_dir(small_demo)) == ["tags_v1"]
    assert not [
        name
        for name in names_in(Path(result["path"]))
        if not re.match(r"documents-|manifest|dataset_info|state|tags\.json", name)
    ]
    PreparedData(Path(result["path"])).verify()
    assert sorted(name for name in names_in(small_demo)) == sorted(
        ["demo.db", "demo_bert", "get-tags.toml", "test_samples_tags.csv", "_cache", "_logs"]
    )


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_second_extraction_of_the_same_is_refused_while_the_first_runs(small_demo: Path, demo_checksum: str) -> None:
    both = [start("-c", SLOW_COMMAND, str(small_demo)) for _ in range(2)]
    ends = [(*process.communicate(timeout=120), process.returncode) for process in both]
    (out, _, _), (_, err, _) = sorted(ends, key=itemgetter(2))
    assert sorted(code for *_, code in ends) == [0, 1]
    assert json.loads(out)["data"]["checksum"] == demo_checksum
    assert b"under way" in b" ".join(err.split())
    assert names_in(data_dir(small_demo)) == ["tags_v1"]
