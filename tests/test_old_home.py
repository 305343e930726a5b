"""Homes made before: an older tool's files stay as they are, and what an earlier version made opens as before."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from get_tags_train.cli.main import app
from get_tags_train.core.home import live_model
from get_tags_train.text.clean import RULES_VERSION

OLD = {
    "_cache/_data/tags_v7/train.pkl": b"old data",
    "_cache/_data/tags_v9_labels.pkl": b"old labels",
    "_cache/_data/tags_v12.json": b"{",
    "_models/tags_v7/pytorch_model.bin": b"old model",
    "_models/tags_v7/config.json": b"{}",
    "_models/tags_v11.pt": b"old weights",
    "_live/get_tags/pytorch_model.bin": b"what the API reads",
    "_live/notes.txt": b"do not touch",
    "train_tags.py": b"import pickle",
}


@pytest.fixture
def home(tmp_path: Path, small_home: Path, small_model: Path, demo_home: Path) -> Path:
    home = tmp_path / "allan"
    shutil.copytree(small_model, home / "_models" / small_model.name)
    for name in ("demo.db", "test_samples_tags.csv"):
        shutil.copy(demo_home / name, home)
    shutil.copy(small_home / "ids.csv", home)
    (home / "get-tags.toml").write_text(
        f"[database]\nurl = 'sqlite:///demo.db'\n[training]\nbase_model = '{demo_home / 'demo_bert'}'\n",
        encoding="utf-8",
    )
    for name, content in OLD.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)
    return home


def run(*line: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        app(args=[str(word) for word in line], prog_name="get-tags")
    return end.value.code


def test_commands_leave_what_an_older_tool_has_made(home: Path, small_model: Path) -> None:
    assert run("extract", "--yes", "--source", "ids", "--home", home) == 0
    assert (home / "_cache" / "_data" / "tags_v13" / "manifest.json").is_file()  # one more than any name there
    for line in (["data"], ["models"], ["data", "verify", "--all"], ["models", "verify"], ["samples"]):
        assert run(*line, "--home", home) == 0, line
    assert run("data", "show", "tags_v7", "--home", home) == 2
    assert run("deploy", small_model.name, "--yes", "--home", home) == 0
    assert live_model(home / "_live").name == small_model.name
    assert run("rollback", "--home", home) == 0
    for name, content in OLD.items():
        assert (home / name).read_bytes() == content, name


@pytest.fixture
def before_the_folders(tmp_path: Path) -> Path:
    """A home as the version before this layout left it, packed by make_old_home.py."""
    with zipfile.ZipFile(Path(__file__).with_name("old_home.zip")) as packed:
        packed.extractall(tmp_path / "earlier")
    return tmp_path / "earlier"


@pytest.fixture
def recorded(before_the_folders: Path) -> dict[str, Any]:
    """What that version's commands printed."""
    found: dict[str, Any] = json.loads((before_the_folders / "recorded.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def printed(before_the_folders: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What a command prints as JSON for that home."""

    def of(*line: str) -> Any:
        capsys.readouterr()
        assert run(*line, "--json", "--home", before_the_folders) == 0
        return json.loads(capsys.readouterr().out)

    return of


def test_data_made_before_are_whole_and_described_as_before(
    printed: Callable[..., Any], recorded: dict[str, Any]
) -> None:
    (verified,) = printed("data", "verify", "--all")["data"]
    assert verified == {"name": "tags_v1", "checksum": recorded["data"]["checksum"]}
    shown = printed("data", "show")
    shown["figures"].pop("removed")  # nobody measured it then
    for key in ("documents_kept", "documents_read", "dropped", "tags", "figures", "respelt_tags"):
        assert shown[key] == recorded["data"][key], key


def test_a_model_made_before_is_whole_and_listed_as_before(
    printed: Callable[..., Any], recorded: dict[str, Any]
) -> None:
    printed("models", "verify")
    (model,) = printed("models")["models"]
    (before,) = recorded["models"]["models"]
    assert {key: value for key, value in model.items() if key != "bytes"} == {
        key: value for key, value in before.items() if key != "bytes"
    }


def test_a_model_made_before_is_shown(before_the_folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "show", "--home", before_the_folders) == 0
    assert "precision@k" in capsys.readouterr().out


def test_a_model_made_before_predicts_what_it_did(printed: Callable[..., Any], recorded: dict[str, Any]) -> None:
    for text, before in zip(recorded["texts"], recorded["predictions"], strict=True):
        (now,) = printed("predict", text)
        assert [tag["tag"] for tag in now["tags"]] == [tag["tag"] for tag in before]
        assert [tag["score"] for tag in now["tags"]] == pytest.approx([tag["score"] for tag in before], abs=1e-4)


def test_a_model_made_before_is_evaluated_as_it_was(printed: Callable[..., Any], recorded: dict[str, Any]) -> None:
    now = printed("evaluate")
    for key in ("precision_at_k", "recall_at_k", "micro_f1", "intervals", "samples_sha256", "trained_on"):
        assert now[key] == recorded["evaluation"][key], key


def test_metadata_made_before_are_kept_when_an_evaluation_is_added(
    before_the_folders: Path, printed: Callable[..., Any]
) -> None:
    (path,) = (before_the_folders / "_models").glob("*/get_tags.json")
    earlier = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(earlier | {"of_a_later_version": {"kept": [1, None]}}), encoding="utf-8")
    printed("evaluate")
    now = json.loads(path.read_text(encoding="utf-8"))
    assert len(now.pop("evaluations")) == len(earlier.pop("evaluations")) + 1
    assert now == earlier | {"of_a_later_version": {"kept": [1, None]}}


def test_data_made_before_are_trained_on_and_the_old_model_is_rolled_back_to(
    printed: Callable[..., Any], recorded: dict[str, Any]
) -> None:
    (first,) = recorded["history"]
    trained = printed("train", "--yes", "--source", "cached", "--data", "tags_v1", "--deploy")
    assert trained["data"]["checksum"] == recorded["data"]["checksum"]
    assert trained["deployed"]
    printed("rollback")
    assert [change["name"] for change in printed("history")] == [first["name"], trained["model"]["name"], first["name"]]
    (now,) = printed("predict", recorded["texts"][0])
    assert [tag["tag"] for tag in now["tags"]] == [tag["tag"] for tag in recorded["predictions"][0]]


def test_documents_held_out_before_stay_held_out(before_the_folders: Path, printed: Callable[..., Any]) -> None:
    before = (before_the_folders / "held_out.csv").read_bytes()
    printed("train", "--yes", "--source", "cached", "--data", "tags_v1", "--no-deploy")
    assert (before_the_folders / "held_out.csv").read_bytes() == before


def test_an_extraction_begun_before_is_continued_or_said_not_to_be(
    before_the_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Continued while text is cleaned as it was then; once the rules have changed, what is left is named."""
    plan_path = before_the_folders / "_cache" / "_data" / "tags_v2.partial" / "plan.json"
    rules_then = json.loads(plan_path.read_text(encoding="utf-8"))["text_rules"]
    assert run("extract", "--yes", "--json", "--source", "database", "--home", before_the_folders) == 0
    output = capsys.readouterr()
    data = json.loads(output.out)["data"]
    assert data["documents_read"] == 60
    assert data["resumed"] == (rules_then == RULES_VERSION)
    if rules_then != RULES_VERSION:
        assert plan_path.is_file()
        assert "tags_v2.partial is not resumed" in " ".join(output.err.split())
