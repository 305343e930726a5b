"""Commands as people type them, wherever they stand and whether the environment is active or not."""

import os
import sys
from pathlib import Path

import pytest

from get_tags_train.cli.shell import _quoted, is_command, split_command, write_command
from get_tags_train.core.i18n import Command

PROGRAM = "get-tags.exe" if os.name == "nt" else "get-tags"


@pytest.fixture(autouse=True)
def usual_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GET_TAGS_HOME", str(tmp_path / "usual"))
    return tmp_path / "usual"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an environment's programs, ours among them, that is not on the path."""
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    (folder / PROGRAM).touch(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return folder


def written(*words: str) -> str:
    return write_command(Command(*words), home=Path(os.environ["GET_TAGS_HOME"]))


def test_an_active_environment_needs_the_name_alone(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(environment))
    assert written("models") == "get-tags models"


def test_elsewhere_the_program_is_named_by_its_whole_path(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("data", "remove", "tags_v1") == f"{environment / PROGRAM} data remove tags_v1"
    monkeypatch.chdir(environment)
    assert written("models") == f"{environment / PROGRAM} models"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder where somebody stands")
def test_where_the_reader_stands_may_be_gone(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert written("models") == f"{environment / PROGRAM} models"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_on_the_path_will_do(environment: Path, tmp_path: Path) -> None:
    (tmp_path / PROGRAM).symlink_to(environment / PROGRAM)
    assert written("models") == "get-tags models"


def test_without_a_program_beside_python_the_name_stays(environment: Path) -> None:
    (environment / PROGRAM).unlink()
    assert written("models") == "get-tags models"


@pytest.mark.parametrize(
    ("word", "quoted"), [("C:\\R&D\\allan", '"C:\\R&D\\allan"'), ("C:\\a b", '"C:\\a b"'), ("C:\\allan", "C:\\allan")]
)
def test_windows_shells_take_a_quoted_word_for_itself(word: str, quoted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("get_tags_train.cli.shell.os.name", "nt")
    assert _quoted(word) == quoted


def test_a_command_names_a_home_and_settings_that_are_not_the_usual_ones(tmp_path: Path) -> None:
    said = write_command(Command("deploy"), home=tmp_path / "a b", config_path=tmp_path / "own.toml")
    assert f"deploy --config {tmp_path / 'own.toml'} --home " in said
    assert said.endswith(("a b'", 'a b"'))
    assert written("deploy").endswith("deploy")


def test_help_needs_no_home(tmp_path: Path) -> None:
    assert write_command(Command("--help"), home=tmp_path).endswith("get-tags --help")


def test_a_line_that_is_a_command_is_known(environment: Path) -> None:
    assert is_command(f"  {written('data', 'remove', 'tags_v1')}")
    assert is_command("get-tags models")
    assert not is_command("Remove it: get-tags data remove tags_v1")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("To list them: get-tags models --home /a", ("To list them:", "get-tags models --home /a")),
        (
            "To read all: get-tags extract --full. Then go on.",
            ("To read all: get-tags extract --full. Then go on.", ""),
        ),
        ("No command at all: none", ("No command at all: none", "")),
    ],
)
def test_the_command_that_ends_a_line_is_found(line: str, parts: tuple[str, str]) -> None:
    assert split_command(line) == parts
