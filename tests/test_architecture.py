"""Who may use which library, and that help stays light; the contract of imports is in pyproject.toml."""

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
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# Libraries that only these modules use.
OWNERS = {
    "rich": {"cli/console.py", "cli/progress.py", "cli/tables.py"},
    "typer": {
        "cli/app.py", "cli/audit.py", "cli/bases.py", "cli/config.py", "cli/data.py", "cli/desktop.py",
        "cli/drift.py", "cli/help.py", "cli/init.py", "cli/judge.py", "cli/live.py", "cli/logs.py", "cli/main.py",
        "cli/models.py", "cli/predict.py", "cli/removal.py", "cli/samples.py", "cli/train.py",
    },
    "questionary": {"cli/prompts.py"},
    "prompt_toolkit": {"cli/prompts.py"},
    "openpyxl": {"core/excel.py"},
    "sqlalchemy": {
        "data/database.py", "data/database_errors.py", "data/database_url.py", "data/ids.py", "data/queries.py",
        "data/query_tables.py", "data/retry.py", "data/source.py", "data/survey.py",
    },
    "onnx": {"model/onnx_graph.py"},
    "onnxruntime": {"model/onnx_classifier.py"},
}  # fmt: skip
HEAVY = ["torch", "transformers", "datasets", "pandas", "sklearn", "sqlalchemy", "pyarrow", "questionary", "openpyxl",
    "onnx", "onnxruntime"]  # fmt: skip
# What every command loads, whatever it does: none of the heavy libraries stands at its top.
LIGHT = {
    "__init__.py", "cli/app.py", "cli/audit.py", "cli/bases.py", "cli/config.py", "cli/console.py", "cli/data.py",
    "cli/drift.py", "cli/drift_lines.py", "cli/help.py", "cli/judge.py", "cli/listings.py", "cli/live.py",
    "cli/logs.py", "cli/main.py", "cli/models.py", "cli/predict.py", "cli/progress.py", "cli/report.py",
    "cli/results.py", "cli/run_source.py", "cli/samples.py", "cli/session.py", "cli/shell.py", "cli/tables.py",
    "cli/train.py", "core/bootstrap.py", "core/config.py", "core/errors.py", "core/events.py", "core/home.py",
    "core/i18n.py", "core/settings.py", "pipeline.py",
}  # fmt: skip
# Those who choose a stage, or a tracker that may not be installed, import it in a function; all others at the top.
IMPORT_IN_FUNCTIONS = {
    "__init__.py", "cli/audit.py", "cli/bases.py", "cli/config.py", "cli/data.py", "cli/drift.py", "cli/judge.py",
    "cli/live.py", "cli/logs.py", "cli/main.py", "cli/models.py", "cli/predict.py", "cli/report.py",
    "cli/run_source.py", "cli/samples.py", "cli/session.py", "cli/train.py", "data/extract.py", "pipeline.py",
    "training/tracking.py",
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


def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def imports(module: str) -> list[Import]:
    visitor = _Imports()
    visitor.visit(tree_of(module))
    return visitor.found


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module in MODULES if not ast.get_docstring(tree_of(module))] == []


@pytest.mark.parametrize("module", [module for module in MODULES if module not in IMPORT_IN_FUNCTIONS])
def test_imports_stand_at_the_top(module: str) -> None:
    wrong = [found for found in imports(module) if found.in_function != (found.name in NEEDS_SYSTEM_LIBRARY)]
    assert wrong == []


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_what_every_command_loads_is_light(module: str) -> None:
    loaded = [found for found in imports(module) if not found.in_function and not found.typing_only]
    at_the_top = {found.name.split(".")[0] for found in loaded}
    assert at_the_top & set(HEAVY) == set()


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_its_owner(library: str) -> None:
    users = {module for module in MODULES for found in imports(module) if found.name.split(".")[0] == library}
    assert users == OWNERS[library]


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("cli/")])
def test_only_the_command_line_prints(module: str) -> None:
    nodes = ast.walk(tree_of(module))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"print", "input", "exit", "quit"}


HELP = f"""
import sys
from get_tags_train.cli.main import app
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
        "from get_tags_train import TagModel, TagScore; from get_tags_train.model import tagger; "
        "assert TagModel is tagger.TagModel; assert not hasattr(get_tags_train, 'nothing')"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_registry_host() -> None:
    """Where packages and models come from is the machine's business: its pip and hub settings say so."""
    kept = [*(ROOT / "src").rglob("*"), *(ROOT / "configs").rglob("*"), *(ROOT / "scripts").rglob("*")]
    kept += [*(ROOT / ".ci").rglob("*"), ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    texts = [path for path in kept if path.is_file() and path.suffix not in {".pyc", ".mo", ".safetensors"}]
    assert len(texts) > len(MODULES)
    assert [path for path in texts if re.search(REGISTRY_HOSTS, path.read_text(encoding="utf-8"))] == []
