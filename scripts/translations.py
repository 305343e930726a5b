"""Keep the catalogue of translations: `python scripts/translations.py` updates it, `--check` says what is missing.

Updating runs pybabel's extract and update, and compiles what is translated. Then translate what `--check` names (msgstr
in the .po) and run it again.
"""

import ast
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "src" / "get_tags_train" / "locale"
DOMAIN = "get_tags_train"
PO_PATH = LOCALE / "ro" / "LC_MESSAGES" / f"{DOMAIN}.po"
MO_PATH = PO_PATH.with_suffix(".mo")
SOURCES = ("src/get_tags_train", *(f"scripts/setup_{part}.py" for part in ("env", "pip", "torch", "venv")))
WIDTH = "--width=120"
# Dates, versions and people change when no message does.
_NOISE = re.compile(
    rb'"(POT-Creation-Date|PO-Revision-Date|Project-Id-Version|Report-Msgid-Bugs-To|Last-Translator|Language-Team'
    rb"|Generated-By): [^\n]*\n"
)
# What both spellings of a letter look like on the screen; only those with a comma below are Romanian.
CEDILLA = re.compile("[şţŞŢ]")


def main(arguments: list[str]) -> int:
    """Update or check the catalogue; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/translations.py [--check]", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        template_path = Path(folder) / f"{DOMAIN}.pot"
        _pybabel("extract", "--mapping-file=scripts/babel.toml", "--keywords=N_ _n:1,2", "--sort-by-file",
                 "--add-location=file", WIDTH, f"--output-file={template_path}", *SOURCES)  # fmt: skip
        if not arguments:
            _pybabel("update", "--no-fuzzy-matching", "--ignore-obsolete", WIDTH, f"--domain={DOMAIN}",
                     f"--input-file={template_path}", f"--output-dir={LOCALE}", "--locale=ro")  # fmt: skip
            PO_PATH.write_bytes(_NOISE.sub(b"", PO_PATH.read_bytes()))
            with MO_PATH.open("wb") as stream:
                # As `pybabel compile` does, which would refuse "95% intervals" as a format of Python's % operator.
                write_mo(stream, _read(PO_PATH))
        source, catalogue = _read(template_path), _read(PO_PATH)
    found = list(faults(source, catalogue))
    if not is_compiled(catalogue):
        found.append(f"{MO_PATH.name} is not what {PO_PATH.name} says: run python scripts/translations.py")
    for fault in found:
        print(f"translations: {fault}", file=sys.stderr)
    print(f"translations: {len(source)} messages, {len(found)} faults", file=sys.stderr)
    return 1 if found else 0


def _pybabel(*arguments: str) -> None:
    if CommandLineInterface().run(["pybabel", "--quiet", *arguments]):  # type: ignore[no-untyped-call]
        raise SystemExit(f"pybabel {arguments[0]} failed")


def _read(path: Path) -> Catalog:
    with path.open("rb") as stream:
        return read_po(stream, locale="ro", domain=DOMAIN)


def extract(stream: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Iterator[Any]:
    """Messages of a module: the marked ones, what is said of flags and settings, and the first lines of commands."""
    yield from extract_python(stream, keywords, comment_tags, options)
    stream.seek(0)
    for node in ast.walk(ast.parse(stream.read())):
        if isinstance(node, ast.Call):
            for given in node.keywords:
                told = given.arg == "help" or (given.arg == "description" and stream.name.endswith("settings.py"))
                if told and isinstance(given.value, ast.Constant) and given.value.value:
                    yield given.value.lineno, None, given.value.value, []
        elif isinstance(node, ast.FunctionDef) and any(map(_is_command, node.decorator_list)):
            yield node.lineno, None, ast.get_docstring(node), []


def _is_command(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in ("command", "callback")
    )


def is_compiled(catalogue: Catalog) -> bool:
    """Whether the compiled file says what the catalogue says; its header, with dates and versions, may differ."""
    if not MO_PATH.exists():
        return False
    with MO_PATH.open("rb") as stream:
        compiled = read_mo(stream)
    said, is_said = (
        {tuple(_forms(m.id)): _forms(m.string) for m in each if m.id and any(_forms(m.string))}
        for each in (catalogue, compiled)
    )
    return said == is_said


def faults(source: Catalog, catalogue: Catalog) -> Iterator[str]:
    """What keeps the catalogue from being complete, a line each."""
    for message in source:
        if message.id and message.id not in catalogue:
            yield f"not in the catalogue: {_shown(message)}"
    for message in catalogue:
        if not message.id:
            continue
        if message.id not in source:
            yield f"no longer said: {_shown(message)}"
            continue
        if message.fuzzy:
            yield f"fuzzy: {_shown(message)}"
        yield from _faults_of(message)


def _faults_of(message: Message) -> Iterator[str]:
    originals, translations = _forms(message.id), _forms(message.string)
    if not all(translations) or len(translations) != (3 if len(originals) == 2 else 1):
        yield f"not translated: {_shown(message)}"
        return
    for form, translation in enumerate(translations):
        original = originals[min(form, len(originals) - 1)]
        wanted, given = placeholders(original), placeholders(translation)
        if wanted != given and wanted - {"count"} != given - {"count"}:
            yield f"other placeholders: {_shown(message)}: {translation}"
        if CEDILLA.search(translation):
            yield f"ş or ţ with a cedilla: {translation}"
        if original[:1].isspace() != translation[:1].isspace() or original[-1:].isspace() != translation[-1:].isspace():
            yield f"another space at an end: {_shown(message)}"


def _forms(text: Any) -> list[str]:
    """Singular and plurals, or the only form."""
    return [str(form or "") for form in text] if isinstance(text, tuple | list) else [str(text or "")]


def placeholders(text: str) -> set[str]:
    """Names in braces; a text that is no format (JSON in a hint) has none."""
    try:
        return {name for _text, name, _form, _conversion in Formatter().parse(text) if name is not None}
    except ValueError:
        return set()


def _shown(message: Message) -> str:
    return repr(_forms(message.id)[0])[:100]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
