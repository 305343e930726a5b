"""Awkward files against everything that reads one: a few of each here, thousands in benchmarks/awkward.py."""

from pathlib import Path

import pytest

pytest.importorskip("fcntl", reason="needs signals and permissions as Linux has them")
import awkward


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_home: Path) -> Path:
    home = tmp_path_factory.mktemp("awkward") / "home"
    awkward.make_home(home, small_home)
    return home


# Those that load no model.
QUICK = [target for target in awkward.targets() if not (target.why or target.path.startswith(("_models", "_live")))]


@pytest.mark.parametrize("target", QUICK, ids=lambda target: target.name)
def test_no_awkward_file_gives_a_traceback(home: Path, target: awkward.Target) -> None:
    defects = [
        f"{name}: {outcome.defect}" for name, outcome in awkward.trials(target, home, range(8)) if outcome.defect
    ]
    assert not defects
    assert not awkward.strays(home.parent, home)
