"""Before a model goes live: what is said, and when one is asked twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from get_tags_train.cli import prompts
from get_tags_train.cli.deploy_gate import confirm_concerns
from get_tags_train.cli.main import app
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.home import live_model, models_dir
from get_tags_train.model.metadata import METADATA_FILE

WORSE = {"rival": "live", "rival_name": "old", "verdict": "worse", "sentence": "Worse than the live model old."}
BETTER = {**WORSE, "verdict": "better", "sentence": "Better than the live model old."}


def evaluation(*comparisons: dict[str, Any], gone: list[str] | None = None) -> dict[str, Any]:
    return {"comparisons": list(comparisons), "tag_changes": {"came": [], "gone": gone or [], "renamed": []}}


@pytest.mark.parametrize(
    ("answer", "wanted"), [("y\r", True), ("n\r", False), ("\r", False)], ids=["yes", "no", "just enter"]
)
def test_a_worse_model_is_asked_about_again(answer: str, wanted: bool) -> None:
    said: list[str] = []
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(answer)
        assert confirm_concerns(evaluation(WORSE), "new", ask=True, say=said.append) is wanted
    assert said[0] == WORSE["sentence"]


def test_where_nobody_can_be_asked_a_worse_model_is_held_back() -> None:
    said: list[str] = []
    assert not confirm_concerns(evaluation(WORSE), "new", ask=False, say=said.append)
    assert said[-1] == "Not deployed. To deploy it anyway: get-tags deploy new --yes"


def test_a_model_that_loses_tags_in_use_is_asked_about_again() -> None:
    said: list[str] = []
    assert not confirm_concerns(evaluation(BETTER, gone=["taxe"]), "new", ask=False, say=said.append)
    assert "taxe" in said[0]


def test_a_better_model_goes_through_without_a_word() -> None:
    said: list[str] = []
    assert confirm_concerns(evaluation(BETTER), "new", ask=False, say=said.append)
    assert said == []


@pytest.fixture
def home(tmp_path: Path, small_home: Path, small_model: Path, demo_home: Path) -> Path:
    """A home with a live model, `old`, and a model `new` that lacks one of its tags."""
    home = tmp_path / "home"
    for name in ("old", "new"):
        folder = Path(shutil.copytree(small_model, models_dir(home) / name))
        facts = read_json(folder / METADATA_FILE)
        facts["files"] = {k: v for k, v in facts["files"].items() if k == "model.safetensors"}
        if name == "old":
            facts["tags"] = [*facts["tags"], {"tag": "vechi", "documents": 7}]
            facts["created"] = "2020-01-01T00:00:00+02:00"
            weights = folder / "tokenizer_config.json"  # so that they are not one model
            weights.write_text(json.dumps(json.loads(weights.read_text(encoding="utf-8"))), encoding="utf-8")
            facts["files"] = {}
            (folder / "trained_texts.npy").unlink()
        write_json(folder / "get_tags.json", facts)
    shutil.copy(demo_home / "test_samples_tags.csv", home)
    assert run("deploy", "old", "--home", home) == 0
    return home


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as end:
        app(args=[str(arg) for arg in args], prog_name="get-tags")
    assert isinstance(end.value.code, int)
    return end.value.code


def test_deploy_without_a_terminal_refuses_what_loses_tags(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("deploy", "new", "--json", "--home", home) == 1
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert "--yes" in error["hint"]
    assert "new was not deployed" in error["message"]
    assert "Tags that go, against the live model: vechi" in printed.err
    assert "No fair comparison with the live model old" in printed.err
    assert live_model(home / "_live").name == "old"
    assert run("deploy", "new", "--yes", "--json", "--home", home) == 0
    assert live_model(home / "_live").name == "new"


def test_deploy_in_a_terminal_asks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "can_ask", lambda: True)
    for answer, code, live in (("n\r", 130, "old"), ("y\r", 0, "new")):
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(answer)
            assert run("deploy", "new", "--home", home) == code
        assert live_model(home / "_live").name == live


def test_without_test_samples_a_model_is_deployed_with_a_word(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "test_samples_tags.csv").unlink()
    assert run("deploy", "new", "--home", home) == 0
    assert "not compared with the live one" in " ".join(capsys.readouterr().err.split())
