"""Lists of prepared data and models, and their removal."""

import json
import shutil
from pathlib import Path

import pytest
from databases import silent
from filelock import FileLock

from get_tags_train.cli.listings import models_listing
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import write_json
from get_tags_train.core.home import data_dir, locks_dir, model_names, models_dir
from get_tags_train.data.prepared import PreparedData
from get_tags_train.deployment.deploy import deploy
from get_tags_train.maintenance import inventory
from get_tags_train.maintenance.inventory import list_models


@pytest.fixture
def home(small_home: Path, small_model: Path, tmp_path: Path) -> Path:
    """A home with two tags_vX, one of them damaged, two models and an unfinished one of each."""
    folder = tmp_path / "home"
    for name in ("tags_v2", "tags_v10"):
        shutil.copytree(data_dir(small_home) / "tags_v1", data_dir(folder) / name)
    (data_dir(folder) / "tags_v10" / "tags.json").unlink()
    (data_dir(folder) / "tags_v11.partial").mkdir()
    (data_dir(folder) / "tags_v3_old.pkl").write_bytes(b"old")
    for name in ("tags_v2-20250101-000000", "tags_v10-20240101-000000"):
        shutil.copytree(small_model, models_dir(folder) / name)
    (models_dir(folder) / "tags_v2-20250102-000000.partial").mkdir()
    (models_dir(folder) / "somebodys").mkdir()
    return folder


def test_prepared_data_newest_first(home: Path) -> None:
    listed = inventory.list_data(home)
    damaged, good = listed["data"]
    assert (damaged["name"], good["name"]) == ("tags_v10", "tags_v2")
    assert "tags.json" in damaged["damaged"] or "tags cannot be read" in damaged["damaged"]
    assert good["documents"] > 50
    assert good["source"] == "ids"
    assert good["bytes"] == sum(p.stat().st_size for p in (data_dir(home) / "tags_v2").iterdir())
    assert listed["unfinished"] == ["tags_v11.partial"]


def test_models_newest_first(home: Path) -> None:
    deploy(models_dir(home) / "tags_v10-20240101-000000", home / "_live", keep_versions=2, on_event=silent)
    (models_dir(home) / "tags_v2-20250101-000000" / "get_tags.json").write_text("{", encoding="utf-8")
    listed = inventory.list_models(home, home / "_live")
    second, first = listed["models"]  # what cannot say when it was made stands last
    assert (first["name"], second["name"]) == ("tags_v2-20250101-000000", "tags_v10-20240101-000000")
    assert (first["live"], second["live"]) == (False, True)
    assert "get_tags.json cannot be read" in first["damaged"]
    assert second["data"] == "tags_v1"
    assert second["precision_at_k"] == {}
    assert listed["unfinished"] == ["tags_v2-20250102-000000.partial"]


def test_an_empty_home(tmp_path: Path) -> None:
    assert inventory.list_data(tmp_path) == {"data": [], "unfinished": []}
    assert inventory.list_models(tmp_path, tmp_path / "_live") == {"models": [], "unfinished": []}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tags_v2", "tags_v10", "tags_v11.partial"])
def test_data_are_removed(home: Path, name: str) -> None:
    before = {path.name for path in data_dir(home).iterdir()}
    inventory.remove(home, inventory.find_removable(data_dir(home), name))
    assert {path.name for path in data_dir(home).iterdir()} == before - {name}


def test_a_model_is_removed(home: Path) -> None:
    inventory.remove(home, inventory.find_removable(models_dir(home), "tags_v2-20250101-000000"))
    assert not (models_dir(home) / "tags_v2-20250101-000000").exists()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "tags_v99", "../_data/tags_v2", "tags_v2/../tags_v10", "tags_v3_old.pkl"]
)
def test_nothing_else_is_removed(home: Path, name: str) -> None:
    with pytest.raises(InputError, match="There is no"):
        inventory.find_removable(data_dir(home), name)


def test_a_foreign_model_is_not_removed(home: Path) -> None:
    with pytest.raises(InputError):
        inventory.find_removable(models_dir(home), "somebodys")


def test_what_a_run_works_in_is_not_removed(home: Path) -> None:
    locks_dir(home).mkdir(parents=True, exist_ok=True)
    folder = inventory.find_removable(data_dir(home), "tags_v11.partial")
    with FileLock(locks_dir(home) / "tags_v11.partial.lock"), pytest.raises(GetTagsError, match="A run is at work"):
        inventory.remove(home, folder)
    assert folder.is_dir()


def plan_training(home: Path, checksum: str) -> Path:
    """Make the unfinished training of `home` one of the data with this checksum."""
    folder = models_dir(home) / "tags_v2-20250102-000000.partial"
    (folder / "plan.json").write_text(json.dumps({"data": checksum}), encoding="utf-8")
    return folder


