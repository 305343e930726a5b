"""Several processes train one model together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from databases import free_port, prepare_small

import get_tags_train
from get_tags_train.home import model_names, models_dir

pytestmark = pytest.mark.skipif(os.name == "nt", reason="gloo and launchers are tried on Linux")


def command(home: Path, *flags: object) -> list[str]:
    return [
        *("-m", "get_tags_train", "train", "--source", "cached", "--yes", "--json", "--home", str(home)),
        *map(str, flags),
    ]


def start(arguments: list[str], **environment: str) -> "subprocess.Popen[str]":
    known = {name: value for name, value in os.environ.items() if not name.startswith("GET_TAGS_")}
    return subprocess.Popen(
        [sys.executable, "-P", *arguments],
        env={**known, "PYTHONPATH": str(Path(get_tags_train.__file__).parents[1]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_make_one_model(tmp_path: Path, demo_home: Path) -> None:
    prepare_small(tmp_path, demo_home, demo_home / "demo_bert")
    (tmp_path / "get-tags.toml").write_text(f"[training]\nbase_model = '{demo_home / 'demo_bert'}'\n")
    (tmp_path / "test_samples_tags.csv").write_bytes((demo_home / "test_samples_tags.csv").read_bytes())
    flags = ("--epochs", 2, "--context-length", 24, "--batch-size", 8)
    port = str(free_port())
    processes = [
        start(command(tmp_path, *flags), RANK=str(n), LOCAL_RANK=str(n), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
              MASTER_PORT=port)
        for n in (0, 1)
    ]  # fmt: skip
    (out, err), (assistant_out, assistant_err) = [process.communicate(timeout=110) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], err + assistant_err
    result = json.loads(out)
    (name,) = model_names(tmp_path)
    assert result["model"]["name"] == name
    assert (assistant_out, "Training" in assistant_err) == ("", False)
    assert [path.name for path in models_dir(tmp_path).iterdir()] == [name]
    facts = json.loads((models_dir(tmp_path) / name / "get_tags.json").read_text(encoding="utf-8"))
    assert facts["processes"] == 2
    assert facts["steps"] == 2 * -(-facts["examples"] // 8)
