"""Commands as people type them, wherever they stand and whether the environment is active or not."""

import os
import sys
from pathlib import Path

import pytest

from get_tags_train.cli.shell import _quoted, as_shell_command, command

PROGRAM = "get-tags.exe" if os.name == "nt" else "get-tags"
SAID = "Remove it with get-tags data remove; get-tags.toml and get-tags-train stay."


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


def test_an_active_environment_needs_the_name_alone(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(environment))
    assert as_shell_command(SAID) == SAID


def test_elsewhere_the_program_is_named_by_its_path(environment: Path) -> None:
    assert as_shell_command(SAID) == SAID.replace("get-tags data", f"{Path('venv', 'bin', PROGRAM)} data")


def test_outside_of_the_folder_the_path_is_whole(
    environment: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert as_shell_command("get-tags models") == f"{environment / PROGRAM} models"


def test_in_its_own_folder_the_program_is_still_found(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(environment)
    assert as_shell_command("get-tags models") == f".{os.sep}{PROGRAM} models"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder where somebody stands")
def test_where_the_reader_stands_may_be_gone(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert as_shell_command("get-tags models") == f"{environment / PROGRAM} models"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_on_the_path_will_do(environment: Path, tmp_path: Path) -> None:
    (tmp_path / PROGRAM).symlink_to(environment / PROGRAM)
    assert as_shell_command(SAID) == SAID


@pytest.mark.parametrize("text", ["get-tags sorts by id itself", "/srv/old get-tags home", "run get-tags now"])
def test_what_is_no_command_stays(environment: Path, text: str) -> None:
    assert as_shell_command(text) == text


@pytest.mark.parametrize(
    ("word", "quoted"), [("C:\\R&D\\allan", '"C:\\R&D\\allan"'), ("C:\\a b", '"C:\\a b"'), ("C:\\allan", "C:\\allan")]
)
def test_windows_shells_take_a_quoted_word_for_itself(word: str, quoted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("get_tags_train.cli.shell.os.name", "nt")
    assert _quoted(word) == quoted


def test_what_is_as_typed_already_stays(environment: Path) -> None:
    assert as_shell_command(as_shell_command(SAID)) == as_shell_command(SAID)


def test_without_a_program_beside_python_the_name_stays(environment: Path) -> None:
    (environment / PROGRAM).unlink()
    assert as_shell_command(SAID) == SAID


def test_a_command_names_a_home_that_is_not_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GET_TAGS_HOME", str(tmp_path))
    assert command("deploy", "tags_v1-20261123-101500", home=tmp_path) == "get-tags deploy tags_v1-20261123-101500"
    assert command("deploy", home=tmp_path / "a b").endswith(("a b'", 'a b"'))
