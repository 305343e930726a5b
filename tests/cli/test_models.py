"""`get-tags models show` and `models compare`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from get_tags_train.cli.main import app


@pytest.fixture
def home(tmp_path: Path, small_model: Path) -> Path:
    for name, epochs, tag in (("one", 1, "new"), ("two", 4, "old")):
        folder = Path(shutil.copytree(small_model, tmp_path / "_models" / name))
        facts = json.loads((folder / "get_tags.json").read_text(encoding="utf-8"))
        facts |= {"name": name, "settings": {**facts["settings"], "epochs": epochs}}
        facts["tags"].append({"tag": tag})
        (folder / "get_tags.json").write_text(json.dumps(facts), encoding="utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *args: object) -> Any:
    with pytest.raises(SystemExit) as end:
        app(args=["models", *map(str, args)])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_a_model_is_shown_in_words(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    shown = run(capsys, "show", "one", "--home", home)
    assert "1 epoch, cpu, fp32" in shown
    assert "Other settings" in shown
    assert not set("{}'") & set(shown)


def test_a_model_of_somebody_elses_is_said_to_be(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    (home / "foreign").mkdir()
    assert "was not made by get-tags" in run(capsys, "show", home / "foreign", "--home", home)


def test_two_models_stand_side_by_side(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    compared = json.loads(run(capsys, "compare", "one", "two", "--json", "--home", home))
    assert compared["settings"] == {"epochs": [1, 4]}
    assert compared["same_data"]
    assert compared["tag_changes"] == {"came": ["old"], "gone": ["new"], "renamed": []}
    shown = run(capsys, "compare", "one", "two", "--home", home)
    assert "Only the second predicts: old" in shown
    assert "not scored on the same test samples" in shown  # they were not scored at all
