"""What is tried on a machine with nothing on it; tests/bare_system.sh makes one and runs this inside, as root.

    demo         README's first command
    again        the same once more: nothing is set up, and the model is as good as it should be
    tests        README's second command
    conditions   a training on the example where something is absent, closed or unusual

Standard library only. Exit code 0 if all went as it should.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path("/src")
MARKER = SOURCE / ".venv" / "get-tags-ready.json"
DEMO = ["bash", "scripts/train_tags.sh", "--demo", "--yes"]
TESTS = ["bash", "scripts/test.sh"]
LOWEST_PRECISION = 0.6


def main(arguments: list[str]) -> int:
    """Try what is named, in this order, as far as it goes well."""
    # A shell starts what runs in the background with Ctrl-C ignored, and commands inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in arguments:
        if not {"demo": demo, "again": again, "tests": tests, "conditions": conditions}[name]():
            return 1
    return 0


# --- README's commands ---


def demo() -> bool:
    """The first command, from nothing to a model."""
    return _timed(DEMO)


def tests() -> bool:
    """All checks and all tests that need nothing of the system."""
    return _timed(TESTS)


def again() -> bool:
    """The first command where all is set up; whether the example's model is as good as it should be."""
    set_up_at, started = MARKER.stat().st_mtime_ns, time.time()
    done = subprocess.run([*DEMO, "--json"], cwd=SOURCE, stdout=subprocess.PIPE)
    report(f"{shlex.join(DEMO)} once more: exit code {done.returncode}, {time.time() - started:.0f} s")
    if done.returncode or MARKER.stat().st_mtime_ns != set_up_at:
        report("It failed, or something was set up again.")
        return False
    precision = json.loads(done.stdout)["evaluation"]["precision_at_k"]["1"]
    report(f"precision@1 {precision:.3f}; at least {LOWEST_PRECISION} is wanted")
    return precision >= LOWEST_PRECISION


def _timed(command: list[str]) -> bool:
    """Run a command, and say its exit code and how long it took with and without set-up."""
    started = time.time()
    code = subprocess.run(command, cwd=SOURCE).returncode
    seconds = time.time() - started
    said = f"{shlex.join(command)}: exit code {code}, {seconds:.0f} s"
    if MARKER.exists():
        said += f", without set-up {seconds - max(0, MARKER.stat().st_mtime - started):.0f} s"
        size = subprocess.run(["du", "-s", "--block-size=1000000", MARKER.parent], stdout=subprocess.PIPE, text=True)
        said += f"; environment {int(size.stdout.split()[0]) / 1000:.1f} GB"
    report(said)
    return code == 0


def report(text: str) -> None:
    """A line among the commands' own, with the Python and the Debian that it is about."""
    python = ".".join(map(str, sys.version_info[:2]))
    version = Path("/etc/debian_version").read_text(encoding="ascii").strip()
    print(f"\nbare Debian {version}, Python {python}: {text}\n", flush=True)


# --- conditions ---

# What begins with set-up, in a moment; and a training in earnest, but a short one, where a condition may be felt later.
HELP = ["bash", "scripts/train_tags.sh", "--help"]
TRAINING = [*DEMO, "--epochs", "1", "--context-length", "32"]
OWN_CLONE = Path("/home/ana/Acte și legi/get tags")
NEW_CLONE = Path("/srv/new")
UNKNOWN_USER = 4711
ANA = 1000
# With a /dev of its own, which has all that programs count on but shared memory.
NO_SHARED_MEMORY = """
mkdir -p /mnt/dev && mount --bind /dev /mnt/dev && mount -t tmpfs none /dev
for name in null zero full random urandom tty; do touch /dev/$name && mount --bind /mnt/dev/$name /dev/$name; done
ln -s /proc/self/fd /dev/fd
"""
NO_GIT = "mount --bind /dev/null /usr/bin/git"
READ_ONLY = f"mount --bind {NEW_CLONE} {NEW_CLONE} && mount -o remount,bind,ro {NEW_CLONE}"


@dataclass
class Condition:
    """What is unlike a usual machine; `variables` over the usual ones (None: unset), `setting` a shell script as root.

    `said` is a part of what must be said; where nothing is, all commands succeed.
    """

    name: str
    variables: dict[str, str | None] = field(default_factory=dict)
    setting: str = ":"
    user: int = 0
    umask: int = 0o022
    clone: Path = SOURCE
    home: str = "/root/allan"
    said: str = ""
    trains: bool = False
    terminal: bool = False


