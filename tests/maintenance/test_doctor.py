"""The doctor: finds what would stop a long run, says it in words, and goes on to the next check."""

import os
import re
from collections import namedtuple
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from databases import fill, settings_for, silent

from get_tags_train.core import trackers
from get_tags_train.core.claims import claim
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.settings import Settings
from get_tags_train.data.source import Lookup
from get_tags_train.deployment.deploy import deploy
from get_tags_train.maintenance import database_check, doctor
from get_tags_train.maintenance.check import Check
from get_tags_train.maintenance.doctor import run_checks

NAMES = [
    *("home", "other runs", "disk", "old files", "database", "base model", "device", "tracker", "test samples"),
    "live model",
]


@pytest.fixture
def settings(tmp_path: Path, demo_home: Path) -> Settings:
    """All in order, but for a processor that is slow."""
    return settings_for(
        tmp_path,
        url=f"sqlite:///{demo_home / 'demo.db'}",
        training={"base_model": str(demo_home / "demo_bert")},
        evaluation={"samples": str(demo_home / "test_samples_tags.csv")},
    )


def checks(settings: Settings) -> dict[str, Check]:
    found = list(run_checks(settings))
    assert [check.name for check in found] == NAMES
    assert all(check.hint for check in found if check.status != "ok")
    return {check.name: check for check in found}


def changed(settings: Settings, section: str, **values: Any) -> Settings:
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})


def test_all_in_order(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", disk(500))
    found = checks(settings)
    assert {name: check.status for name, check in found.items()} == {**dict.fromkeys(NAMES, "ok"), "device": "warning"}
    assert re.search(
        r"answers: 2,400 documents, read in about \d+ s\.\n2,385 of these documents have tags, 15 have none\.\n"
        r"For example:\n\d+: ",
        found["database"].message,
    )
    assert found["test samples"].message.startswith("300 examples in ")
    assert "fp32" in found["device"].message
    assert found["disk"].message == "500 GB free"
    assert not list(settings.home.iterdir())


def disk(free_gb: int) -> Any:
    usage = namedtuple("usage", "total used free")
    return lambda _: usage(0, 0, free_gb * 2**30)


def test_a_full_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", disk(3))
    found = checks(settings)["disk"]
    assert (found.status, "3 GB free" in found.message) == ("warning", True)


def test_a_disk_without_room_for_checkpoints(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "bytes_to_train", lambda parameters: parameters * 10_000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", disk(3))
    found = checks(settings)["disk"]
    assert (found.status, "the checkpoints and the model take" in found.message) == ("error", True)


def test_another_run_is_named(settings: Settings) -> None:
    held = claim(settings.home, "tags_v3.partial")
    assert held is not None
    found = checks(settings)["other runs"]
    held.release()
    assert found.status == "warning"
    assert f"tags_v3: process {os.getpid()} of " in found.message


def test_a_tracker_that_is_not_installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    found = checks(changed(settings, "training", report_to="mlflow"))["tracker"]
    assert found.status == "error"
    assert "pip install mlflow" in found.hint


def test_a_home_that_cannot_be_written(settings: Settings) -> None:
    (settings.home / "_logs").write_text("a file where the folder should be", encoding="utf-8")
    found = checks(settings)
    assert found["home"].status == "error"
    assert "cannot be written" in found["home"].message


def test_a_home_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    assert checks(settings.model_copy(update={"home": tmp_path / "new" / "home"}))["home"].status == "ok"


@pytest.mark.skipif(os.name == "nt", reason="Windows may be told to allow such paths")
def test_a_home_whose_paths_would_become_too_long(settings: Settings, tmp_path: Path) -> None:
    home = tmp_path
    while (left := os.pathconf(tmp_path, "PC_PATH_MAX") - 80 - len(os.fsencode(home))) > 0:
        home /= "x" * min(left, 200)
    found = checks(settings.model_copy(update={"home": home}))["home"]
    assert (found.status, "too long" in found.message, "shorter path" in found.hint) == ("error", True, True)
    assert list(home.iterdir()) == []


def test_the_longest_path_of_a_run_is_one_that_doctor_tries() -> None:
    longest = "_models/tags_v1000-20261123-101500.partial/checkpoints/checkpoint-000000001.partial/weights.safetensors"
    assert len(f"demo/{longest}") <= doctor._LONGEST_BELOW_HOME


@pytest.mark.skipif(os.name == "nt", reason="a link needs rights there")
def test_a_home_that_python_redirects(settings: Settings, tmp_path: Path) -> None:
    """As a Python from the Microsoft Store does in AppData."""
    private = tmp_path / "Packages" / "PythonSoftwareFoundation.Python.3.13" / "LocalCache" / "Local" / "allan"
    private.mkdir(parents=True)
    (tmp_path / "allan").symlink_to(private)
    found = checks(settings.model_copy(update={"home": tmp_path / "allan"}))["home"]
    assert (found.status, str(private) in found.message) == ("warning", True)
    assert checks(settings.model_copy(update={"home": private}))["home"].status == "ok"  # who names it knows it
    assert list(private.iterdir()) == []


@pytest.mark.skipif(os.name != "nt", reason="drives have letters")
def test_a_drive_that_is_not_there(tmp_path: Path) -> None:
    found = {check.name: check for check in run_checks(settings_for(Path("Q:/allan")), quick=True)}
    for name in ("home", "disk"):
        assert found[name].status == "error"
        assert "There is no Q:" in found[name].hint
        assert "server" in found[name].hint


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": ""}, "No database is set"),
        ({"url": "sqlite:///nowhere.db"}, "There is no SQLite database"),
        ({"tags_query": "SELECT id, name FROM tags"}, "tags_query has no column tag"),
        ({"documents_query": "SELECT id, text FROM nowhere"}, "no such table: nowhere"),
        ({"documents_query": "DELETE FROM documents"}, "not a single SELECT"),
    ],
)
def test_a_database_that_does_not_answer(settings: Settings, values: dict[str, str], said: str) -> None:
    found = checks(changed(settings, "database", **values))
    assert found["database"].status == "error"
    assert said in found["database"].message
    assert found["base model"].status == "ok"


