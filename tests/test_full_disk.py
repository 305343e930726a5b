"""A disk that fills stops an extraction in words, and loses nothing: a real file system of a few hundred kilobytes."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import fill, unavailable, write_settings
from typer.testing import CliRunner

from get_tags_train.cli.main import app
from get_tags_train.data.prepared import PreparedData

pytestmark = pytest.mark.server  # as the servers do, it needs root

ROWS = [(n, None, f"Documentul {n}: " + "prestarea serviciilor de curățenie " * 20) for n in range(1, 601)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not mounted(folder, "size=600k"):
        unavailable("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=False)


def mounted(folder: Path, options: str) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False).returncode == 0


def extract(home: Path) -> tuple[int, dict[str, dict[str, object]]]:
    done = CliRunner().invoke(app, ["extract", "--yes", "--json", "--home", str(home)])
    return done.exit_code, json.loads(done.stdout)


def test_a_full_disk_is_told_and_the_run_is_continued(
    small_disk: Path, tmp_path: Path, demo_tokenizer_folder: Path
) -> None:
    fill(f"sqlite:///{tmp_path / 'test.db'}", ROWS, [(n, "t") for n, *_ in ROWS])
    for home in (small_disk, tmp_path):
        write_settings(home, f"sqlite:///{tmp_path / 'test.db'}", str(demo_tokenizer_folder))
    code, said = extract(small_disk)
    assert code == 1
    assert (
        said["error"]["hint"]
        == "The disk is full. Free some space and run the same command again: it resumes, nothing is lost."
    )
    assert not list((small_disk / "_cache" / "_data").rglob("*.tmp"))
    assert mounted(small_disk, "remount,size=100m")
    code, said = extract(small_disk)
    assert (code, said["data"]["resumed"]) == (0, True)
    PreparedData(Path(str(said["data"]["path"]))).verify()
    assert said["data"]["checksum"] == extract(tmp_path)[1]["data"]["checksum"]