CONDITIONS = [
    Condition("as it should be"),
    Condition("HOME empty", {"HOME": ""}, trains=True),
    Condition("no HOME", {"HOME": None}),
    Condition(
        "no HOME, a user without a name",
        {"HOME": None},
        user=UNKNOWN_USER,
        home="/allan",
        said="/allan/demo cannot be made",
    ),
    Condition("a HOME that cannot be written", {"HOME": "/usr"}, user=ANA, home="/usr/allan", said="cannot be made"),
    Condition("a HOME that cannot be entered", {"HOME": "/root"}, user=ANA, said="cannot be read"),
    Condition("a clone that cannot be written", {"HOME": "/home/ana"}, user=ANA, home="/home/ana/allan", trains=True),
    Condition("the same, before set-up", {"HOME": "/home/ana"}, user=ANA, clone=NEW_CLONE, said="set-up:"),
    Condition("a read-only disk, before set-up", setting=READ_ONLY, clone=NEW_CLONE, said="set-up:"),
    Condition("TERM unset, in a terminal", {"TERM": None}, terminal=True, trains=True),
    Condition("LANG=C", {"LANG": "C"}),
    Condition("LC_ALL=POSIX", {"LC_ALL": "POSIX"}, trains=True),
    Condition("LANG=ro_RO.UTF-8, which is not installed", {"LANG": "ro_RO.UTF-8"}),
    Condition("no git", setting=NO_GIT),
    Condition("no /dev/shm", setting=NO_SHARED_MEMORY, trains=True),
    Condition("umask 077", umask=0o077),
    Condition(
        "set-up by a user who is not root, in a path with spaces and diacritics, umask 077",
        {"HOME": "/home/ana", "LANG": "C"},
        user=ANA,
        umask=0o077,
        clone=OWN_CLONE,
        home="/home/ana/allan",
        trains=True,
    ),
]


def conditions() -> bool:
    """Set up, write the example or train on it, and run doctor, under each condition; prints a table."""
    _prepare()
    print(
        "\n| condition | commands | exit code | seconds | what was said |\n| --- | --- | --- | --- | --- |", flush=True
    )
    as_expected = [_try(condition) for condition in CONDITIONS]  # all of them, whatever the first says
    return all(as_expected)


def _prepare() -> None:
    """A user, and the clones beside ours."""
    if not Path("/home/ana").exists():
        subprocess.run(["useradd", "--create-home", "--uid", str(ANA), "ana"], check=True)
    Path("/home/ana").chmod(0o755)
    for clone in (NEW_CLONE, OWN_CLONE):
        shutil.rmtree(clone, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", SOURCE, clone], check=True)
    subprocess.run(["chown", "-R", f"{ANA}:{ANA}", OWN_CLONE.parent], check=True)
    subprocess.run(["chmod", "-R", "a+rwX", os.environ["PIP_CACHE_DIR"]], check=True)


def _try(condition: Condition) -> bool:
    """Run the commands under a condition as far as they succeed and print their line; whether it is as wanted."""
    shutil.rmtree(condition.home, ignore_errors=True)
    program = str(condition.clone / ".venv" / "bin" / "get-tags")
    commands = {
        "set-up": HELP,
        "train --demo" if condition.trains else "demo": TRAINING if condition.trains else [program, "demo"],
        "doctor": [program, "doctor", "--home", f"{condition.home}/demo"],
    }
    started, tried, code, output = time.time(), [], 0, ""
    for name, command in commands.items():
        tried.append(name)
        code, output = _run(condition, command)
        if code or _faults_in(output):
            break
    complaint = _complaint(output) if code else ""
    seconds = f"{time.time() - started:.0f}"
    print(f"| {condition.name} | {', '.join(tried)} | {code} | {seconds} | {complaint} |", flush=True)
    faults = _faults_in(output)
    if code not in ((1, 2) if condition.said else (0,)):
        faults.append(f"exit code {code}")
    if condition.said not in complaint:
        faults.append(f"{condition.said!r} is not said")
    if faults:
        print(f"\n{condition.name}: {', '.join(faults)}\n{output[-6000:]}\n", flush=True)
    return not faults


def _faults_in(output: str) -> list[str]:
    return [phrase for phrase in ("Traceback", "Something went wrong") if phrase in output]


def _run(condition: Condition, command: list[str]) -> tuple[int, str]:
    """The exit code of a command under a condition, and all that it said."""
    variables = {key: value for key, value in (os.environ | condition.variables).items() if value is not None}
    words = ["script", "-qec", shlex.join(command), "/dev/null"] if condition.terminal else command
    user = ["setpriv", f"--reuid={condition.user}", f"--regid={condition.user}", "--clear-groups"]
    setting = f'{condition.setting}\numask {condition.umask:03o}\nexec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation=unchanged", "sh", "-ec", setting, "sh", *user, *words],
        cwd=condition.clone,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _complaint(output: str) -> str:
    """The error in what was said, on one line."""
    lines = output.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith(("Error:", "set-up: "))), 0)
    return re.sub(r"\s+", " ", " ".join(lines[first:])).replace("|", "\\|")[:600]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
