"""Awkward files against everything that reads one: a few of each here, thousands in benchmarks/awkward.py."""

import contextlib
import random
import zipfile
from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("fcntl", reason="needs signals and permissions as Linux has them")
import awkward
from table_files import write_sheet

from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import workbook_rows


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


def test_awkward_parts_of_a_workbook_are_read_or_told_as_damage(tmp_path: Path) -> None:
    """Inside the archive, whose checksums are made to agree: a damaged archive alone is never opened."""
    good = write_sheet(tmp_path / "good.xlsx", [["text", "labels"], ["unu", 7], ["doi", date(2026, 5, 1)]])
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for number in range(60):
        chance = random.Random(number)
        changed = dict(parts)
        name = chance.choice(sorted(parts))
        changed[name] = awkward.awkward(parts[name], chance)
        path = tmp_path / "x.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            for part, raw in changed.items():
                archive.writestr(part, raw)
        with contextlib.suppress(InputError):
            list(workbook_rows(path, "x.xlsx"))
