"""Write what settings.py says into docs/settings.md and the comments of configs/defaults.toml; `--check` compares."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from get_tags_train.core.config import defaults_path
from get_tags_train.core.settings import Sections

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "settings.md"
HEAD = """\
# Settings

Written by `python scripts/reference.py` from the code; change it there.

Settings stand in `get-tags.toml` in the home, in a file given with `--config`, or in environment variables:
`epochs` under `[training]` is `GET_TAGS_TRAINING_EPOCHS`. The later wins: shipped defaults
([configs/defaults.toml](../configs/defaults.toml)), the home's `get-tags.toml`, `--config`, environment variables,
flags, answers of the wizard. A key that does not exist and a value of the wrong type are errors that name the key and
where it stands. The home itself is `--home`, else `GET_TAGS_HOME`, else `C:\\allan` on Windows and `~/allan`
elsewhere.
"""


def main(arguments: list[str]) -> int:
    """Write the page, or check that it is what would be written; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/reference.py [--check]", file=sys.stderr)
        return 2
    code = 0
    for path, text in {PAGE: page(), defaults_path(): defaults()}.items():
        if not arguments:
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"reference: {path} is not what the code says: run python scripts/reference.py", file=sys.stderr)
            code = 1
    return code


def defaults() -> str:
    """The shipped defaults, above each its setting's sentence."""
    lines: list[str] = []
    section: Any = None
    for line in defaults_path().read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = Sections.model_fields[heading[1]].annotation
        elif section and line.startswith("#"):
            continue
        elif section and (key := re.match(r"(\w+) = ", line)):
            lines.append(f"# {section.model_fields[key[1]].description}")
        lines.append(line)
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page."""
    shipped = tomllib.loads(defaults_path().read_text(encoding="utf-8"))
    parts = [HEAD]
    for name, field in Sections.model_fields.items():
        parts += [f"## [{name}]\n", f"{_first_line(field.annotation)}\n", _table(field.annotation, shipped[name])]
    return "\n".join(parts)


def _table(model: Any, defaults: dict[str, Any]) -> str:
    rows = ["| setting | default | means |", "| --- | --- | --- |"]
    for key, field in model.model_fields.items():
        rows.append(f"| `{key}` | {_value(defaults[key])} | {_cell(field)} |")
    return "\n".join(rows) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f"`{' '.join(value.split())}`" if value else "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(field: FieldInfo) -> str:
    return str(field.description).replace("|", "\\|")


def _first_line(model: Any) -> str:
    return str(model.__doc__).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
