"""Who is at work on what in a home: a lock that a kill releases, and beside it who holds it."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from socket import gethostname
from typing import NamedTuple

from filelock import FileLock

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import read_json, try_lock, write_json
from get_tags_train.core.home import locks_dir
from get_tags_train.core.i18n import _

_NOTE = ".holder.json"


class Claim(NamedTuple):
    """A lock that this process holds, and the note that says so."""

    lock: FileLock
    note_path: Path

    def release(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self.note_path.unlink()
        self.lock.release()


def claim(home: Path, name: str) -> Claim | None:
    """Take the lock `name` of a home, and note who does; None where another process holds it."""
    lock, note_path = try_lock(_lock_path(home, name)), _note_path(home, name)
    if lock is None:
        return None
    now = datetime.now().isoformat(timespec="minutes", sep=" ")
    write_json(note_path, {"process": os.getpid(), "user": _user(), "computer": gethostname(), "since": now})
    return Claim(lock, note_path)


@contextmanager
def claimed(home: Path, name: str, busy: Callable[[str], GetTagsError]) -> Iterator[None]:
    """Hold the lock `name` of a home; raises `busy(who)` where another process does."""
    held = claim(home, name)
    if held is None:
        raise busy(holder(home, name))
    try:
        yield
    finally:
        held.release()


def holder(home: Path, name: str) -> str:
    """Who holds the lock `name`, as far as they noted it."""
    try:
        note = read_json(_note_path(home, name))
        return _("process {process} of {user} on {computer}, since {since}", **note)
    except (OSError, ValueError, KeyError, TypeError):
        return _("another process")


def holders(home: Path) -> dict[str, str]:
    """The locks that are held in a home, by name, and who holds each."""
    held = {}
    for note_path in sorted(locks_dir(home).glob(f"*{_NOTE}")):
        name = note_path.name.removesuffix(_NOTE)
        if (lock := try_lock(_lock_path(home, name))) is None:
            held[name] = holder(home, name)
        else:
            lock.release()
    return held


def _lock_path(home: Path, name: str) -> Path:
    return locks_dir(home) / f"{name}.lock"


def _note_path(home: Path, name: str) -> Path:
    return locks_dir(home) / f"{name}{_NOTE}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number that has no name
        return "?"
