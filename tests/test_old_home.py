"""A home that an older tool has used: its files lie beside ours, and nothing happens to them."""

import shutil
from pathlib import Path

import pytest

from get_tags_train.cli.main import app
from get_tags_train.core.home import live_model

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
