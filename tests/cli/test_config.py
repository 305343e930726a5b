"""`get-tags config`: the settings in force, where each stands, and what is wrong with them."""

import json
import tomllib
from pathlib import Path

import pytest

from get_tags_train.cli.main import app


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        app(args=["config", *map(str, args)])
    assert isinstance(end.value.code, int)
    return end.value.code, capsys.readouterr().out


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "get-tags.toml").write_text('[database]\nurl = "sqlite:///x.db"\n[training]\nepochs = 3\n')
    return tmp_path


def test_each_setting_is_shown_with_where_it_was_set(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GET_TAGS_EVALUATION_TOP_K", "7")
    other = home / "other.toml"
    other.write_text("[training]\nseed = 1\n")
    _code, shown = run(capsys, "show", "--home", home, "--config", other)
    assert f"epochs = 3  # {home / 'get-tags.toml'}" in shown
    assert f"seed = 1  # {other}" in shown
    assert "top_k = 7  # GET_TAGS_EVALUATION_TOP_K" in shown
    assert "batch_size = 16  # the shipped defaults" in shown
    assert tomllib.loads(shown)["training"]["epochs"] == 3


def test_passwords_are_not_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "get-tags.toml").write_text(
        '[database]\nurl = "postgresql+psycopg://u:geheim@h/d"\n[serve]\ntoken = "tok1"\n'
    )
    monkeypatch.setenv("GET_TAGS_DATABASE_PASSWORD", "zweites")
    for flags in ([], ["--json"]):
        _code, shown = run(capsys, "show", "--home", tmp_path, *flags)
        assert "u:***@h" in shown
        assert not {word for word in ("geheim", "zweites", "tok1") if word in shown}


def test_all_that_is_wrong_is_said_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "get-tags.toml").write_text('[training]\nepochs = "x"\nbatch_size = -1\nfoo = 1\n[nope]\na = 1\n')
    code, shown = run(capsys, "check", "--json", "--home", tmp_path)
    assert code == 2
    said = [problem["message"] for problem in json.loads(shown)["problems"]]
    assert [any(name in message for message in said) for name in ("epochs", "batch_size", "foo", "[nope]")] == [
        True
    ] * 4
    assert len(said) == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('url = "nonsense"', "[database] url is not a database URL."),
        ('documents_query = "DROP TABLE x"', "[database] documents_query is not a single SELECT."),
        ("url = ", "is not valid TOML"),
    ],
)
def test_url_and_queries_are_checked_without_a_database(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "get-tags.toml").write_text(f"[database]\n{line}\n")
    code, shown = run(capsys, "check", "--home", tmp_path)
    assert code == 2
    assert said in shown


def test_right_settings_pass(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, shown = run(capsys, "check", "--home", home)
    assert code == 0
    assert "The settings are valid." in shown
