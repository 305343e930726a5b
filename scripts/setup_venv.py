"""The environment as it lies on the disk: what it holds, whether that fits, how it gives way to its successor.

Standard library only. `.venv` is the environment; `.venv-setup`, beside it, holds the lock, pip's log, and a successor
until it is ready: an environment that works is never taken apart for one that may not come to be.
"""

import contextlib
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from get_tags_train.core.i18n import _

VENV, WORK = ".venv", ".venv-setup"
READY, BEFORE = "get-tags-ready.json", "get-tags-before.json"
PROJECT = "get-tags-train"
# Which of these torch needs, and at which versions, depends on its build; constraints.txt has none of them.
CUDA_PACKAGES = ("nvidia-", "cuda-", "triton")
OLDEST, NEWEST = (3, 11), (3, 14)
# Windows refuses for a moment while an antivirus looks at fresh files.
_RENAME_SECONDS = 15
_LARGEST_SCRIPT_BYTES = 1_000_000


class SetupError(Exception):
    """What stopped the set-up and what to do about it, in words for people."""


@dataclass(frozen=True)
class Recipe:
    """What an environment is made from; `sources` is a hash of the files that say what to install."""

    sources: str
    checkout: str
    torch: str
    dev: bool


@dataclass(frozen=True)
class Package:
    """An installed package of ours: its version, and what it has in site-packages, two levels deep."""

    version: str
    contents: list[str]


@dataclass(frozen=True)
class Marker:
    """What a finished environment was made from, its Python (major.minor), and the packages that it got."""

    recipe: Recipe
    python: str
    packages: dict[str, Package]


def say(text: str) -> None:
    """One line for people; standard output belongs to the command that runs after this one."""
    print(_("set-up: {text}", text=text), file=sys.stderr, flush=True)


# What is there


def read_marker(venv: Path, name: str = READY) -> Marker | None:
    """The marker of an environment; None if there is none or it can't be read."""
    try:
        value = json.loads((venv / name).read_text(encoding="utf-8"))
        packages = {name: Package(**package) for name, package in value["packages"].items()}
        return Marker(Recipe(**value["recipe"]), value["python"], packages)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_marker(venv: Path, marker: Marker) -> None:
    """Mark an environment as finished, in one step."""
    written_path = venv / f"{READY}.{os.getpid()}"
    written_path.write_text(json.dumps(asdict(marker)), encoding="utf-8")
    written_path.replace(venv / READY)


