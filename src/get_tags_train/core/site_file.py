"""get-tags.toml as `init` writes it: [database] with comments, and whatever else stands there as it stands."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from get_tags_train.core.bootstrap import SITE_FILE
from get_tags_train.core.errors import InputError
from get_tags_train.core.files import write_text
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import describe

_SECTION = "database"
_HEADING = re.compile(r"^[ \t]*\[", re.MULTILINE)
_OWN_HEADING = re.compile(rf"^[ \t]*\[[ \t]*{_SECTION}[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)


def with_database(home: Path, values: Mapping[str, str], password_note: str) -> str:
    """The home's get-tags.toml with these settings under [database]; its other sections stay as they are.

    values: without a password, of which `password_note` says where it is; '' says nothing. Other settings of
    [database] are kept. Raises InputError where the file cannot be changed so.
    """
    path = home / SITE_FILE
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    old = tomllib.loads(before)
    kept = {key: value for key, value in old.get(_SECTION, {}).items() if key not in {*values, "password"}}
    section = "\n".join(_section({**values, **kept}, password_note)) + "\n"
    text = _replaced(before, section)
    if not _says(text, {**old, _SECTION: {**values, **kept}}):
        raise InputError(
            _("{path} cannot be changed automatically.", path=path),
            _("Add this to it yourself:\n{section}", section=section),
        )
    return text


def write_site_file(home: Path, text: str) -> Path | None:
    """Write get-tags.toml, whole or not at all; returns the copy of the file before it, None where there was none."""
    path = home / SITE_FILE
    backup = None
    if path.exists():
        backup = path.with_name(f"get-tags.{datetime.now():%Y%m%d-%H%M%S}.toml")
        shutil.copy2(path, backup)
    write_text(path, text)
    return backup


def toml_text(value: Any) -> str:
    """A text, number or truth value as TOML has it; a text of several lines over several lines."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return '"""\n' + quoted[1:-1].replace("\\n", "\n") + '"""' if _is_plain_lines(value) else quoted


def _is_plain_lines(value: str) -> bool:
    return "\n" in value and "\\" not in value


def _section(values: Mapping[str, Any], password_note: str) -> Iterator[str]:
    yield f"[{_SECTION}]"
    for key, value in values.items():
        yield f"# {describe(_SECTION, key)}"
        yield f"{key} = {toml_text(value)}"
        if key == "url" and password_note:
            yield f"# {password_note}"


def _replaced(before: str, section: str) -> str:
    if not (found := _OWN_HEADING.search(before)):
        return section if not before.strip() else f"{before.rstrip()}\n\n{section}"
    following = _HEADING.search(before, found.end())
    rest = before[following.start() :] if following else ""
    return f"{before[: found.start()]}{section}" + (f"\n{rest}" if rest else "")


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == dict(wanted)
    except tomllib.TOMLDecodeError:
        return False
