"""The one check command: format, lint, imports, types, translations, tests.

python scripts/check.py [--quick | PYTEST ARGUMENTS]; --quick leaves out the tests. Stops at the first that fails, with
its exit code. Runs in the environment's Python
(`bash scripts/test.sh` makes it).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = [
    ["-m", "ruff", "format", "--check", "."],
    ["-m", "ruff", "check", "."],
    ["-c", "from importlinter.cli import lint_imports_command as run; run()"],  # pyproject.toml has the contract
    ["-m", "mypy"],
    ["scripts/translations.py", "--check"],
    ["scripts/reference.py", "--check"],
]


def main(arguments: list[str]) -> int:
    """Run the checks in order and return the first exit code that isn't 0."""
    # All tests by all cores, a file by one of them; of a few it is sooner done by one.
    tests = ["-m", "pytest", *(arguments or ["-n", "auto", "--dist", "loadfile"])]
    checks = QUICK if arguments == ["--quick"] else [*QUICK, tests]
    for check in checks:
        print("check:", *check, file=sys.stderr, flush=True)
        code = subprocess.run([sys.executable, *check], cwd=ROOT).returncode
        if code:
            print(f"check: {' '.join(check)} failed (exit code {code})", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
