"""Going live and back: what is live always works, and what was live stays until the new one does."""

import json
import os
import random
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from databases import silent
from filelock import FileLock
from safetensors.torch import load_file, save_file

from get_tags_train.core import files as core_files
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Event, Notice, StageFinished, StageStarted
from get_tags_train.core.files import file_sha256, read_json, write_json
from get_tags_train.core.home import live_model
from get_tags_train.deployment import deploy as stage
from get_tags_train.deployment.api_switch import ApiSwitch
from get_tags_train.deployment.deploy import deploy, rollback
from get_tags_train.deployment.history import read_history
from get_tags_train.model.metadata import METADATA_FILE, Probe, ScoredTag
from get_tags_train.model.second_reader import FILE as SECOND_READER
from get_tags_train.model.tagger import TagModel, TagScore


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "_live"


@pytest.fixture
def models(tmp_path: Path, small_model: Path) -> list[Path]:
    """Four models that differ in one number of their config; their metadata knows of it."""
    made = []
    for number in range(1, 5):
        folder = Path(shutil.copytree(small_model, tmp_path / "_models" / f"tags_v1-20250101-00000{number}"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "number": number}), encoding="utf-8")
        metadata = read_json(folder / METADATA_FILE)
        metadata["files"]["config.json"] = file_sha256(folder / "config.json")
        write_json(folder / METADATA_FILE, metadata)
        made.append(folder)
    return made


def put(model: Path, live: Path, keep_versions: int = 5) -> Path:
    return deploy(model, live, keep_versions=keep_versions, on_event=silent)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names_in(live: Path) -> set[str]:
    """All but the lock, whose file stays on Linux and goes on Windows."""
    return {path.name for path in live.iterdir()} - {"deploy.lock"}


def assert_live(live: Path, model: Path) -> None:
    """`current`, the version and the plain folder are this model; nothing of the way there is left."""
    assert live_model(live).name == model.name
    assert files(live / "versions" / model.name) == files(model) == files(live / "get_tags")
    TagModel(live / "get_tags").predict(["text"])
    assert names_in(live) == {"current", "get_tags", "history.jsonl", "versions"}
    assert not [path.name for path in (live / "versions").iterdir() if path.name.endswith(".partial")]


def test_a_model_goes_live(live: Path, models: list[Path]) -> None:
    events: list[Event] = []
    version = deploy(models[0], live, keep_versions=3, on_event=events.append)
    assert version == live / "versions" / models[0].name
    assert_live(live, models[0])
    assert isinstance(events[0], StageStarted)
    assert isinstance(events[-1], StageFinished)


