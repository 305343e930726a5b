"""Write constraints.txt: one exact version of everything the project installs, on Linux, Windows and macOS.

    python scripts/lock.py              # keeps the versions that are there, adds what is missing
    python scripts/lock.py --upgrade    # takes the newest of everything that pyproject.toml allows

Only asks the package index; installs nothing. Needs uv (`pip install uv`). Then run the checks, and commit the file.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS_PATH = ROOT / "constraints.txt"
HEADER = """\
# Every package that set-up installs, at the versions the tests ran with, for Python 3.11 to 3.14 on Linux, Windows and
# macOS. Written by `python scripts/lock.py` (`--upgrade` for newer ones). The CUDA packages that torch asks for are
# left out: which of them, at which versions, depends on its build.
"""
CUDA_PACKAGES = ("nvidia-", "cuda-", "triton")
# Nothing of ours runs in a browser.
ELSEWHERE = "sys_platform == 'emscripten'"
# From this version on, pip goes on with a download that broke off, and asks the system which certificates to trust.
PIP = "pip>=25.2"


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


def main() -> int:
    """Resolve for all platforms and Pythons at once, and write what was found."""
    # The oldest Python: what it takes, the newer ones have too. The versions that stand in the file are kept by uv.
    command = ["uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version=3.11", "--fork-strategy=fewest"]
    command += ["--no-header", "--no-annotate", f"--output-file={CONSTRAINTS_PATH}", *sys.argv[1:]]
    done = subprocess.run(command, input="\n".join(requirements()), encoding="utf-8")
    if done.returncode:
        return done.returncode
    lines = CONSTRAINTS_PATH.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith(CUDA_PACKAGES) and not line.endswith(ELSEWHERE)]
    pins = [re.sub(r" ;.*", "", pin) for pin in pins if not pin.startswith("#")]
    versions = dict(pin.split("==") for pin in pins)
    if len(versions) < len(pins):
        print("a package stands twice in constraints.txt: set-up takes one version of each", file=sys.stderr)
        return 1
    body = "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
    CONSTRAINTS_PATH.write_text(HEADER + body, encoding="utf-8", newline="\n")
    print(f"{CONSTRAINTS_PATH.name}: {len(pins)} packages", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
