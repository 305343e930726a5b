"""Open a file for people, where they sit before a desktop."""

import os
import shutil
import sys
from pathlib import Path

import typer


def open_on_desktop(path: Path) -> bool:
    """Open a file with the program for its kind; False where there is no desktop to open it on."""
    if "SSH_CONNECTION" in os.environ:  # the desktop, if any, is not before whoever reads this
        return False
    if sys.platform not in {"win32", "darwin"}:
        has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if not has_screen or shutil.which("xdg-open") is None:
            return False
    return typer.launch(str(path)) == 0
