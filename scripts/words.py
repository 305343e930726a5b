"""Keep the catalogue of translations: `python scripts/words.py` writes it anew, `--check` says what is missing.

Writing extracts the messages of the source, puts new ones into the catalogue as untranslated, leaves out those that
are gone, and compiles what is translated. Then translate what `--check` names (msgstr in the .po) and run it again.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_python
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "get_tags_train"
PO_PATH = PACKAGE / "locale" / "ro" / "LC_MESSAGES" / "get_tags_train.po"
MO_PATH = PO_PATH.with_suffix(".mo")
KEYWORDS = {"_": None, "N_": None, "_n": (1, 2)}
FOLDERS = {
    PACKAGE: [("**.py", "words:extract"), ("**.jinja", "jinja2.ext:babel_extract")],
    ROOT / "scripts": [("setup_*.py", "words:extract")],
}
OPTIONS = {"**.jinja": {"extensions": "jinja2.ext.i18n", "trimmed": "true"}}
_NOISE = re.compile(
    rb'"(POT-Creation-Date|PO-Revision-Date|Project-Id-Version|Report-Msgid-Bugs-To|Last-Translator|Language-Team'
    rb"|Generated-By): [^\n]*\n"
)
# What both spellings of a letter look like on the screen; only those with a comma below are Romanian.
CEDILLA = re.compile("[şţŞŢ]")


def main(arguments: list[str]) -> int:
    """Write or check the catalogue; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/words.py [--check]", file=sys.stderr)
        return 2
    source = source_messages()
    catalogue = read_catalogue()
    if not arguments:
        catalogue.update(source, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        PO_PATH.parent.mkdir(parents=True, exist_ok=True)
        PO_PATH.write_bytes(as_po(catalogue))
        MO_PATH.write_bytes(as_mo(catalogue))
    found = list(faults(source, catalogue))
    if not is_compiled(catalogue):
        found.append(f"{MO_PATH.name} is not what {PO_PATH.name} says: run python scripts/words.py")
    for fault in found:
        print(f"words: {fault}", file=sys.stderr)
    print(f"words: {len(source)} messages, {len(found)} faults", file=sys.stderr)
    return 1 if found else 0


def source_messages() -> Catalog:
    """Every message of the source."""
    catalogue = Catalog(locale="ro")
    # Babel looks a method up by module and name; this file is a script, and so is its own module.
    sys.modules.setdefault("words", sys.modules[__name__])
    for folder, methods in FOLDERS.items():
        for name, _line, message, _comments, _context in extract_from_dir(folder, methods, OPTIONS, keywords=KEYWORDS):
            catalogue.add(message, locations=[((folder / name).relative_to(ROOT).as_posix(), 0)])
    return catalogue


def extract(stream: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Iterator[Any]:
    """Messages of a module: the marked ones, what is said of flags and settings, and the first lines of commands."""
    yield from extract_python(stream, keywords, comment_tags, options)
    stream.seek(0)
    tree = ast.parse(stream.read())
    for node in ast.walk(tree):
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


def read_catalogue() -> Catalog:
    """The translations there are."""
    if not PO_PATH.exists():
        return Catalog(locale="ro", domain="get_tags_train", fuzzy=False)
    with PO_PATH.open("rb") as stream:
        return read_po(stream, locale="ro", domain="get_tags_train")


def as_po(catalogue: Catalog) -> bytes:
    """The catalogue as a text file, without line numbers, dates and versions: they change when nothing else does."""
    stream = io.BytesIO()
    write_po(stream, catalogue, width=120, include_lineno=False, sort_by_file=True, ignore_obsolete=True)
    return _NOISE.sub(b"", stream.getvalue())


def as_mo(catalogue: Catalog) -> bytes:
    """The catalogue as gettext reads it; what is not translated stays out, and is shown in English."""
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


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
