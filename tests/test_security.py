"""Nothing from outside runs, no secret gets out, and what others wrote stays text."""

import csv
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import get_tags_train
from get_tags_train.cli.main import app
from get_tags_train.core.csv import as_cell, of_cell, write_csv
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.tables import read_columns
from get_tags_train.model import training_record
from get_tags_train.model.tagger import TagModel, TagScore
from get_tags_train.serving.predict import TextPrediction, lines

SECRETS = ["plant-Zk3#url", "plant-odbc-9", "plant-token-7", "plant-env-5"]
FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


@pytest.fixture
def model(small_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_model, tmp_path / "model"))


def put(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_code_that_comes_with_a_model_does_not_run(model: Path) -> None:
    ran = model.parent / "ran"
    for name in ("evil", "configuration_evil", "modeling_evil", "tokenization_evil"):
        (model / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\nclass X: pass\n", encoding="utf-8")
    names = ("AutoConfig", "AutoModelForSequenceClassification", "AutoTokenizer")
    put(model / "config.json", auto_map=dict.fromkeys(names, "evil.X"), model_type="evil")
    put(model / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.X", "evil.X"]}, tokenizer_class="X")
    with pytest.raises(GetTagsError):
        TagModel(model)
    put(model / "config.json", model_type="bert")
    with suppress(GetTagsError):
        TagModel(model)
    assert not ran.exists()


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickles_are_not_read(model: Path) -> None:
    ran = model.parent / "ran"
    content = pickle.dumps(Evil(ran))
    for name in ("pytorch_model.bin", "training_args.bin", "model.pkl"):
        (model / name).write_bytes(content)
    TagModel(model)
    (model / "model.safetensors").unlink()
    with pytest.raises(GetTagsError):
        TagModel(model)
    with (model / training_record.FILE).open("wb") as stream:
        np.save(stream, np.array([Evil(ran)], dtype=object), allow_pickle=True)
    with pytest.raises(GetTagsError, match="cannot be read"):
        training_record.was_trained_on(model, ["un text"])
    assert not ran.exists()


def test_secrets_stand_nowhere(demo_home: Path, tmp_path: Path) -> None:
    """Commands that work and that fail, with secrets in every place that may hold one."""
    home = tmp_path / "home"
    shutil.copytree(demo_home, home)
    url, odbc, token, env = SECRETS
    encoded = url.replace("#", "%23")
    urls = [
        f"mssql+pyodbc://user:{encoded}@127.0.0.1:9/db?driver=None",
        f"mssql+pyodbc:///?odbc_connect=DRIVER%3Dnone%3BSERVER%3Dx%3BUID%3Du%3BPWD%3D{odbc}",
        f"postgresql+psycopg://user:{encoded}@127.0.0.1:9/db",
        f"nonsense+driver://user:{encoded}@host/db",
        f"not a url {encoded}",
        f"sqlite:///{home / 'demo.db'}",
    ]
    configs = [{"GET_TAGS_DATABASE_URL": config, "GET_TAGS_DATABASE_PASSWORD": env} for config in urls[:-1]]
    configs.append({"GET_TAGS_DATABASE_URL": urls[-1], "GET_TAGS_DATABASE_PASSWORD": ""})
    everywhere = {"GET_TAGS_SERVE_TOKEN": token, "GET_TAGS_DATABASE_RETRY_SECONDS": "0", "COLUMNS": "1000"}
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(home), json.dumps(configs)],
        capture_output=True, text=True, env=os.environ | everywhere, timeout=110,
    )  # fmt: skip
    assert "ended" in done.stdout, done.stderr
    said = done.stdout + done.stderr
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        f'[database]\nurl = ["{url}"]\npassword = 7\n[serve]\ntoken = {{a = "{token}"}}\n', encoding="utf-8"
    )
    said += subprocess.run(
        [sys.executable, "-m", "get_tags_train", "models", "list", "--home", home, "--config", wrong],
        capture_output=True, text=True,
    ).stderr  # fmt: skip
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for secret in (*SECRETS, encoded):
        assert secret not in said
        assert secret.encode() not in written
    assert list((home / "_logs").glob("*-extract.log"))


