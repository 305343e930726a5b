"""Unfinished work: continued by the same plan, left alone by another, never taken from a running process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.workspace import PLAN, Workspace, open_workspace, read_plan

PLAN_A = {"query": "SELECT 1", "tokenizer": "abc"}
PLAN_B = {"query": "SELECT 2", "tokenizer": "abc"}


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return tmp_path / "home" / "work"


def claim(parent: Path, plan: dict[str, str], name: str = "tags_v1") -> tuple[Workspace, list[Event]]:
    events: list[Event] = []
    workspace = open_workspace(parent.parent, parent, plan, new_name=lambda: name, on_event=events.append)
    return workspace, events


def leave_unfinished(parent: Path, plan: dict[str, str], name: str) -> Path:
    """What a run that was killed leaves behind."""
    with claim(parent, plan, name)[0] as workspace:
        (workspace.folder / "piece").write_text(name)
        return workspace.folder


def names(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir())


def test_new_work_is_a_partial_folder_with_its_plan(parent: Path) -> None:
    workspace, events = claim(parent, PLAN_A)
    with workspace:
        assert (workspace.name, workspace.resumed, events) == ("tags_v1", False, [])
        assert workspace.folder == parent / "tags_v1.partial"
        assert read_plan(workspace.folder) == PLAN_A


def test_the_same_plan_is_continued(parent: Path) -> None:
    folder = leave_unfinished(parent, PLAN_A, "tags_v1")
    with claim(parent, PLAN_A, "tags_v2")[0] as workspace:
        assert (workspace.folder, workspace.resumed) == (folder, True)
        assert (folder / "piece").read_text() == "tags_v1"
    assert names(parent) == ["tags_v1.partial"]


def test_another_plan_is_left_alone_with_a_notice_of_what_differs(parent: Path) -> None:
    folder = leave_unfinished(parent, PLAN_A, "tags_v1")
    workspace, events = claim(parent, PLAN_B, "tags_v2")
    with workspace:
        assert (workspace.name, workspace.resumed) == ("tags_v2", False)
    (notice,) = events
    assert isinstance(notice, Notice)
    assert "tags_v1.partial" in notice.message
    assert "query" in notice.message
    assert "tokenizer" not in notice.message
    assert (folder / "piece").read_text() == "tags_v1"


def test_the_right_one_of_several_is_continued(parent: Path) -> None:
    with claim(parent, PLAN_A, "tags_v1")[0], claim(parent, PLAN_B, "tags_v2")[0]:
        pass
    with claim(parent, PLAN_A, "tags_v3")[0] as workspace:
        assert (workspace.name, workspace.resumed) == ("tags_v1", True)


@pytest.mark.parametrize("plan", [None, "", '{"query": '])
def test_work_that_had_not_begun_is_removed(parent: Path, plan: str | None) -> None:
    folder = parent / "tags_v1.partial"
    folder.mkdir(parents=True)
    if plan is not None:
        (folder / PLAN).write_text(plan)
    workspace, events = claim(parent, PLAN_A, "tags_v2")
    with workspace:
        assert (workspace.name, events) == ("tags_v2", [])
    assert names(parent) == ["tags_v2.partial"]


def test_torn_files_are_removed_on_continuing(parent: Path) -> None:
    folder = leave_unfinished(parent, PLAN_A, "tags_v1")
    (folder / "piece.123.tmp").write_text("half")
    with claim(parent, PLAN_A)[0]:
        assert names(folder) == ["piece", PLAN]


def test_finished_work_and_foreign_folders_are_left_alone(parent: Path) -> None:
    (parent / "tags_v1").mkdir(parents=True)
    (parent / "tags_v1" / PLAN).write_text(json.dumps(PLAN_A))
    (parent / "foreign").mkdir()
    with claim(parent, PLAN_A, "tags_v2")[0] as workspace:
        assert (workspace.name, workspace.resumed) == ("tags_v2", False)
    assert names(parent) == ["foreign", "tags_v1", "tags_v2.partial"]


def test_published_work_has_its_name_and_no_plan(parent: Path) -> None:
    with claim(parent, PLAN_A)[0] as workspace:
        (workspace.folder / "piece").write_text("1")
        assert workspace.publish() == parent / "tags_v1"
    assert names(parent) == ["tags_v1"]
    assert names(parent / "tags_v1") == ["piece"]


def test_published_work_is_not_continued(parent: Path) -> None:
    with claim(parent, PLAN_A)[0] as workspace:
        workspace.publish()
    with claim(parent, PLAN_A, "tags_v2")[0] as workspace:
        assert (workspace.name, workspace.resumed) == ("tags_v2", False)


def test_discarded_work_is_gone(parent: Path) -> None:
    with claim(parent, PLAN_A)[0] as workspace:
        (workspace.folder / "piece").write_text("1")
        workspace.discard()
    assert names(parent) == []


def test_work_is_let_go_of_by_an_error(parent: Path) -> None:
    with pytest.raises(RuntimeError), claim(parent, PLAN_A)[0]:
        raise RuntimeError
    with claim(parent, PLAN_A)[0] as workspace:
        assert workspace.resumed


HOLD = """
import json, sys, time
from pathlib import Path
from get_tags_train.core.workspace import open_workspace
parent, plan = Path(sys.argv[1]), json.loads(sys.argv[2])
workspace = open_workspace(parent.parent, parent, plan, new_name=lambda: "tags_v1", on_event=print)
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def worker(parent: Path, plan: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Another process that works on tags_v1."""
    command = [sys.executable, "-P", "-c", HOLD, str(parent), json.dumps(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_same_work_is_refused_while_a_process_is_at_it(parent: Path) -> None:
    with worker(parent, PLAN_A) as process:
        with pytest.raises(GetTagsError, match=rf"under way: tags_v1\.partial, process {process.pid} of .* since 20"):
            claim(parent, PLAN_A, "tags_v2")
        assert names(parent) == ["tags_v1.partial"]


def test_other_work_goes_on_beside_a_running_process(parent: Path) -> None:
    with worker(parent, PLAN_A):
        workspace, events = claim(parent, PLAN_B, "tags_v2")
        with workspace:
            assert (workspace.name, workspace.resumed, events) == ("tags_v2", False, [])
        assert (parent / "tags_v1.partial" / PLAN).exists()


def test_work_of_a_killed_process_is_continued(parent: Path) -> None:
    with worker(parent, PLAN_A) as process:
        process.kill()
        process.wait(10)
        with claim(parent, PLAN_A, "tags_v2")[0] as workspace:
            assert (workspace.name, workspace.resumed) == ("tags_v1", True)
