"""The one check command: format, lint, types, tests; stops at the first that fails, with its exit code.

python scripts/check.py [--quick | PYTEST ARGUMENTS]; --quick leaves out the tests. Runs in the environment's Python
(`bash scripts/test.sh` makes it).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]]


def main(arguments: list[str]) -> int:
    """Run the checks in order and return the first exit code that isn't 0."""
    checks = QUICK if arguments == ["--quick"] else [*QUICK, ["pytest", *arguments]]
    for check in checks:
        print("check:", *check, file=sys.stderr, flush=True)
        code = subprocess.run([sys.executable, "-m", *check], cwd=ROOT).returncode
        if code:
            print(f"check: {check[0]} failed (exit code {code})", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
