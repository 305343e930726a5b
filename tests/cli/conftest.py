"""A command line run in this process."""

import json
from types import SimpleNamespace

import pytest

from get_tags_train.cli.main import app


@pytest.fixture
def get_tags(capsys, monkeypatch):
    """Run a command line in this process: .code, .out, .err, and .json of what it printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*args):
        with pytest.raises(SystemExit) as end:
            app(args=[str(arg) for arg in args], prog_name="get-tags")
        printed = capsys.readouterr()
        options = args[: args.index("--")] if "--" in args else args
        parsed = json.loads(printed.out) if "--json" in options else None
        return SimpleNamespace(code=end.value.code, out=printed.out, err=printed.err, json=parsed)

    return run
