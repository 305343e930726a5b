"""Commands as people type them: `get-tags` is on the path only where its environment is active."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from get_tags_train.core.bootstrap import default_home
from get_tags_train.core.i18n import Command

# What neither cmd.exe nor PowerShell takes for anything but itself.
_PLAIN_ON_WINDOWS = re.compile(r"[\w./:\\=-]+")


def write_command(command: Command, *, home: Path, config_path: Path | None = None) -> str:
    """A command as it can be typed in any folder, for this home and under this settings file."""
    words = list(command.words)
    if config_path is not None and "--help" not in words:
        words += ["--config", str(config_path)]
    if home != default_home() and "--help" not in words:
        words += ["--home", str(home)]
    return command_line(words)


def command_line(words: Iterable[str]) -> str:
    """These words after get-tags, as they can be typed in any folder."""
    return " ".join([_program(), *map(_quoted, words)])


def pip_command(package: str) -> str:
    """What installs a package, or its newest version, for the Python that runs this."""
    return f"{_quoted(sys.executable)} -m pip install --upgrade {package}"


def is_command(line: str) -> bool:
    """Whether a line is a command and nothing else, to be copied as it stands."""
    return line.strip().startswith(("get-tags ", f"{_program()} ", f"{_quoted(sys.executable)} "))


def split_command(line: str) -> tuple[str, str]:
    """A line as its words and the command that ends it after a colon; the command is empty where none does."""
    for program in ("get-tags", _program(), _quoted(sys.executable)):
        words, found, rest = line.partition(f": {program} ")
        if found and ". " not in rest:
            return f"{words}:", f"{program} {rest}"
    return line, ""


def _quoted(word: str) -> str:
    if os.name != "nt":
        return shlex.quote(word)
    return word if _PLAIN_ON_WINDOWS.fullmatch(word) else f'"{word}"'


def _program() -> str:
    own = Path(sys.executable).with_name("get-tags.exe" if os.name == "nt" else "get-tags")
    found = shutil.which("get-tags")
    if not own.is_file() or (found and own.samefile(found)):
        return "get-tags"
    return _quoted(str(own))  # whole: it may be pasted in another folder
