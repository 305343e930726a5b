"""Run the environment's pip: its own words go to a log, people see how far it is. Standard library only."""

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from setup_venv import WORK, SetupError, installed_versions, python_version, say, venv_python

from get_tags_train.core.i18n import _, _n

LOG, TEMPORARY = "setup.log", "tmp"
# From this version on, pip says how far a download is, and goes on with one that broke off.
_TELLS_MORE = (25, 2)
_LINE_SECONDS = 10.0
_WORTH_A_LINE_MB = 20
_LAST_LINES = 15
_STARTED = time.monotonic()


class Progress:
    """What pip is doing, out of what it prints, and when that is worth a line."""

    def __init__(self, started: float):
        self._started, self._said = started, time.monotonic()
        self._name, self._size_mb, self._done_mb, self._fetched = "", 0.0, 0.0, 0
        self._installing: list[str] = []

    def hear(self, line: str) -> bool:
        """Take in a line; False where it is one for people who look for the reason of a failure."""
        if amount := re.fullmatch(r"Progress (\d+) of (\d+)", line):
            self._done_mb = int(amount[1]) / 1e6
            return True
        if packages := re.match(r"Installing collected packages: (.*)", line):
            self._installing = packages[1].split(", ")
            self._say()
        elif file := re.match(r"\s*(?:Downloading|Using cached) (?:\S*/)?(\S+?)-\d\S* \(([\d.]+) ([kMG]?B)\)", line):
            self._fetched += 1
            self._name, self._done_mb = file[1], 0.0
            self._size_mb = float(file[2]) * {"B": 1e-6, "kB": 1e-3, "MB": 1, "GB": 1e3}[file[3]]
            if self._size_mb >= _WORTH_A_LINE_MB:
                self._say()
        return False

    def tick(self) -> None:
        """Say where it is, if nothing has been said for a while."""
        if time.monotonic() - self._said >= _LINE_SECONDS:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        minutes, seconds = divmod(int(self._said - self._started), 60)
        say(f"  {minutes}:{seconds:02}  {self._now()}")

    def _now(self) -> str:
        if self._installing:
            if len(self._installing) == 1:
                return _("installing {name} ...", name=self._installing[0])
            return _n("installing {count} package ...", "installing {count} packages ...", len(self._installing))
        if self._size_mb >= _WORTH_A_LINE_MB and self._done_mb < self._size_mb - 1:
            return _(
                "fetching {name}: {done:,.0f} of {size:,.0f} MB",
                name=self._name,
                done=self._done_mb,
                size=self._size_mb,
            )
        if self._fetched:
            return _n("fetching packages, {count} so far ...", "fetching packages, {count} so far ...", self._fetched)
        return _("asking which packages are needed ...")


def pip_install(root: Path, venv: Path, arguments: Sequence[str]) -> None:
    """Install into an environment; SetupError with pip's last lines where that fails."""
    log_path, temporary = root / WORK / LOG, root / WORK / TEMPORARY
    # What pip unpacks goes to the disk that it is for: the system's folder for such may lie on one that is full.
    temporary.mkdir(parents=True, exist_ok=True)
    variables = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)) | _without_home()
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    process = subprocess.Popen(
        [*_command(venv), *arguments],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Hands on the lock: where set-up alone is killed, pip holds it until it ends too.
        close_fds=False,
        env=variables,
        encoding="utf-8",
        errors="replace",
    )
    try:
        with process, log_path.open("a", encoding="utf-8") as log:
            for line in _follow(process, Progress(_STARTED)):
                print(line, file=log, flush=True)
                last_lines.append(line)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if process.returncode != 0:
        print(*last_lines, sep="\n", file=sys.stderr, flush=True)
        raise SetupError(_reason(root, log_path))


def _command(venv: Path) -> list[str]:
    # -I, which leaves out PYTHONUTF8: an accented path must not be what pip cannot print into a pipe.
    pip = [str(venv_python(venv)), "-I", "-X", "utf8", "-m", "pip", "install", "--no-input"]
    pip += ["--disable-pip-version-check"]
    if pip_version(venv) >= _TELLS_MORE:
        return [*pip, "--progress-bar=raw", "--resume-retries=20"]
    return [*pip, "--progress-bar=off"]


def pip_version(venv: Path) -> tuple[int, ...]:
    """The version of an environment's pip, () where it has none."""
    return version_numbers(installed_versions(venv, python_version(venv) or "").get("pip", ""))


def version_numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that compare."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _follow(process: "subprocess.Popen[str]", progress: Progress) -> Iterator[str]:
    """What pip prints until it ends; while it is silent, too, people are told that it is at work."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            progress.tick()
            continue
        if line is None:
            return
        if not progress.hear(line):
            yield line
        progress.tick()


def _without_home() -> dict[str, str]:
    """Where no folder of the user is known, pip would keep downloads in a folder named ~, or in the root's."""
    home_path = os.path.expanduser("~")  # noqa: PTH111 - Path.expanduser raises where there is none
    has_home = home_path not in ("", "~", "/")
    named = os.environ.get("PIP_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return {} if has_home or named or sys.platform == "win32" else {"PIP_NO_CACHE_DIR": "1"}


def _reason(root: Path, log_path: Path) -> str:
    free_gb = shutil.disk_usage(root).free / 1e9
    if free_gb < 1:
        return _(
            "the disk of {folder} is full ({free:.1f} GB free). Free some 8 GB, then run the same command again.",
            folder=root,
            free=free_gb,
        )
    return _(
        "pip could not install the packages; its last lines, above, say why ({log_path} has all of them). If it "
        "reached no server, check the network and the proxy (HTTPS_PROXY). Then run the same command again: what "
        "was downloaded is kept.",
        log_path=log_path,
    )
