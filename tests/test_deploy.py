"""Going live and back: what is live always works, and what was live stays until the new one does."""

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from databases import silent
from filelock import FileLock

from get_tags_train import deploy as stage
from get_tags_train.deploy import deploy, rollback
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.events import Event, Notice, StageFinished, StageStarted
from get_tags_train.home import live_model
from get_tags_train.model import TagModel


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "_live"


@pytest.fixture
def models(tmp_path: Path, small_model: Path) -> list[Path]:
    """Four models that differ in one byte of their facts and config."""
    made = []
    for number in range(1, 5):
        folder = Path(shutil.copytree(small_model, tmp_path / "_models" / f"tags_v1-20250101-00000{number}"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "number": number}), encoding="utf-8")
        made.append(folder)
    return made


def put(model: Path, live: Path, keep_versions: int = 5) -> Path:
    return deploy(model, live, keep_versions=keep_versions, on_event=silent)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_live(live: Path, model: Path) -> None:
    """`current`, the version and the plain folder are this model; nothing of the way there is left."""
    assert live_model(live).name == model.name
    assert files(live / "versions" / model.name) == files(model) == files(live / "get_tags")
    TagModel(live / "get_tags").predict(["text"])
    assert {path.name for path in live.iterdir()} == {"current", "deploy.lock", "get_tags", "history.jsonl", "versions"}
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
    with pytest.raises(GetTagsError, match="cannot be loaded"):
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
    assert "was there before get-tags: kept as the version before-" in told[0]
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
    """Stands in for a kill."""


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


STEPS = ["_note", "write_text", "copy_folder", "rename", "remove_folder"]


@pytest.mark.parametrize("step", STEPS)
def test_a_deploy_that_is_killed_anywhere_is_healed_by_the_next(
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


@pytest.mark.parametrize("step", STEPS)
def test_a_rollback_heals_too(tmp_path: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    for call in range(1, 10):
        live = tmp_path / f"live{call}"
        put(models[0], live)
        put(models[1], live)
        if not kill_at(monkeypatch, step, call, models[2], live):
            break
        expected = models[1] if live_model(live).name == models[2].name else models[0]
        assert rollback(live).name == expected.name
        assert live_model(live).name == expected.name
        assert files(live / "get_tags") == files(expected)
    assert call > 1


@pytest.mark.parametrize("step", STEPS)
def test_a_foreign_folder_outlives_a_kill_anywhere(
    tmp_path: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for call in range(1, 10):
        live = tmp_path / f"live{call}"
        (live / "get_tags").mkdir(parents=True)
        (live / "get_tags" / "pytorch_model.bin").write_bytes(b"old")
        if not kill_at(monkeypatch, step, call, models[0], live):
            break
        put(models[1], live)
        assert files(live / "get_tags") == files(models[1])
        while live_model(live).name.startswith("tags_v1"):
            rollback(live)
        assert files(live / "get_tags") == {"pytorch_model.bin": b"old"}
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
    assert "Another deploy or rollback is at work" in errors[0].message
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
