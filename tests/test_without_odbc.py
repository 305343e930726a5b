"""A machine without unixODBC: everything but ODBC works there, and a URL that needs it is told what to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What importing pyodbc says where the system library is absent.
SAID = "libodbc.so.2: cannot open shared object file: No such file or directory"
# Each test starts Python with all our libraries anew.
pytestmark = pytest.mark.timeout(300)
IMPORT_ALL = """
import importlib, pkgutil, sys
import get_tags_train

for module in pkgutil.walk_packages(get_tags_train.__path__, "get_tags_train."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert "get_tags_train.pipeline" in sys.modules
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables for a Python whose pyodbc fails as it does without unixODBC."""
    stand_in = tmp_path / "broken" / "pyodbc.py"
    stand_in.parent.mkdir()
    stand_in.write_text(f"raise ImportError({SAID!r})\n", encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(stand_in.parent), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path}


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


def site(home: Path, url: str, base_model: Path) -> Path:
    home.mkdir()
    settings = f'[database]\nurl = "{url}"\n[training]\nbase_model = "{base_model}"\n'
    (home / "get-tags.toml").write_text(settings, encoding="utf-8")
    return home


def test_no_module_needs_unixodbc_to_be_imported(environment: dict[str, str]) -> None:
    assert run(environment, "-c", IMPORT_ALL).stderr == ""


@pytest.mark.parametrize(("command", "backend"), [(["doctor"], "mssql"), (["extract", "--yes"], "mysql")])
def test_an_odbc_url_says_what_to_install(
    environment: dict[str, str], tmp_path: Path, demo_tokenizer_folder: Path, command: list[str], backend: str
) -> None:
    url = f"{backend}+pyodbc://ana:geheim@db1/Acte?driver=ODBC+Driver+18+for+SQL+Server"
    home = site(tmp_path / "home", url, demo_tokenizer_folder)
    done = run(environment, "-m", "get_tags_train", *command, "--json", "--home", home)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode in {1, 2}
    assert f"{backend}+pyodbc needs unixODBC and an ODBC driver, and this machine has neither" in said
    assert "apt-get install unixodbc" in said
    assert "docs/databases.md" in said
    assert "geheim" not in said
    assert "Traceback" not in said


def test_a_database_without_odbc_fails_in_its_own_words(
    environment: dict[str, str], tmp_path: Path, demo_tokenizer_folder: Path
) -> None:
    home = site(tmp_path / "home", "sqlite:///documents.db", demo_tokenizer_folder)
    (home / "documents.db").touch()
    done = run(environment, "-m", "get_tags_train", "extract", "--yes", "--home", home)
    assert "no such table: documents" in " ".join(done.stderr.split())
    assert done.returncode in {1, 2}