def venv_python(venv: Path) -> Path:
    """The environment's interpreter."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def site_packages(venv: Path, python: str) -> Path:
    """Where the environment of a Python (major.minor) keeps its packages."""
    return venv / ("Lib" if sys.platform == "win32" else f"lib/python{python}") / "site-packages"


def python_version(venv: Path) -> str | None:
    """major.minor as the environment's interpreter itself says, None if it doesn't start."""
    command = [str(venv_python(venv)), "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return output_of(command)


def is_supported(python: str) -> bool:
    """Whether all packages exist for this Python (major.minor)."""
    return python in {f"{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)}


def installed_versions(venv: Path, python: str) -> dict[str, str]:
    """Name -> version of every installed package, by the names of the .dist-info folders."""
    found = re.compile(r"(.+)-(.+)\.dist-info").fullmatch
    with contextlib.suppress(OSError):
        matches = [found(path.name) for path in site_packages(venv, python).iterdir()]
        return {canonical(match[1]): match[2] for match in matches if match}
    return {}


def installed_packages(venv: Path, python: str, names: Iterable[str]) -> dict[str, Package]:
    """The packages of these names, and all that belong to CUDA, with what each brought."""
    folder, wanted = site_packages(venv, python), set(names) - {"pip"}
    found = {}
    for path in sorted(folder.glob("*.dist-info")):
        name, _dash, version = path.stem.rpartition("-")
        if (name := canonical(name)) in wanted or name.startswith(CUDA_PACKAGES):
            found[name] = Package(version, _contents_of(path))
    return found


def _contents_of(info: Path) -> list[str]:
    """What a package's own list of files names, two levels deep."""
    contents = {info.name}
    with contextlib.suppress(OSError), (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            parts = row[0].split("/")[:2] if row else []
            if parts and parts[0] not in ("..", "__pycache__") and parts[-1] != "__pycache__":
                contents |= {parts[0], "/".join(parts)}
    return sorted(contents)


def _list_contents(venv: Path, python: str) -> set[str]:
    """Names of all that is installed, two levels deep."""
    names = set()
    with contextlib.suppress(OSError), os.scandir(site_packages(venv, python)) as entries:
        for entry in entries:
            names.add(entry.name)
            if entry.is_dir():
                names |= {f"{entry.name}/{child.name}" for child in os.scandir(entry)}
    return names


def canonical(name: str) -> str:
    """A package's name in the spelling that all spellings of it share."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_sound(venv: Path, marker: Marker) -> bool:
    """Whether the interpreter starts and no package of ours is torn; importing it all would take seconds.

    A package that was upgraded or removed as pip does it is not torn.
    """
    if python_version(venv) != marker.python or not is_supported(marker.python) or not marker.packages:
        return False
    there, contents = installed_versions(venv, marker.python), _list_contents(venv, marker.python)
    infos = site_packages(venv, marker.python).glob("*.dist-info")
    # pip writes a package's list of files last.
    half_unpacked = {canonical(path.stem.rpartition("-")[0]) for path in infos if not (path / "RECORD").exists()}
    return half_unpacked.isdisjoint(marker.packages) and all(
        contents.issuperset(package.contents)
        for name, package in marker.packages.items()
        if there.get(name) == package.version
    )


def changed_packages(venv: Path, marker: Marker) -> list[str]:
    """The packages of ours that somebody has upgraded, downgraded or removed."""
    there = installed_versions(venv, marker.python)
    return [name for name, package in marker.packages.items() if there.get(name) != package.version]


def misfits(venv: Path, names: Iterable[str]) -> list[str] | None:
    """What pip finds wrong with these packages (missing or at a version that does not do), None if it doesn't run."""
    try:
        done = subprocess.run(
            [str(venv_python(venv)), "-I", "-X", "utf8", "-m", "pip", "check", "--disable-pip-version-check"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=300, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1) or not lines:
        return None
    ours = set(names)
    return [line for line in lines if done.returncode == 1 and canonical(line.partition(" ")[0]) in ours]


def output_of(command: list[str]) -> str | None:
    """What a command prints, None if it doesn't start, fails or hangs."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# How it gives way


def programs_in(venv: Path) -> list[str]:
    """The programs that run from an environment, where the system tells (Linux); Windows refuses the rename itself."""
    if sys.platform != "linux":
        return []
    found, inside = [], f" {venv.resolve()}{os.sep}"
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            if inside in (process / "maps").read_text(encoding="utf-8", errors="surrogateescape"):
                found.append(process.name)
    return found


def exchange(root: Path) -> None:
    """Put the successor in the place of the environment; a kill in between is mended by `resume_exchange`."""
    venv, successor, old = root / VENV, root / WORK / "new", root / WORK / "old"
    remove(old)
    if os.path.lexists(venv):
        rename(venv, old)
    try:
        rename(successor, venv)
    except OSError:
        if os.path.lexists(old):
            rename(old, venv)
        raise
    with contextlib.suppress(OSError):
        remove(old)


def resume_exchange(root: Path) -> None:
    """Finish an exchange that was killed when the old environment had gone and the new one had not come."""
    venv, successor = root / VENV, root / WORK / "new"
    if not os.path.lexists(venv) and read_marker(successor) is not None:
        rename(successor, venv)


def name_final_place(successor: Path) -> None:
    """Let the scripts of a finished successor name the place where it will be.

    They hold the path of their interpreter: as text, on Windows inside small programs, before the archive that these
    end with, whose offsets count from its own start.
    """
    built, final = os.path.join(WORK, "new"), VENV  # noqa: PTH118 - text in files, not a path
    for path in [successor / "pyvenv.cfg", *venv_python(successor).parent.iterdir()]:
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_SCRIPT_BYTES:
            content = path.read_bytes()
            if built.encode() in content:
                path.write_bytes(content.replace(built.encode(), final.encode()))


def name_source_in_ascii(venv: Path, python: str, source: Path) -> None:
    """Point the environment at src in a way that holds in every locale.

    The build writes the folder's name as UTF-8, and Python 3.11 and 3.12 read it in the locale's encoding: under
    C:\\Users\\Ștefan the interpreter would not find the package, or not start at all.
    """
    if not str(source).isascii():
        for path in site_packages(venv, python).glob("_editable_impl_*.pth"):
            path.write_text(f"import sys; sys.path.append({str(source)!a})\n", encoding="ascii")


def rename(path: Path, target: Path) -> None:
    """Rename, again for a while where something holds a file."""
    until = time.monotonic() + (_RENAME_SECONDS if sys.platform == "win32" else 0)
    while True:
        try:
            path.rename(target)
            return
        except PermissionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def remove(path: Path) -> None:
    """Remove a folder, a link or a file, if there is such."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def only_one(lock_path: Path) -> Iterator[None]:
    """Hold a lock that the system releases when the holder ends, however; wait for whoever has it."""
    try:
        lock_path.parent.mkdir(exist_ok=True)
        stream = lock_path.open("a")
    except OSError as error:
        raise SetupError(
            _(
                "the environment cannot be made: {path} cannot be written ({reason}). Make the folder {folder} "
                "writable for your user, or copy get-tags-train to where you may write and start it there.",
                path=lock_path.parent,
                reason=error.strerror or error,
                folder=lock_path.parent.parent,
            )
        ) from error
    with stream:
        if not try_lock(stream):
            say(_("another set-up is at work in this folder; waiting for it to end ..."))
            while not try_lock(stream):
                time.sleep(0.2)
        os.set_inheritable(stream.fileno(), True)
        yield


def try_lock(stream: IO[str]) -> bool:
    """Lock an open file if nobody holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
