"""Write constraints.txt: one exact version of everything the project installs, on Linux, Windows and macOS.

    python scripts/lock.py              # keeps the versions that are there, adds what is missing
    python scripts/lock.py --upgrade    # takes the newest of everything that pyproject.toml allows

Only asks the package index; installs nothing. Needs Python 3.11 with pip. Then run the checks, and commit the file.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS_PATH = ROOT / "constraints.txt"
HEADER = """\
# Every package that set-up installs, at the versions the tests ran with. They exist for Linux (x86-64, Arm), Windows
# and macOS (Arm), for Python 3.11 to 3.14.
# Written by `python scripts/lock.py` (`--upgrade` for newer ones). The CUDA packages that torch asks for are left out:
# which of them, at which versions, depends on its build.
"""
CUDA_PACKAGES = ("nvidia-", "cuda-", "triton")
# From this version on, pip goes on with a download that broke off, and asks the system which certificates to trust.
PIP = "pip>=25.2"


def manylinux(machine: str) -> list[str]:
    """The tags of wheels that Debian 12 and Red Hat 9 take, newest first."""
    return [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in range(28, 4, -1))]


# The oldest Python first: it has the narrowest choice, and what it takes the newer ones have too.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# What platform.system() and platform.machine() say, the tags of wheels, sys.platform, os.name.
PLATFORMS = {
    ("Linux", "x86_64"): (manylinux("x86_64"), "linux", "posix"),
    ("Windows", "AMD64"): (["win_amd64"], "win32", "nt"),
    ("Linux", "aarch64"): (manylinux("aarch64"), "linux", "posix"),
    # pip takes wheels for older systems too.
    ("Darwin", "arm64"): (["macosx_14_0_arm64"], "darwin", "posix"),
}

# pip chooses wheels for another platform, but evaluates markers such as `sys_platform == "win32"` for its own; so the
# answers are replaced.
PIP_FOR_ANOTHER_PLATFORM = """
import json, sys
from pip._vendor.packaging import markers
real = markers.default_environment
other = json.loads(sys.argv.pop(1))
markers.default_environment = lambda: {**real(), **other}
from pip._internal.cli.main import main
sys.exit(main())
"""


def requirements() -> list[str]:
    """All that pyproject.toml asks for: to run, to develop, to build; and the pip that set-up brings."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [
        pyproject["project"]["dependencies"],
        *pyproject["dependency-groups"].values(),
        pyproject["build-system"]["requires"],
        ["editables"],  # hatchling asks for it when it installs a checkout
        [PIP],
    ]
    return [requirement for some in lists for requirement in some]


def resolve(platform: tuple[str, str], python: str, pins: dict[str, str], folder: Path) -> dict[str, str]:
    """Name -> version of what pip would install there, given the versions already chosen."""
    (system, machine), (tags, sys_platform, os_name) = platform, PLATFORMS[platform]
    environment = {
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.9",
    }
    given_path, report_path = folder / "given.txt", folder / "report.json"
    given_path.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), encoding="utf-8")
    pip = [sys.executable, "-c", PIP_FOR_ANOTHER_PLATFORM, json.dumps(environment), "install", "--quiet"]
    where = [f"--python-version={python}", *(f"--platform={tag}" for tag in tags), "--only-binary=:all:"]
    nothing = ["--dry-run", "--ignore-installed", "--target", str(folder / "target"), "--report", str(report_path)]
    subprocess.run([*pip, *where, *nothing, "-c", str(given_path), *requirements()], check=True)
    report: dict[str, Any] = json.loads(report_path.read_text(encoding="utf-8"))
    found = {}
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        if not name.startswith(CUDA_PACKAGES):
            # torch 2.13.0+cpu and torch 2.13.0+cu130 are the same release.
            found[name] = item["metadata"]["version"].partition("+")[0]
    return found


def main() -> int:
    """Resolve for each platform and Python in turn, each bound to what those before it chose."""
    pins: dict[str, str] = {}
    if "--upgrade" not in sys.argv and CONSTRAINTS_PATH.exists():
        lines = CONSTRAINTS_PATH.read_text(encoding="utf-8").splitlines()
        pins = dict(line.split("==") for line in lines if "==" in line)
    used: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for python in PYTHONS:
            for platform in PLATFORMS:
                print(f"Python {python} on {' '.join(platform)} ...", file=sys.stderr)
                try:
                    used |= resolve(platform, python, pins | used, Path(folder))
                except subprocess.CalledProcessError:
                    print("pip found no set of versions (see above); try --upgrade.", file=sys.stderr)
                    return 1
    body = "".join(f"{name}=={version}\n" for name, version in sorted(used.items()))
    CONSTRAINTS_PATH.write_text(HEADER + body, encoding="utf-8", newline="\n")
    print(f"{CONSTRAINTS_PATH.name}: {len(used)} packages", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