def test_unfinished_work_says_what_it_is_about(home: Path) -> None:
    data = PreparedData(data_dir(home) / "tags_v2")
    assert inventory.unfinished_work(home, models_dir(home)) == []  # nothing says what it is about
    folder = plan_training(home, data.manifest.checksum)
    (work,) = inventory.trainings_of(home, data)
    assert (work.folder, work.name, work.is_running) == (folder, folder.name.removesuffix(".partial"), False)
    with FileLock(locks_dir(home) / f"{folder.name}.lock"):
        assert inventory.trainings_of(home, data)[0].is_running
    plan_training(home, "of other data")
    assert inventory.trainings_of(home, data) == []


def test_data_that_a_training_needs_are_not_removed(home: Path) -> None:
    folder = data_dir(home) / "tags_v2"
    training = plan_training(home, PreparedData(folder).manifest.checksum)
    with pytest.raises(GetTagsError, match=f"{training.name} needs tags_v2 to be continued") as caught:
        inventory.refuse_needed(home, folder)
    assert f"get-tags models remove {training.name}" in caught.value.hint
    locks_dir(home).mkdir(parents=True, exist_ok=True)
    with (
        FileLock(locks_dir(home) / f"{training.name}.lock"),
        pytest.raises(GetTagsError, match=f"{training.name} is being trained on tags_v2"),
    ):
        inventory.refuse_needed(home, folder)
    plan_training(home, "of other data")
    inventory.refuse_needed(home, folder)


@pytest.mark.parametrize("name", ["tags_v10", "tags_v11.partial"])
def test_nobody_needs_damaged_or_unfinished_data(home: Path, name: str) -> None:
    inventory.refuse_needed(home, data_dir(home) / name)


def test_the_live_model_is_not_removed(home: Path) -> None:
    folder, live_dir = models_dir(home) / "tags_v10-20240101-000000", home / "_live"
    inventory.refuse_live(folder, live_dir)
    deploy(folder, live_dir, keep_versions=2, on_event=silent)
    with pytest.raises(GetTagsError, match=f"{folder.name} is the live model"):
        inventory.refuse_live(folder, live_dir)
    inventory.refuse_live(models_dir(home) / "tags_v2-20250101-000000", live_dir)


def test_a_folder_that_is_itself_read_as_live_is_not_removed(home: Path) -> None:
    folder = models_dir(home) / "tags_v10-20240101-000000"
    (folder / "versions" / "1").mkdir(parents=True)
    (folder / "current").write_text("1\n", encoding="utf-8")
    with pytest.raises(GetTagsError, match="is the live model"):
        inventory.refuse_live(folder, folder)


def test_a_removal_that_is_cut_off_leaves_nothing_that_looks_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models_dir(home) / "tags_v2-20250101-000000"
    with monkeypatch.context() as patched:
        removed = iter([lambda _: None, lambda _: (_ for _ in ()).throw(KeyboardInterrupt)])
        patched.setattr(inventory, "remove_folder", lambda path: next(removed)(path))
        with pytest.raises(KeyboardInterrupt):
            inventory.remove(home, folder)
    assert folder.name not in model_names(home)
    assert [path.name for path in models_dir(home).glob("*.removing")] == [f"{folder.name}.removing"]
    inventory.clear_removed(models_dir(home))
    assert not list(models_dir(home).glob("*.removing"))


def test_each_of_several_is_verified(home: Path) -> None:
    shutil.copytree(data_dir(home) / "tags_v2", data_dir(home) / "tags_v3")
    path = data_dir(home) / "tags_v3" / "documents-00000.arrow"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    good, flipped, incomplete = inventory.verify_data(home, ["tags_v2", "tags_v3", "tags_v10"])
    assert good == {"name": "tags_v2", "checksum": PreparedData(data_dir(home) / "tags_v2").manifest.checksum}
    assert "documents-00000.arrow has changed" in flipped["damaged"]
    assert "get-tags data remove tags_v3" in flipped["hint"]
    assert "tags_v10" in incomplete["damaged"]


def test_figures_of_models_come_with_the_test_set_they_were_made_on(tmp_path: Path) -> None:
    for name, sha256 in (("one", "a" * 64), ("two", "b" * 64), ("three", None)):
        evaluation = {"precision_at_k": {"1": 0.5, "2": 0.25}, "examples": 40, "samples_sha256": sha256}
        metadata = {
            "created": f"2026-01-01T00:00:0{len(name)}+02:00",
            "data": {"name": "tags_v1"},
            "evaluations": [evaluation] if sha256 else [],
        }
        write_json(tmp_path / "_models" / name / "get_tags.json", metadata)
    listed = list_models(tmp_path, tmp_path / "_live")
    assert {e["name"]: e["test_set"] for e in listed["models"]} == {"one": "aaaaaaa", "two": "bbbbbbb", "three": None}
    assert any("compare within one test set only" in str(line) for line in models_listing(tmp_path, listed))
    listed["models"] = [entry for entry in listed["models"] if entry["name"] != "two"]
    assert not any("compare within" in str(line) for line in models_listing(tmp_path, listed))
