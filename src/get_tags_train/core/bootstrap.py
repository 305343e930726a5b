"""What is known before any setting is read: where the home is, and which language to speak.

Standard library only: scripts/setup_env.py uses it before anything is installed.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from get_tags_train.core.i18n import LANGUAGES

if sys.platform != "win32":
    import pwd

SITE_FILE = "get-tags.toml"
ENV_PREFIX = "GET_TAGS_"


def default_home(environ: Mapping[str, str] = os.environ) -> Path:
    """GET_TAGS_HOME, else C:\\allan on Windows and ~/allan elsewhere."""
    if named := environ.get("GET_TAGS_HOME"):
        return expanded(Path(named)).absolute()
    if sys.platform == "win32":
        return Path("C:/allan")
    if user_home := environ.get("HOME"):
        return Path(user_home).absolute() / "allan"
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir) / "allan"
    except KeyError:  # a container may run under a number that has no name: what writes there says that it cannot
        return Path("/allan")


def expanded(path: Path) -> Path:
    """The path with ~ as the user's folder; as it is where the system knows no such user or folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def chosen_language(home: Path, config_path: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """[display] language, before the settings are read and whatever else is wrong with them: auto, ro or en."""
    chosen: object = environ.get(f"{ENV_PREFIX}DISPLAY_LANGUAGE")
    for path in (config_path, home / SITE_FILE):
        if chosen is None and path is not None:
            with suppress(OSError, ValueError):
                display = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("display")
                chosen = display.get("language") if isinstance(display, dict) else None
    return str(chosen) if chosen in LANGUAGES else "auto"
