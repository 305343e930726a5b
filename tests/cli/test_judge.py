"""`get-tags judge`: from two models to a sheet, from its marks to a verdict that counts."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from table_files import write_sheet

from get_tags_train.cli.main import app
from get_tags_train.core.files import read_json
from get_tags_train.core.home import models_dir


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as end:
        app(args=[str(arg) for arg in args], prog_name="get-tags")
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture
def home(tmp_path: Path, small_model: Path, blended_model: Path, demo_home: Path) -> Path:
    """A home with two models, `old` being live, and test samples that neither has seen."""
    home = tmp_path / "home"
    for name, model in (("old", small_model), ("new", blended_model)):
        shutil.copytree(model, models_dir(home) / name)
    shutil.copy(demo_home / "test_samples_tags.csv", home)
    assert run("deploy", "old", "--home", home) == 0
    return home


def mark(path: Path, key_path: str, right: set[str]) -> None:
    """Mark the sheet as a judge does for whom tags of these sources are right."""
    key = read_json(Path(key_path))
    header, *rows = [[cell or "" for cell in row] for row in load_workbook(path).active.iter_rows(values_only=True)]
    for row in rows:
        source = key["rows"][int(row[0].rpartition("-")[2]) - 1]["source"]
        row[header.index("mark")] = "right" if source in right else "wrong"
    write_sheet(path, [header, *rows])


def result(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_from_a_sheet_to_a_verdict_that_counts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("judge", "new", "--rows", 120, "--home", home, "--json") == 0
    sheet = result(capsys)
    assert (sheet["model"], sheet["live"]) == ("new", "old")
    assert 60 <= sheet["rows"] <= 180  # documents are drawn by chance, each with its rows
    path = Path(sheet["path"])
    assert path.parent == home / "_reviews"
    mark(path, str(path.with_suffix(".key.json")), {"live", "agreed"})
    assert run("judge", "import", path, "--home", home, "--json") == 0
    verdict = result(capsys)
    assert (verdict["verdict"], verdict["judged"]) == ("worse", sheet["to_judge"])
    assert verdict["kept_in"] == [str(models_dir(home) / name) for name in ("new", "old")]
    assert run("deploy", "new", "--home", home, "--json") == 3
    assert "people who did not know which was which prefer old" in result(capsys)["error"]["message"]
    assert "Judged by people" in (models_dir(home) / "new" / "report.html").read_text(encoding="utf-8")
    assert run("samples", "add", "--from", "judge", "--yes", "--home", home, "--json") == 2
    assert "test samples already" in result(capsys)["error"]["message"]


def test_what_cannot_be_judged_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for flags, said in (
        (["old"], "old is the live model"),
        (["new", "--rows", "20"], "20 rows are too few"),
        (["new", "--difference", "0.0001"], "cannot be told"),
        (["new", "--difference", "0.1", "--rows", "100"], "both given"),
        (["new", "--out", "sheet.pdf"], "not sheet.pdf"),
        (["new", "--newer"], "No newer documents were read yet"),
        (["import", "nowhere.xlsx"], "nowhere.xlsx"),
    ):
        assert run("judge", *flags, "--home", home, "--json") == 2
        assert said in result(capsys)["error"]["message"]
    assert not (home / "_reviews").exists()


def test_without_a_live_model_there_is_nothing_to_judge(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small_model, models_dir(tmp_path) / "new")
    assert run("judge", "--home", tmp_path, "--json") == 2
    assert "No model is live" in result(capsys)["error"]["message"]


def test_help_shows_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("judge", "--help") == 0
    shown = capsys.readouterr().out
    assert "draw" in shown
    assert "import" in shown
