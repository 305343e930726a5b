"""Commands as people type them: `get-tags` is on the path only where its environment is active."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from get_tags_train.startup import default_home

_COMMAND = re.compile(r"(?<![\w./\\-])get-tags(?= [a-z-])")


def as_typed(text: str) -> str:
    """A text in which every command of ours begins with what starts it from where the reader stands."""
    return _COMMAND.sub(lambda _: _program(), text)


def command(*words: str, home: Path) -> str:
    """A command of ours, its words quoted where they have to be; a home that is not the usual one is named."""
    named = [] if home == default_home() else ["--home", str(home)]
    return f"get-tags {_joined([*words, *named])}"


def _joined(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _program() -> str:
    own = Path(sys.executable).with_name("get-tags.exe" if os.name == "nt" else "get-tags")
    found = shutil.which("get-tags")
    if not own.is_file() or (found and Path(found).absolute() == own):
        return "get-tags"
    here = Path.cwd()
    return _joined([str(own.relative_to(here) if own.is_relative_to(here) else own)])
