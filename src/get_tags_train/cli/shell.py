"""Commands as people type them: `get-tags` is on the path only where its environment is active."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from get_tags_train.core.bootstrap import default_home

_NAMES = "train|extract|evaluate|predict|deploy|rollback|history|data|models|samples|doctor|demo|serve|--help"
_COMMAND = re.compile(rf"(?<![\w./\\-])get-tags(?= (?:{_NAMES})\b)")
# What neither cmd.exe nor PowerShell takes for anything but itself.
_PLAIN_ON_WINDOWS = re.compile(r"[\w./:\\=-]+")


def as_shell_command(text: str) -> str:
    """A text in which every command of ours begins with what starts it from where the reader stands."""
    return _COMMAND.sub(lambda _: _program(), text)


def is_command(line: str) -> bool:
    """Whether a line is a command and nothing else, to be copied as it stands."""
    return bool(_COMMAND.match(line.strip()))


def command(*words: str, home: Path) -> str:
    """A command of ours, its words quoted where they have to be; a home that is not the usual one is named."""
    named = [] if home == default_home() else ["--home", str(home)]
    return " ".join(["get-tags", *map(_quoted, [*words, *named])])


def _quoted(word: str) -> str:
    if os.name != "nt":
        return shlex.quote(word)
    return word if _PLAIN_ON_WINDOWS.fullmatch(word) else f'"{word}"'


def _program() -> str:
    own = Path(sys.executable).with_name("get-tags.exe" if os.name == "nt" else "get-tags")
    found = shutil.which("get-tags")
    try:
        if not own.is_file() or (found and own.samefile(found)):
            return "get-tags"
        near = own.relative_to(Path.cwd())
    except (OSError, ValueError):  # the folder where the reader stood is gone, or it is another
        return _quoted(str(own))
    return _quoted(str(near) if near.parent.name else f".{os.sep}{near}")