def test_documents_without_tags(settings: Settings, tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path / 'bare.db'}", [(1, None, "unu\ndoi")], [])
    found = checks(changed(settings, "database", url="sqlite:///bare.db"))["database"]
    assert found.status == "error"
    assert "0 of these documents have tags, 1 have none.\nFor example:\n1: unu doi []" in found.message


def test_versions_are_told(settings: Settings, tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path / 'own.db'}", [(1, "a", "unu"), (2, None, "doi")], [(1, "t"), (2, "t")])
    query = "SELECT id, text, title AS version FROM documents"
    found = checks(changed(settings, "database", url="sqlite:///own.db", documents_query=query))["database"]
    assert "The column version tells what has changed: a second extraction reads no other texts." in found.message
    assert "1 document has none, and is read each time." in found.message


def test_a_tags_query_whose_ids_are_of_another_table(settings: Settings) -> None:
    query = "SELECT tags.id AS id, tags.name AS tag FROM tags"
    found = checks(changed(settings, "database", tags_query=query))["database"]
    assert found.status == "error"
    assert "0 of these documents have tags, 2,400 have none." in found.message
    assert "52 ids of tags_query belong to no document." in found.message
    assert "tags_query" in found.hint


def test_a_document_does_not_speak_to_the_terminal(settings: Settings, tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path / 'own.db'}", [(1, None, "\x1b]0;title\x07text")], [(1, "a\x1b[31m")])
    found = checks(changed(settings, "database", url="sqlite:///own.db"))["database"]
    assert "1: ?]0;title?text [a?[31m]" in found.message


def test_three_documents_are_shown_shortened(settings: Settings, tmp_path: Path) -> None:
    rows = [(i, None, f"document {i} " * 30) for i in (1, 2, 2, 3, 4, None)]
    fill(f"sqlite:///{tmp_path / 'own.db'}", rows, [(i, f"{'eticheta ' * 9}{n}") for i in (1, 2, 3) for n in range(9)])
    found = checks(changed(settings, "database", url="sqlite:///own.db"))["database"]
    assert found.status == "ok"
    assert "Ignored ids: 1 repeated, 1 NULL." in found.message
    assert found.message.count(": document ") == 3
    assert len(found.message) < 800


def test_a_lookup_without_an_index_is_told(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(i, None, "document " * 100) for i in range(10_000)]
    fill(f"sqlite:///{tmp_path / 'own.db'}", rows, [(i, "a") for i in range(10_000)])
    monkeypatch.setattr(database_check, "_SLOW_LOOKUP", 2)
    own = changed(settings, "database", url="sqlite:///own.db", page_size=50)
    assert checks(own)["database"].status == "ok"  # it takes a second or two all the same
    monkeypatch.setattr(database_check, "_SLOW_SECONDS", 0.0)
    found = checks(own)["database"]
    assert found.status == "warning"
    assert "Finding rows by id is slow: documents_query " in found.message
    assert "indexed" in found.hint


def test_the_time_of_reading_is_that_of_a_few_pages() -> None:
    class Timed:
        def time_lookups(self, ids: list[int]) -> dict[str, Lookup]:
            seconds = len(ids) / 100
            return {"documents_query": Lookup(seconds, seconds / 20), "tags_query": Lookup(seconds, seconds)}

    source: Any = Timed()
    seconds, slow = database_check._time_reading(source, pa.array(range(1234)), 100)
    assert round(seconds, 6) == 24.68
    assert {key: round(times) for key, times in slow.items()} == {"documents_query": 20}
    assert [database_check._duration(value) for value in (0.4, 119.6, 3700)] == ["1 s", "120 s", "62 minutes"]


def test_a_base_model_that_is_not_there(settings: Settings) -> None:
    found = checks(changed(settings, "training", base_model="no/such-model"))["base model"]
    assert found.status == "error"
    assert "no/such-model cannot be loaded" in found.message
    assert "base_model under [training]" in found.hint


def test_a_gpu_that_cannot_compute(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU that can be used")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = checks(changed(settings, "training", device="auto"))["device"]
    assert found.status == "error"
    assert torch.__version__ in found.message


def test_a_device_that_cannot_be_used(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> str:
        raise GetTagsError("There is a GPU that torch cannot use.", "Run the set-up again.")

    monkeypatch.setattr(doctor, "choose_device", refuse)
    assert checks(settings)["device"] == Check(
        "device", "error", "There is a GPU that torch cannot use.", "Run the set-up again."
    )


def test_few_samples_and_none(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    own = changed(settings, "evaluation", samples="few.csv")
    absent = checks(own)["test samples"]
    assert (absent.status, "There are none yet" in absent.message) == ("warning", True)
    assert "get-tags samples add" in absent.hint
    path.write_text("text,labels\nunu,a\n", encoding="utf-8")
    found = checks(own)["test samples"]
    assert (found.status, "too few to tell" in found.message) == ("warning", True)


def test_the_live_model_is_looked_at(settings: Settings, small_model: Path) -> None:
    assert checks(settings)["live model"].status == "ok"
    deploy(small_model, settings.live_dir, keep_versions=3, on_event=silent)
    live = checks(settings)["live model"]
    assert (live.status, live.message) == ("ok", small_model.name)


def test_a_live_model_that_is_damaged(settings: Settings, small_model: Path) -> None:
    version = deploy(small_model, settings.live_dir, keep_versions=3, on_event=silent)
    with (version / "model.safetensors").open("ab") as weights:
        weights.write(b"more")
    found = checks(settings)["live model"]
    assert found.status == "error"
    assert "model.safetensors" in found.message


def test_a_plain_folder_that_lags_behind(settings: Settings, small_model: Path) -> None:
    deploy(small_model, settings.live_dir, keep_versions=3, on_event=silent)
    (settings.live_dir / "get_tags" / "get_tags.json").write_text("{}", encoding="utf-8")
    found = checks(settings)["live model"]
    assert found.status == "warning"
    assert "another model" in found.message
