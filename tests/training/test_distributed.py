"""Several processes train one model together."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from databases import free_port, prepare_small, settings_for, silent
from safetensors.torch import load_file

import get_tags_train
from get_tags_train.core.files import read_json
from get_tags_train.core.home import data_dir, model_names, models_dir
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.train import train

TRAINING = {"epochs": 2, "context_length": 24, "batch_size": 7}


@pytest.fixture
def home(tmp_path: Path, demo_home: Path) -> Path:
    """A home with 60 documents, whose base model has no dropout: chance does not tell one process from two."""
    prepare_small(tmp_path, demo_home, demo_home / "demo_bert")
    base_model = Path(shutil.copytree(demo_home / "demo_bert", tmp_path / "bert"))
    config = json.loads((base_model / "config.json").read_text(encoding="utf-8"))
    (base_model / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.0}), encoding="utf-8")
    settings = "\n".join(f"{key} = {value}" for key, value in TRAINING.items())
    written = f"[training]\nbase_model = '{base_model}'\ndevice = 'cpu'\nprecision = 'fp32'\n{settings}\n"
    written += "[evaluation]\nheld_out = 0.0\n"
    (tmp_path / "get-tags.toml").write_text(written, encoding="utf-8")
    shutil.copy(demo_home / "test_samples_tags.csv", tmp_path)
    return tmp_path


def start(home: Path, rank: int, port: int) -> "subprocess.Popen[str]":
    """A process as torchrun and accelerate launch start it."""
    launched = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    arguments = ["-m", "get_tags_train", "train", "--source", "cached", "--yes", "--json", "--home", str(home)]
    return subprocess.Popen(
        [sys.executable, "-P", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(get_tags_train.__file__).parents[1]),
            **{name: str(value) for name, value in launched.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="torch has no gloo for more than one process everywhere on Windows")
def test_two_processes_make_the_model_that_one_makes(home: Path) -> None:
    port = free_port()
    processes = [start(home, rank, port) for rank in (0, 1)]
    (out, err), (worker_out, worker_err) = [process.communicate(timeout=110) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], err + worker_err
    (name,) = model_names(home)
    assert json.loads(out)["model"]["name"] == name
    assert [path.name for path in models_dir(home).iterdir()] == [name]
    assert worker_out == ""
    assert not any(said in worker_err for said in ("Training", "epoch", "Error"))

    data = PreparedData(data_dir(home) / "tags_v1")
    settings = settings_for(home, training={"base_model": str(home / "bert"), **TRAINING})
    nothing = np.zeros(data.manifest.documents_kept, bool)
    tokenizer = load_tokenizer(settings.base_model)
    alone = train(settings, data, nothing, tokenizer=tokenizer, device="cpu", on_event=silent).folder
    facts, facts_alone = read_json(models_dir(home) / name / METADATA_FILE), read_json(alone / METADATA_FILE)
    assert (facts["processes"], facts_alone["processes"]) == (2, 1)
    assert {facts["steps"], facts_alone["steps"]} == {2 * -(-facts["examples"] // 7)}
    weights = load_file(models_dir(home) / name / "model.safetensors")
    for key, weight in load_file(alone / "model.safetensors").items():
        assert torch.allclose(weights[key], weight, atol=1e-3), key
    assert [epoch["loss"] for epoch in facts["epochs"]] == pytest.approx(
        [epoch["loss"] for epoch in facts_alone["epochs"]], rel=1e-3
    )


@pytest.mark.skipif(os.name == "nt", reason="torch has no gloo for more than one process everywhere on Windows")
def test_a_worker_that_does_not_see_the_data_ends_all(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Path(shutil.copytree(home, tmp_path_factory.mktemp("other") / "home"))
    shutil.rmtree(data_dir(other))
    port = free_port()
    processes = [start(home, 0, port), start(other, 1, port)]
    (_, err), (_, worker_err) = [process.communicate(timeout=110) for process in processes]
    assert [process.returncode for process in processes] == [1, 2], err + worker_err
    assert "Process 1 cannot join the training" in err
    assert "one folder that all of them see" in " ".join(err.split())
    assert "tags_v1" in worker_err
    assert model_names(home) == []
