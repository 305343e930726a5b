"""Before a model goes live: what is said, and when one is asked twice."""

import json
import shutil
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from get_tags_train.cli import prompts
from get_tags_train.cli.console import Console
from get_tags_train.cli.deploy_gate import DeployGate
from get_tags_train.cli.main import app
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.home import live_model, models_dir
from get_tags_train.data.extract import DataResult
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.pipeline import ModelResult, RunResult


def result(*, precision: float = 0.8) -> RunResult:
    """Of a run whose model is no better than always naming the most frequent tags from a precision of .2 down."""
    evaluation = {
        "model": "new",
        "live": None,
        "set": "test samples",
        "examples": 120,
        "top_k": 1,
        "comparisons": [],
        "read_by": "get-tags",
        "min_precision_at_k": 0.0,
        "precision_at_k": {"1": precision},
        "most_frequent_precision_at_k": {"1": 0.2},
        "intervals": {"precision_at_k": {"1": [precision - 0.05, precision + 0.05]}},
    }
    data = DataResult("tags_v1", "", "database", 1, 1, {}, 0, 1, "", False, 1.0, {})
    model = ModelResult("new", "new", "bert", 1, 1, 8, 1, "cpu", "fp32", False, 1.0)
    return RunResult(data, model, evaluation, {}, False, None, 1.0)


def gate(wanted: bool | None, *, ask: bool = False) -> DeployGate:
    return DeployGate(wanted, ask, Console(as_json=False))


def test_a_weak_model_is_not_deployed_unasked() -> None:
    unasked = gate(True)
    assert not unasked(result(precision=0.2))
    assert unasked.is_refused


def test_a_good_model_is_deployed_where_that_was_wanted() -> None:
    assert gate(True)(result())
    for unwanted in (gate(None), gate(False)):
        assert not unwanted(result())
        assert not unwanted.is_refused


@pytest.mark.parametrize(
    ("answer", "wanted"), [("y\r", True), ("n\r", False), ("\r", False)], ids=["yes", "no", "just enter"]
)
@pytest.mark.parametrize("precision", [0.8, 0.2])
def test_people_are_asked_after_they_have_seen_what_came_of_it(
    answer: str, wanted: bool, precision: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(answer)
        asked = gate(None, ask=True)
        assert asked(result(precision=precision)) is wanted
    assert not asked.is_refused
    said = capsys.readouterr().err
    assert ("Do not deploy new" in said) == (precision == 0.2)
    assert f"Report: {Path('new') / 'report.html'}" in said


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
    assert run("deploy", "new", "--json", "--home", home) == 3
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert "--yes" in error["hint"]
    assert "new was not deployed" in error["message"]
    assert "it no longer knows a tag of the live model (vechi)" in " ".join(printed.err.split())
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
