"""How many stay: what [keep] removes at the end of a run, and what it never touches."""

import json
import shutil
from pathlib import Path

import pytest
from databases import settings_for, silent

from get_tags_train.core.events import Event, Notice
from get_tags_train.core.files import write_json
from get_tags_train.core.home import data_dir, models_dir
from get_tags_train.deployment.deploy import deploy
from get_tags_train.maintenance.retention import find_unneeded, keep_newest


@pytest.fixture
def home(small_home: Path, small_model: Path, tmp_path: Path) -> Path:
    """A home with tags_v1 to tags_v4 and four models of them, the second of which is live."""
    home = tmp_path / "home"
    for number in range(1, 5):
        shutil.copytree(data_dir(small_home) / "tags_v1", data_dir(home) / f"tags_v{number}")
        model = Path(shutil.copytree(small_model, models_dir(home) / f"tags_v{number}-20260101-000000"))
        metadata = json.loads((model / "get_tags.json").read_bytes())
        of = {"created": f"2026-01-0{number}T00:00:00+02:00", "data": metadata["data"] | {"name": f"tags_v{number}"}}
        write_json(model / "get_tags.json", metadata | of)
    deploy(models_dir(home) / "tags_v2-20260101-000000", home / "_live", keep_versions=2, on_event=silent)
    return home


def keep(home: Path, **keep: int) -> list[str]:
    """Keep so many; what was said."""
    events: list[Event] = []
    settings = settings_for(home, keep=keep)
    keep_newest(home, settings.live_dir, settings.keep, events.append)
    return [event.message for event in events if isinstance(event, Notice)]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def models(*numbers: int) -> set[str]:
    return {f"tags_v{number}-20260101-000000" for number in numbers}


def test_all_stay_unless_it_is_said_how_many(home: Path) -> None:
    assert keep(home) == []
    assert len(names_in(data_dir(home))) == len(names_in(models_dir(home))) == 4


def test_the_newest_stay_and_each_removal_is_said(home: Path) -> None:
    said = keep(home, data=1, models=3)
    assert names_in(data_dir(home)) == {"tags_v2", "tags_v4"}
    assert names_in(models_dir(home)) == models(2, 3, 4)
    assert len(said) == 3
    assert all("was removed: [keep] says how many stay" in line for line in said)


def test_the_live_model_stays_however_old_and_so_do_its_data(home: Path) -> None:
    keep(home, data=1, models=1)
    assert names_in(models_dir(home)) == models(2, 4)
    assert names_in(data_dir(home)) == {"tags_v2", "tags_v4"}


def test_data_that_an_unfinished_training_needs_stay(home: Path) -> None:
    manifest = data_dir(home) / "tags_v1" / "manifest.json"
    stored = json.loads(manifest.read_bytes()) | {"checksum": "of its own"}
    write_json(manifest, stored)
    write_json(models_dir(home) / "tags_v1-20260102-000000.partial" / "plan.json", {"data": "of its own"})
    keep(home, data=1)
    assert names_in(data_dir(home)) == {"tags_v1", "tags_v2", "tags_v4"}


def test_what_get_tags_did_not_make_or_name_stays(home: Path) -> None:
    (models_dir(home) / "tags_v1-20260101-000000").rename(models_dir(home) / "favourite")  # by who means to keep it
    for path in (data_dir(home) / "tags_v0_old", models_dir(home) / "tags_v1_bert"):
        path.mkdir()
        (path / "data.pkl").write_bytes(b"old")
    keep(home, data=1, models=1)
    assert names_in(data_dir(home)) == {"tags_v0_old", "tags_v2", "tags_v4"}
    assert names_in(models_dir(home)) == models(2, 4) | {"favourite", "tags_v1_bert"}


def test_what_cannot_be_removed_stays_with_a_word(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(source: Path, target: Path) -> None:
        raise PermissionError(13, "held by a program", str(source))

    monkeypatch.setattr("get_tags_train.maintenance.inventory.rename", held)
    said = keep(home, data=3)
    assert "tags_v1" in names_in(data_dir(home))
    assert "could not be removed" in said[0]
    assert "held by a program" in said[0]


def test_what_could_go_are_models_older_than_the_newest_but_for_the_live_one(home: Path) -> None:
    found = {one.folder.name for one in find_unneeded(home, home / "_live") if one.group == "models"}
    assert found == models(1, 3)


def test_no_model_could_go_before_one_is_live(home: Path) -> None:
    shutil.rmtree(home / "_live")
    assert {one.group for one in find_unneeded(home, home / "_live")} == {"data"}