def run(*line: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        app(args=[str(word) for word in line], prog_name="get-tags")
    return end.value.code


@pytest.fixture
def secret_home(
    small_home: Path, small_model: Path, demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A home with data and a model whose settings hold a password in the URL, one beside it, and a token."""
    home = tmp_path / "home"
    shutil.copytree(small_home / "_cache" / "_data", home / "_cache" / "_data")
    shutil.copytree(small_model, home / "_models" / small_model.name)
    shutil.copy(demo_home / "test_samples_tags.csv", home)
    url, odbc, token, env = SECRETS
    monkeypatch.setenv("GET_TAGS_SERVE_TOKEN", token)
    monkeypatch.setenv("GET_TAGS_DATABASE_PASSWORD", env)
    (home / "get-tags.toml").write_text(
        f"[database]\nurl = 'postgresql+psycopg://user:{url.replace('#', '%23')}@127.0.0.1:9/db?password={odbc}'\n"
        f"[training]\nbase_model = '{demo_home / 'demo_bert'}'\n[evaluation]\nbaseline = false\n",
        encoding="utf-8",
    )
    return home


def assert_kept(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """None of the secrets stands on the screen or in any file but the settings."""
    said = "".join(capfd.readouterr()).encode()
    written = b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file() and p.name != "get-tags.toml")
    for secret in (*SECRETS, SECRETS[0].replace("#", "%23")):
        assert secret.encode() not in said
        assert secret.encode() not in written


def test_a_training_keeps_no_secret(secret_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = ["train", "--yes", "--source", "cached", "--epochs", "1", "--context-length", "16", "--deploy"]
    assert run(*line, "--home", secret_home) in (0, 3)  # whether or not it is good enough to go live
    assert run("evaluate", "--home", secret_home, "--json") == 0
    assert len(list((secret_home / "_models").glob("*/report.html"))) == 2
    assert_kept(secret_home, capfd)


def test_serving_keeps_no_secret(secret_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("deploy", "--home", secret_home) == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert run("serve", "--port", str(taken.getsockname()[1]), "--home", secret_home) == 1
    assert list((secret_home / "_logs").glob("*-serve.log"))
    assert_kept(secret_home, capfd)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (["train", "--yes"], "get_tags_train.pipeline.run"),
        (["train", "--yes", "--source", "cached"], "get_tags_train.pipeline.run"),
        (["serve"], "get_tags_train.serving.hot_reload.LiveModel"),
        (["doctor"], "get_tags_train.maintenance.doctor.run_checks"),
        (["samples"], "get_tags_train.splits.test_samples.Samples.read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_fault_says_no_secret_and_leaves_a_traceback(
    secret_home: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    line: list[str],
    where: str,
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot connect: {SECRETS}, {SECRETS[0].replace('#', '%23')}")

    monkeypatch.setattr(where, fault)
    assert run(*line, "--home", secret_home) == 1
    (log,) = (secret_home / "_logs").iterdir()
    content = log.read_text(encoding="utf-8")
    assert "Traceback" in content
    assert "cannot connect" in content
    assert_kept(secret_home, capfd)


COMMANDS = """
import json, os, sys
from get_tags_train.cli.main import app
for variables in json.loads(sys.argv[2]):
    os.environ |= variables
    for line in (["extract", "--yes"], ["extract", "--yes", "--json"], ["doctor"], ["models", "show", "none"]):
        try:
            app(args=[*line, "--home", sys.argv[1]])
        except SystemExit as end:
            print(line, end.code)
print("ended")
"""


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_csv_file_begins_a_formula(tmp_path: Path, formula: str) -> None:
    path = tmp_path / "held_out.csv"
    write_csv(path, [("id", "text"), (formula, formula), (-5, "+40.5")])
    with path.open(encoding="utf-8-sig", newline="") as stream:
        _, cells, numbers = csv.reader(stream)
    assert cells == [f"'{formula}"] * 2
    assert numbers == ["-5", "+40.5"]
    assert [row.cells for row in read_columns(path, ("id", "text"))] == [[formula] * 2, ["-5", "+40.5"]]
    predicted = "".join(lines([TextPrediction(formula, [TagScore(formula, 0.5)])], "csv"))
    assert f"'{formula}" in predicted.partition("\r\n")[2].replace('""', '"')


def test_csv_files_are_written_in_one_place() -> None:
    package = Path(get_tags_train.__file__).parent
    modules = {path.relative_to(package).as_posix(): path.read_text("utf-8") for path in package.rglob("*.py")}
    writers = {module for module, code in modules.items() if re.search(r"csv\.(Dict)?[wW]riter|to_csv", code)}
    assert writers == {"core/csv.py"}


@given(st.text())
def test_a_cell_comes_back_as_it_was(text: str) -> None:
    if not text.startswith("'"):
        assert of_cell(as_cell(text)) == text
    assert as_cell(text)[:1] not in {"=", "@", "\t", "\r"}