def test_the_next_one_takes_its_place(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    assert_live(live, models[1])
    assert files(live / "versions" / models[0].name) == files(models[0])


def test_back_and_back_again(live: Path, models: list[Path]) -> None:
    for model in models[:3]:
        put(model, live)
    assert rollback(live).name == models[1].name
    assert_live(live, models[1])
    assert rollback(live).name == models[0].name
    assert_live(live, models[0])
    with pytest.raises(InputError, match="no version before the live one"):
        rollback(live)
    assert_live(live, models[0])


def test_a_deploy_after_a_rollback(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    rollback(live)
    put(models[2], live)
    assert_live(live, models[2])
    rollback(live)
    assert_live(live, models[0])


def test_the_same_model_twice_is_one_version(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    put(models[0], live)
    assert_live(live, models[0])
    assert len(list((live / "versions").iterdir())) == 2
    rollback(live)
    assert_live(live, models[1])


def test_another_model_of_the_same_name_gets_a_name_of_its_own(live: Path, models: list[Path], tmp_path: Path) -> None:
    put(models[0], live)
    other = tmp_path / "elsewhere" / models[0].name
    shutil.copytree(models[1], other)
    version = put(other, live)
    assert version.name.startswith(models[0].name + "-")
    assert files(version) == files(other) == files(live / "get_tags")
    rollback(live)
    assert_live(live, models[0])


def test_nothing_to_go_back_to(live: Path, models: list[Path]) -> None:
    with pytest.raises(InputError, match="no version before the live one"):
        rollback(live)
    put(models[0], live)
    with pytest.raises(InputError, match="no version before the live one"):
        rollback(live)
    assert_live(live, models[0])


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_broken_model_does_not_go_live(live: Path, models: list[Path], broken: str) -> None:
    put(models[0], live)
    (models[1] / broken).write_bytes(b"{}")
    with pytest.raises(GetTagsError, match="changed since training"):
        put(models[1], live)
    (models[1] / METADATA_FILE).unlink()  # as one that get-tags did not make: the load finds it
    with pytest.raises(GetTagsError, match="cannot be loaded"):
        put(models[1], live)
    assert_live(live, models[0])
    assert [path.name for path in (live / "versions").iterdir()] == [models[0].name]


def test_a_broken_model_alone_leaves_nothing_live(live: Path, models: list[Path]) -> None:
    (models[0] / "model.safetensors").unlink()
    with pytest.raises(GetTagsError):
        put(models[0], live)
    with pytest.raises(InputError, match="No model is live"):
        live_model(live)
    assert not (live / "get_tags").exists()


def test_a_broken_version_is_not_rolled_back_to(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    (live / "versions" / models[0].name / "model.safetensors").write_bytes(b"")
    with pytest.raises(GetTagsError, match="changed since training"):
        rollback(live)
    assert_live(live, models[1])


def test_a_foreign_folder_is_kept_and_can_be_gone_back_to(live: Path, models: list[Path]) -> None:
    foreign = live / "get_tags"
    foreign.mkdir(parents=True)
    (foreign / "pytorch_model.bin").write_bytes(b"old")
    events: list[Event] = []
    deploy(models[0], live, keep_versions=3, on_event=events.append)
    assert_live(live, models[0])
    told = [event.message for event in events if isinstance(event, Notice)]
    assert "was not put there by get-tags. It is kept as before-" in told[0]
    version = rollback(live)
    assert version.name.startswith("before-")
    assert files(live / "get_tags") == {"pytorch_model.bin": b"old"}
    put(models[1], live)
    assert_live(live, models[1])


def test_only_the_last_versions_are_kept(live: Path, models: list[Path]) -> None:
    for model in models:
        put(model, live, keep_versions=2)
    assert sorted(path.name for path in (live / "versions").iterdir()) == [model.name for model in models[2:]]
    rollback(live)
    assert_live(live, models[2])
    with pytest.raises(InputError):
        rollback(live)


def test_the_api_reads_through_one_file(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    assert (live / "current").read_text(encoding="utf-8") == models[0].name + "\n"
    (live / "current").write_text("nowhere\n", encoding="utf-8")
    with pytest.raises(InputError, match="names 'nowhere', which is not in"):
        live_model(live)
    put(models[1], live)
    assert_live(live, models[1])


class Killed(BaseException):
    """Stands in for Ctrl-C, which comes wherever it likes; real kills come further below."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: str, call: int, model: Path, live: Path) -> bool:
    """Deploy a model, killed at this call of a step; False where there is no such call."""
    original, calls = getattr(stage, step), []

    def killed(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == call:
            raise Killed
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(stage, step, killed)
        try:
            put(model, live)
        except Killed:
            return True
    return False


STEPS = ["append_entry", "write_text", "copy_folder", "rename", "remove_folder"]


@pytest.mark.parametrize("step", STEPS)
def test_a_deploy_that_is_stopped_anywhere_is_healed_by_the_next(
    tmp_path: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for call in range(1, 10):
        live = tmp_path / f"live{call}"
        put(models[0], live)
        if not kill_at(monkeypatch, step, call, models[1], live):
            break
        was_live = live_model(live)
        assert was_live.name in {models[0].name, models[1].name}
        TagModel(was_live).predict(["text"])
        put(models[1], live)
        assert_live(live, models[1])
        assert rollback(live).name == models[0].name
        assert_live(live, models[0])
    assert call > 1


def test_a_broken_model_leaves_a_foreign_folder_in_use(live: Path, models: list[Path]) -> None:
    (live / "get_tags").mkdir(parents=True)
    (live / "get_tags" / "pytorch_model.bin").write_bytes(b"old")
    (models[0] / "model.safetensors").unlink()
    with pytest.raises(GetTagsError):
        put(models[0], live)
    assert files(live / "get_tags") == {"pytorch_model.bin": b"old"}


def test_leftovers_of_a_kill_are_healed(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    (live / "get_tags").rename(live / "get_tags.previous")
    shutil.copytree(models[1], live / "get_tags.next")
    (live / "get_tags.next.partial").mkdir()
    (live / "versions" / f"{models[1].name}.partial").mkdir()
    with (live / "history.jsonl").open("a", encoding="utf-8") as history:
        history.write('{"time": "2025-01-01", "action": "dep')
    put(models[1], live)
    assert files(live / "get_tags") == files(models[1])
    assert not (live / "get_tags.previous").exists()
    assert live_model(live).name == models[1].name


def test_two_at_once(live: Path, models: list[Path]) -> None:
    live.mkdir()
    with FileLock(live / "deploy.lock"):
        errors: list[GetTagsError] = []

        def other() -> None:
            try:
                put(models[0], live)
            except GetTagsError as error:
                errors.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "Another deploy or rollback is running" in errors[0].message
    assert not (live / "current").exists()


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="reads a folder while it is replaced")
def test_the_plain_folder_is_whole_at_every_moment_it_is_there(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    stop, seen = threading.Event(), set()

    def watch() -> None:
        while not stop.is_set():
            try:
                config = (live / "get_tags" / "config.json").read_text(encoding="utf-8")
                seen.add(json.loads(config)["number"])
            except FileNotFoundError:
                continue

    thread = threading.Thread(target=watch)
    thread.start()
    for model in (models[1], models[0], models[1]):
        put(model, live)
    stop.set()
    thread.join()
    assert seen <= {1, 2}


def put_foreign(live: Path) -> None:
    """Somebody puts a folder of their own where the live model goes."""
    shutil.rmtree(live / "get_tags", ignore_errors=True)
    (live / "get_tags").mkdir(parents=True)
    (live / "get_tags" / "pytorch_model.bin").write_bytes(b"foreign")


def test_a_folder_that_is_no_model_is_refused_before_it_is_copied(
    live: Path, models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "copy_folder", pytest.fail)
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"?")
    with pytest.raises(InputError, match="is not a model folder"):
        put(tmp_path / "holiday", live)
    (models[0] / "model.safetensors").unlink()
    with pytest.raises(InputError, match="is not a model folder"):
        put(models[0], live)
    (models[1] / "model.safetensors").write_bytes(b"half a download")
    with pytest.raises(GetTagsError, match="changed since training") as caught:
        put(models[1], live)
    assert "copy the folder again" in caught.value.hint
    assert not (live / "versions").exists()


def test_what_others_keep_beside_the_versions_stays(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    (live / "versions" / "Thumbs.db").write_bytes(b"thumbs")
    shutil.copytree(models[3], live / "versions" / "a colleague's")
    put(models[1], live, keep_versions=2)
    put(models[2], live, keep_versions=2)
    there = {path.name for path in (live / "versions").iterdir()}
    assert there == {"Thumbs.db", "a colleague's", models[1].name, models[2].name}


def test_an_old_version_that_cannot_be_removed_is_a_notice(
    live: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(models[0], live)
    put(models[1], live)
    original = stage.remove_folder

    def refused(folder: Path) -> None:
        if folder.name.startswith(models[0].name) and folder.parent.name == "versions":
            raise PermissionError(13, "Permission denied", str(folder))
        original(folder)

    events: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(stage, "remove_folder", refused)
        deploy(models[2], live, keep_versions=2, on_event=events.append)
    assert_live(live, models[2])
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.level == "warning"
    assert models[0].name in notice.message
    put(models[3], live, keep_versions=2)
    assert not (live / "versions" / models[0].name).exists()


@pytest.mark.parametrize("refused", ["get_tags", "get_tags.next"])
def test_a_plain_folder_that_a_program_holds(
    live: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    put(models[0], live)
    put(models[1], live)
    original = stage.rename

    def held(source: Path, target: Path) -> None:
        if source.name == refused:
            raise PermissionError(13, "The process cannot access the file", str(source))
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "rename", held)
        for act in (lambda: put(models[2], live), lambda: put(models[3], live)):  # the second meets what the first left
            with pytest.raises(GetTagsError) as caught:
                act()
            assert f"{models[2].name} is live for readers of" in caught.value.message
            assert "is held by a program" in caught.value.message
            assert "Stop the API and deploy again" in caught.value.hint
            assert live_model(live).name == models[2].name
            assert files(live / "get_tags") == files(models[1])
    put(live_model(live), live)  # get-tags deploy live
    assert_live(live, models[2])
    rollback(live)
    assert_live(live, models[1])


def test_after_a_rollback_that_was_held_the_hint_goes_no_further_back(
    live: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in models[:3]:
        put(model, live)
    original = stage.rename
    with monkeypatch.context() as patch:
        patch.setattr(stage, "rename", lambda *_: (_ for _ in ()).throw(PermissionError(13, "held")))
        with pytest.raises(GetTagsError, match=r"is live for readers of") as caught:
            rollback(live)
    assert stage.rename is original
    assert "get-tags deploy live" in caught.value.hint
    put(live_model(live), live)
    assert_live(live, models[1])
    rollback(live)
    assert_live(live, models[0])


@pytest.mark.parametrize("full_at", [1, 2])
def test_a_full_disk_leaves_the_old_model_live(
    live: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch, full_at: int
) -> None:
    put(models[0], live)
    original, copies = shutil.copytree, []

    def full(source: Path, target: Path) -> None:
        copies.append(target)
        original(source, target)
        if len(copies) == full_at:
            raise shutil.Error([(str(source), str(target), "[Errno 28] No space left on device: 'model.safetensors'")])

    with monkeypatch.context() as patch:
        patch.setattr(core_files.shutil, "copytree", full)
        with pytest.raises(GetTagsError, match=r"the live model is unchanged: \[Errno 28\] No space left") as caught:
            put(models[1], live)
    assert "disk space" in caught.value.hint
    assert_live(live, models[0])  # and no torn copy is left to fill it
    put(models[1], live)
    assert_live(live, models[1])


def test_a_live_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path, models: list[Path]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GetTagsError, match="the live model is unchanged"):
        put(models[0], tmp_path / "file" / "_live")


def test_a_foreign_folder_put_there_later_is_kept_too(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    put_foreign(live)
    put(models[2], live)
    assert_live(live, models[2])
    assert rollback(live).name.startswith("before-")
    assert files(live / "get_tags") == {"pytorch_model.bin": b"foreign"}
    assert rollback(live).name == models[1].name


def test_a_rollback_keeps_a_foreign_folder_below_the_version_it_returns_to(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    put_foreign(live)
    events: list[Event] = []
    assert rollback(live, events.append).name == models[0].name
    assert_live(live, models[0])
    assert [type(event) for event in events] == [Notice]
    rollback(live)
    assert files(live / "get_tags") == {"pytorch_model.bin": b"foreign"}


def test_a_foreign_folder_stays_in_use_when_the_deploy_fails(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put_foreign(live)
    (models[1] / METADATA_FILE).unlink()
    (models[1] / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(GetTagsError, match="cannot be loaded"):
        put(models[1], live)
    assert files(live / "get_tags") == {"pytorch_model.bin": b"foreign"}


def test_a_thumbs_db_does_not_make_the_plain_folder_foreign(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    (live / "get_tags" / "Thumbs.db").write_bytes(b"thumbs")
    put(models[1], live)
    assert_live(live, models[1])
    assert {path.name for path in (live / "versions").iterdir()} == {models[0].name, models[1].name}


def test_a_current_written_by_hand_is_followed(live: Path, models: list[Path]) -> None:
    for model in models[:3]:
        put(model, live)
    (live / "current").write_text(f"{models[1].name}\n", encoding="utf-8")
    assert rollback(live).name == models[0].name
    assert_live(live, models[0])


def test_a_lost_history_loses_no_version(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    put(models[1], live)
    (live / "history.jsonl").unlink()
    put(models[2], live)
    assert_live(live, models[2])
    assert rollback(live).name == models[1].name
    assert (live / "versions" / models[0].name).is_dir()


@pytest.mark.parametrize("written", [b"\xbc\xff", b"../../_models", b"/", b"..", b"a\0b", b"x" * 5000])
def test_a_damaged_current_is_said_and_the_next_deploy_mends_it(live: Path, models: list[Path], written: bytes) -> None:
    put(models[0], live)
    put(models[1], live)
    (live / "current").write_bytes(written)
    with pytest.raises(InputError, match="which is not in") as caught:
        live_model(live)
    assert "get-tags deploy" in caught.value.hint
    put(models[2], live)
    assert_live(live, models[2])
    assert {model.name for model in models[:3]} <= names_in(live / "versions")


def test_a_history_that_names_folders_elsewhere_leads_nowhere(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    elsewhere = shutil.copytree(models[1], live.parent / "elsewhere")
    forged = [
        {"time": "2026-01-01", "action": "deploy", "name": models[0].name, "versions": [name, models[0].name]}
        for name in ("../../elsewhere", str(elsewhere), "..")
    ]
    with (live / "history.jsonl").open("a", encoding="utf-8") as history:
        history.writelines(json.dumps(line) + "\n" for line in [*forged, 7, None, [], {"versions": ["x"]}])
    with pytest.raises(InputError, match="no version before the live one"):
        rollback(live)
    assert_live(live, models[0])


def test_a_model_that_answers_otherwise_than_when_it_was_made_is_refused(live: Path, models: list[Path]) -> None:
    put(models[0], live)
    metadata = read_json(models[1] / METADATA_FILE)
    metadata["probes"][1]["tags"][0]["score"] += 0.01
    write_json(models[1] / METADATA_FILE, metadata)
    with pytest.raises(GetTagsError, match="does not answer as it did when it was made"):
        put(models[1], live)
    assert_live(live, models[0])


def test_a_model_of_no_numbers_is_refused(live: Path, models: list[Path]) -> None:
    weights = {name: tensor.clone() for name, tensor in load_file(models[0] / "model.safetensors").items()}
    weights["classifier.bias"] *= float("nan")  # of a copy: Windows does not let a mapped file be written
    save_file(weights, models[0] / "model.safetensors", metadata={"format": "pt"})
    (models[0] / METADATA_FILE).unlink()  # nothing is left to compare with
    with pytest.raises(GetTagsError, match="are not numbers"):
        put(models[0], live)
    assert not (live / "current").exists()


def test_the_history_says_who_when_which_how_good_and_after_which(live: Path, models: list[Path]) -> None:
    metadata = read_json(models[1] / METADATA_FILE)
    write_json(models[1] / METADATA_FILE, {**metadata, "evaluations": [{"precision_at_k": {"1": 0.5}}]})
    put(models[0], live)
    put(models[1], live)
    last = read_history(live)[-1]
    assert (last["action"], last["name"], last["before"]) == ("deploy", models[1].name, models[0].name)
    assert last["precision_at_k"] == {"1": 0.5}
    assert "@" in last["by"]
    assert datetime.fromisoformat(last["time"]).tzinfo is not None


# The API: commands that stop and start it, and the question whether it answers as the new model.


def recording(tmp_path: Path, **more: Any) -> ApiSwitch:
    """An API whose commands leave a line each in api.log."""
    log = tmp_path / "api.log"
    return ApiSwitch(**{"before_command": f'echo stop>>"{log}"', "after_command": f'echo start>>"{log}"', **more})


def recorded(tmp_path: Path) -> list[str]:
    return (tmp_path / "api.log").read_text(encoding="utf-8").split()


def put_with(api: ApiSwitch, model: Path, live: Path) -> Path:
    return deploy(model, live, keep_versions=5, on_event=silent, api=api)


def test_the_api_is_stopped_and_started_once(live: Path, models: list[Path], tmp_path: Path) -> None:
    api = recording(tmp_path)
    put_with(api, models[0], live)
    assert recorded(tmp_path) == ["stop", "start"]
    put_with(api, models[1], live)
    rollback(live, api=api)
    assert recorded(tmp_path) == ["stop", "start"] * 3
    assert_live(live, models[0])


def test_an_api_that_cannot_be_stopped_keeps_the_old_model(live: Path, models: list[Path], tmp_path: Path) -> None:
    put(models[0], live)
    api = recording(tmp_path, before_command="echo no such service && exit 3")
    with pytest.raises(GetTagsError, match=r"before_command failed with exit code 3: .*no such service"):
        put_with(api, models[1], live)
    assert recorded(tmp_path) == ["start"]
    assert_live(live, models[0])


def test_a_start_that_fails_says_that_the_new_model_is_live(live: Path, models: list[Path], tmp_path: Path) -> None:
    api = recording(tmp_path, after_command="exit 4")
    with pytest.raises(GetTagsError, match=f"{models[0].name} is live, but after_command failed with exit code 4"):
        put_with(api, models[0], live)
    put_with(recording(tmp_path), models[1], live)
    assert recorded(tmp_path)[-1] == "start"
    assert_live(live, models[1])


def test_a_command_that_hangs_is_given_up(live: Path, models: list[Path], tmp_path: Path) -> None:
    command = f'"{sys.executable}" -c "import time; time.sleep(60)"'
    with pytest.raises(GetTagsError, match="before_command ran longer than"):
        put_with(recording(tmp_path, before_command=command, seconds=0.2), models[0], live)
    assert not (live / "current").exists()


def test_a_kill_while_the_api_is_stopped_is_made_good_by_the_next(
    live: Path, models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(models[0], live)
    with monkeypatch.context() as patch:
        patch.setattr(stage, "_swap_plain", lambda _: (_ for _ in ()).throw(Killed))
        patch.setattr(ApiSwitch, "start", lambda _: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            put_with(recording(tmp_path), models[1], live)
    assert recorded(tmp_path) == ["stop"]
    # what runs no more cannot be stopped, and that is no reason to leave it so
    api = recording(tmp_path, before_command="exit 2")
    with pytest.raises(InputError, match="not a model folder"):
        put_with(api, tmp_path, live)
    assert recorded(tmp_path) == ["stop", "start"]
    assert_live(live, models[1])


@contextmanager
def http_api(live: Path, *, wrong: bool = False) -> Iterator[str]:
    """The address of an API that reads the plain folder, as other people's do: labels with scores, in a list."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (named,) = TagModel(live / "get_tags").predict([asked["text"]], top_n=asked["TOP_N"] * 3)
            named = named[-5:] if wrong else named[: asked["TOP_N"]]
            body = json.dumps([{"label": tag, "score": score} for tag, score in named]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_an_api_that_answers_as_the_model_confirms_the_change(live: Path, models: list[Path]) -> None:
    with http_api(live) as url:
        put_with(ApiSwitch(check_url=url), models[0], live)
    assert_live(live, models[0])


def test_an_api_of_plain_transformers_is_expected_to_answer_as_the_bert_alone() -> None:
    blended = [ScoredTag(tag=tag, score=score) for tag, score in (("a", 0.9), ("b", 0.1))]
    probe = Probe(text="legea", tags=blended, bert_alone=list(reversed(blended)))
    assert list(probe.scores) == ["a", "b"]
    assert list(probe.plain_scores) == ["b", "a"]
    assert list(Probe(text="legea", tags=blended).plain_scores) == ["a", "b"]


def test_a_model_with_a_second_reader_goes_live_whole(blended_model: Path, live: Path) -> None:
    version = put(blended_model, live)
    for folder in (version, live / "get_tags"):
        assert (folder / SECOND_READER).read_bytes() == (blended_model / SECOND_READER).read_bytes()


def test_a_change_that_the_api_does_not_follow_is_undone(live: Path, models: list[Path], tmp_path: Path) -> None:
    put(models[0], live)
    put(models[1], live)
    with http_api(live, wrong=True) as url:
        api = recording(tmp_path, check_url=url, seconds=3)
        with pytest.raises(GetTagsError, match=f"does not answer as the model does.* {models[1].name} is live again"):
            put_with(api, models[2], live)
    assert recorded(tmp_path) == ["stop", "start"] * 2
    assert_live(live, models[1])
    assert read_history(live)[-1]["action"] == "undo"
    assert rollback(live).name == models[0].name


def test_a_first_model_that_the_api_does_not_follow_has_nothing_to_go_back_to(live: Path, models: list[Path]) -> None:
    api = ApiSwitch(check_url="http://127.0.0.1:9/", seconds=0.1)
    with pytest.raises(GetTagsError, match=f"{models[0].name} is live, but: The API at http://127.0.0.1:9/"):
        put_with(api, models[0], live)
    assert_live(live, models[0])


# Kills. A child process dies before its n-th change of a file or folder, for every n there is; what it left is
# checked as a reader sees it, and then gone on from. The models are two small files: what counts is that each is whole.

KILLED = 77


def run_killed(act: Callable[[], object], changes: int) -> bool:
    """Run in a child that dies, as by kill -9, after so many changes; False where it makes no more than that."""
    child = os.fork()
    if child == 0:
        done = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal done
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}:
                if done == changes:
                    os._exit(KILLED)
                done += 1

        try:
            sys.addaudithook(watch)
            act()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, KILLED}
    return code == KILLED


class Story(NamedTuple):
    """What is done (numbers deploy that model, "back" rolls back, "foreign" replaces the plain folder) and the stacks
    of versions before and after its last step, the live one last.
    """

    steps: list[int | str]
    before: list[str]
    after: list[str]
    keep_versions: int = 9


STORIES = {
    "first": Story([0], [], ["m0"]),
    "next": Story([0, 1, 2], ["m0", "m1"], ["m1", "m2"], keep_versions=2),
    "again": Story([0, 1, 0], ["m0", "m1"], ["m1", "m0"]),
    "same": Story([0, 1, 1], ["m0", "m1"], ["m0", "m1"]),
    "back": Story([0, 1, 2, "back"], ["m0", "m1", "m2"], ["m0", "m1"]),
    "after a rollback": Story([0, 1, 2, "back", 2], ["m0", "m1"], ["m0", "m1", "m2"]),
    "over a foreign one": Story(["foreign", 0], [], ["foreign", "m0"]),
    "over a later foreign one": Story([0, 1, "foreign", 2], ["m0", "m1"], ["m0", "m1", "foreign", "m2"]),
    "the same over a foreign one": Story([0, 1, "foreign", 1], ["m0", "m1"], ["m0", "foreign", "m1"]),
    "back over a foreign one": Story([0, 1, 2, "foreign", "back"], ["m0", "m1", "m2"], ["m0", "foreign", "m1"]),
    "back to a foreign one": Story(["foreign", 0, "back"], ["foreign", "m0"], ["foreign"]),
}


@pytest.fixture
def small_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four folders that pass for models."""

    class Loaded:
        def __init__(self, folder: Path) -> None:
            assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}

        tags: ClassVar = ["tag"]
        second_reader = None

        def scores_and_bert_alone(self, texts: list[str]) -> tuple[list[str], list[str]]:
            return texts, texts

        def top_tags(self, scores: list[str], _: int) -> list[list[TagScore]]:
            return [[TagScore("tag", 0.5)] for _ in scores]

    monkeypatch.setattr(stage, "TagModel", Loaded)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # counts where the power fails, and takes most of the time
    for number in range(4):
        (tmp_path / f"m{number}").mkdir()
        for name in ("config.json", "model.safetensors"):
            (tmp_path / f"m{number}" / name).write_text(f"{name} of {number}", encoding="utf-8")
    return [tmp_path / f"m{number}" for number in range(4)]


def label(folder: Path, models: list[Path]) -> str:
    """Which model a folder is, whole."""
    known = {model.name: files(model) for model in models} | {"foreign": {"pytorch_model.bin": b"foreign"}}
    (name,) = [name for name, content in known.items() if content == files(folder)]
    return name


def take(step: int | str, live: Path, models: list[Path], keep_versions: int = 9) -> None:
    if step == "foreign":
        put_foreign(live)
    elif step == "back":
        rollback(live)
    else:
        put(models[int(step)], live, keep_versions=keep_versions)


def all_the_way_back(live: Path, models: list[Path]) -> list[str]:
    """What each rollback makes live until there is no more; the plain folder follows."""
    seen = []
    with suppress(InputError):
        while True:
            seen.append(label(rollback(live), models))
            assert label(live / "get_tags", models) == label(live_model(live), models) == seen[-1]
    return seen


def check_killed(live: Path, story: Story, models: list[Path]) -> None:
    """Whoever reads now sees a whole model, and each way on leads where it should."""
    was = label(live_model(live), models) if (live / "current").exists() else None
    stack = next(s for s in (story.after, story.before) if was == (s[-1] if s else None))
    plain = label(live / "get_tags", models) if (live / "get_tags").exists() else None
    only_the_swap_is_missing = (live / "get_tags.next").exists() and was == story.after[-1]
    # in place still: wherever one goes, it is kept
    foreign = plain == "foreign" and was != "foreign" and not only_the_swap_is_missing
    ours = [name for name in stack if name != "foreign"]

    copy = Path(shutil.copytree(live, live.with_name(f"{live.name}-back")))
    back = all_the_way_back(copy, models)
    if not foreign:
        assert back == stack[-2::-1]
    elif ours[1:]:  # a rollback that has nowhere to go leaves it where it is
        assert [name for name in back if name != "foreign"] == ours[-2::-1]
        assert "foreign" in back

    put(models[3], live, keep_versions=9)
    assert label(live_model(live), models) == label(live / "get_tags", models) == "m3"
    assert names_in(live) == {"current", "get_tags", "history.jsonl", "versions"}
    versions = len(list((live / "versions").iterdir()))
    back = all_the_way_back(live, models)
    assert versions == 1 + len(back), "a version that nothing leads to is left"
    if foreign:
        assert back[0] == "foreign"
        assert [name for name in back if name != "foreign"] == ours[::-1]
    else:
        assert back == stack[::-1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.parametrize("name", STORIES)
def test_a_kill_at_any_change_loses_nothing(tmp_path: Path, small_folders: list[Path], name: str) -> None:
    story, start = STORIES[name], tmp_path / "start"
    start.mkdir()
    for step in story.steps[:-1]:
        take(step, start, small_folders, story.keep_versions)
    for changes in range(1_000):
        live = Path(shutil.copytree(start, tmp_path / f"live{changes}"))
        last = lambda live=live: take(story.steps[-1], live, small_folders, story.keep_versions)  # noqa: E731
        if not run_killed(last, changes):
            break
        check_killed(live, story, small_folders)
    assert changes > 10
    assert label(live_model(live), small_folders) == story.after[-1]
    assert all_the_way_back(live, small_folders) == story.after[-2::-1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_a_reader_sees_a_whole_model_whenever_a_change_is_killed(live: Path, small_folders: list[Path]) -> None:
    """The short form of benchmarks/deploy_kills.py."""
    put(small_folders[0], live)
    put(small_folders[1], live)
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            seen.append(label(live_model(live), small_folders))

    reader = threading.Thread(target=read)
    reader.start()
    chance = random.Random(7)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                while True:
                    take(chance.choice([0, 1, 2, "back"]), live, small_folders)
            os._exit(0)
        stop.wait(chance.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    stop.set()
    reader.join()
    assert len(seen) > 20
    put(small_folders[3], live)
    assert label(live_model(live), small_folders) == label(live / "get_tags", small_folders) == "m3"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_a_kill_while_an_interrupted_change_is_finished(tmp_path: Path, small_folders: list[Path]) -> None:
    """Two kills on end: the second wherever the next deploy is, the first between `current` and the plain folder."""
    start = tmp_path / "start"
    for number in (0, 1):
        put(small_folders[number], start)
    shutil.copytree(small_folders[1], start / "get_tags.next")
    shutil.rmtree(start / "get_tags")
    shutil.copytree(small_folders[0], start / "get_tags")
    for changes in range(1_000):
        live = Path(shutil.copytree(start, tmp_path / f"live{changes}"))
        if not run_killed(lambda live=live: put(small_folders[2], live), changes):
            break
        check_killed(live, Story([2], ["m0", "m1"], ["m0", "m1", "m2"]), small_folders)
    assert changes > 10
