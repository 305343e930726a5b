"""The order of the modules, who may use what, and that help stays light."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import get_tags_train

PACKAGE = Path(get_tags_train.__file__).parent
ROOT = Path(__file__).parents[1]

# From the ground to the faces: a module imports only what stands above it here.
ORDER = [
    "words", "reasons", "errors", "events", "background", "demo_topics", "metrics", "intervals", "calibration", "text",
    "demo_corpus", "startup", "typed", "settings", "layers", "folders", "home", "logfile", "csvfiles", "textfiles",
    "tokens", "encoding", "cleaning", "dataset", "figures", "modelfacts", "trained_texts", "provenance",
    "shingles", "twins", "samples", "examples", "held_out", "leaks", "collect",
    "cores", "model", "probes", "device", "database", "trouble", "workspace",
    "processes", "undisturbed", "pieces", "source", "earlier", "finish", "prepare",
    "batches", "dropout", "attention", "base_model", "checkpoints", "tracking", "losses", "learner", "speed", "fitting",
    "train", "baseline", "scored", "quality", "compare", "evaluate", "plots", "report",
    "predict", "together", "follower", "serve", "history", "running_api", "deploy", "inventory", "retention",
    "doctor", "demo", "outlook", "extraction", "pipeline",
    "tables", "listings", "progress", "console", "asking", "continuing", "wizard", "deciding",
    "helptexts", "commandline", "samples_commands", "inventory_commands", "live_commands", "cli", "__main__",
]  # fmt: skip

# Libraries that only these modules use.
OWNERS = {
    "rich": {"console", "progress", "tables"},
    "typer": {"cli", "commandline", "helptexts", "inventory_commands", "live_commands", "samples_commands"},
    "questionary": {"asking"},
    "prompt_toolkit": {"asking"},
    "sqlalchemy": {"database", "source", "trouble"},
}
FACES = {
    "cli", "commandline", "inventory_commands", "live_commands", "samples_commands", "asking", "wizard", "console",
    "progress", "tables", "listings",
}  # fmt: skip
HEAVY = ["torch", "transformers", "datasets", "pandas", "sklearn", "sqlalchemy", "pyarrow", "questionary"]
# What is imported inside functions: the stages, by those who choose one.
IMPORT_IN_FUNCTIONS = {
    "cli", "commandline", "inventory_commands", "live_commands", "samples_commands", "extraction", "pipeline",
}  # fmt: skip
# What a system library must be there for, so that it is imported where it is used and nowhere else.
NEEDS_SYSTEM_LIBRARY = {"pyodbc"}
REGISTRY_HOSTS = r"pypi\.org|pythonhosted\.org|huggingface\.co|hf\.co|anaconda\.(?:org|com)|hf-mirror"


class Import(NamedTuple):
    """One imported name: `typing_only` under TYPE_CHECKING, `in_function` below a def."""

    name: str
    line: int
    in_function: bool
    typing_only: bool


class _Imports(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[Import] = []
        self._in_function = self._typing_only = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, f"line {node.lineno}: imports are absolute here"
        for alias in node.names:
            self._add(f"{node.module}.{alias.name}", node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self._in_function = self._in_function, True
        self.generic_visit(node)
        self._in_function = before

    def visit_If(self, node: ast.If) -> None:
        before, self._typing_only = self._typing_only, "TYPE_CHECKING" in ast.unparse(node.test)
        self.generic_visit(node)
        self._typing_only = before

    def _add(self, name: str, node: ast.stmt) -> None:
        self.found.append(Import(name, node.lineno, self._in_function, self._typing_only))


def imports(module: str) -> list[Import]:
    visitor = _Imports()
    visitor.visit(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8")))
    return visitor.found


def own_module(name: str) -> str | None:
    """The module of ours that an imported name is, or is in."""
    parts = name.split(".")
    return parts[1] if parts[0] == "get_tags_train" and parts[1] in ORDER else None


def test_every_module_has_its_place_in_the_order() -> None:
    assert sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__") == sorted(ORDER)


def test_the_package_is_flat() -> None:
    assert not [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE]


@pytest.mark.parametrize("module", ORDER)
def test_imports_point_down(module: str) -> None:
    below = ORDER[: ORDER.index(module)]
    wrong = [
        f"{module}.py, line {found.line}: {found.name}"
        for found in imports(module)
        if not found.typing_only and (own := own_module(found.name)) is not None and own not in below
    ]
    assert wrong == []


@pytest.mark.parametrize("module", sorted(set(ORDER) - IMPORT_IN_FUNCTIONS))
def test_imports_stand_at_the_top(module: str) -> None:
    wrong = [found for found in imports(module) if found.in_function != (found.name in NEEDS_SYSTEM_LIBRARY)]
    assert wrong == []


LIGHT = {"words", "startup", "reasons", "errors", "events", "background", "settings", "layers", "home"}
LIGHT |= {"console", "progress", "tables", "listings", "helptexts"}


@pytest.mark.parametrize("module", sorted(LIGHT | IMPORT_IN_FUNCTIONS))
def test_what_every_command_loads_is_light(module: str) -> None:
    loaded = [found for found in imports(module) if not found.in_function and not found.typing_only]
    at_the_top = {found.name.split(".")[0] for found in loaded}
    assert at_the_top & set(HEAVY) == set()


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_its_owner(library: str) -> None:
    users = {module for module in ORDER for found in imports(module) if found.name.split(".")[0] == library}
    assert users == OWNERS[library]


def test_only_the_faces_print() -> None:
    for module in sorted(set(ORDER) - FACES):
        tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"print", "input", "exit", "quit"}, module


HELP = f"""
import sys
from get_tags_train.cli import app
try:
    app({{arguments}})
except SystemExit as ended:
    assert not ended.code, ended.code
loaded = [name for name in {HEAVY} if name in sys.modules]
assert not loaded, loaded
"""


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["models", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    command = [sys.executable, "-P", "-c", HELP.format(arguments=arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout + done.stderr


def test_the_package_itself_is_light_and_has_the_model_class() -> None:
    code = (
        "import sys, get_tags_train; assert 'torch' not in sys.modules; "
        "from get_tags_train import TagModel, TagScore, model; assert TagModel is model.TagModel; "
        "assert not hasattr(get_tags_train, 'nothing')"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_registry_host() -> None:
    """Where packages and models come from is the machine's business: its pip and hub settings say so."""
    kept = [*(ROOT / "src").rglob("*"), *(ROOT / "configs").rglob("*"), *(ROOT / "scripts").rglob("*")]
    kept += [*(ROOT / ".ci").rglob("*"), ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    texts = [path for path in kept if path.is_file() and path.suffix not in {".pyc", ".mo"}]
    assert len(texts) > len(ORDER)
    assert [path for path in texts if re.search(REGISTRY_HOSTS, path.read_text(encoding="utf-8"))] == []
