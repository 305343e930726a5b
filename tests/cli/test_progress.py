"""What people see of a run while it works, on any terminal and on none."""

import io
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from get_tags_train.cli import progress
from get_tags_train.cli.console import Console, nearest
from get_tags_train.cli.progress import Progress
from get_tags_train.core.events import EpochFinished, StageFinished, StageProgress, StageStarted
from get_tags_train.core.i18n import set_language

NOTE = "epoch 1/4, loss 0.0412, lr 9.0e-05, 8.1 docs/s"


def test_lines_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_LINE_SECONDS", -1.0)
    drawn = Console(as_json=False)
    drawn.on_event(StageStarted("train", 1200, "steps"))
    drawn.on_event(StageProgress("train", 300, NOTE, seconds_left=1860))
    drawn.on_event(EpochFinished(1, 4, 0.0523, [0.91, 0.7456]))
    drawn.on_event(EpochFinished(2, 4, 0.0411, []))
    drawn.on_event(StageFinished("train", 2480))
    assert " ".join(capsys.readouterr().err.split()) == (
        "Training: 1,200 steps ... "
        "Training: 300 of 1,200 steps, epoch 1/4, loss 0.0412, lr 9.0e-05, 8.1 docs/s, 31 min 0 s left "
        "epoch 1 of 4 loss 0.0523, P@1 0.910, P@2 0.746 "
        "epoch 2 of 4 loss 0.0411 "
        "done Training, 41 min 20 s"
    )


@pytest.mark.parametrize(("unit", "said"), [("documents", "80 de documente"), ("steps", "80 de pași")])
def test_counts_are_said_as_romanian_counts(capsys: pytest.CaptureFixture[str], unit: str, said: str) -> None:
    set_language("ro")
    try:
        Console(as_json=False).on_event(StageStarted("extract", 80, unit))
    finally:
        set_language("en")
    assert capsys.readouterr().err.strip() == f"Citirea și pregătirea documentelor: {said} ..."


def test_plain_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = Console(as_json=False)
    drawn.on_event(StageStarted("train", 1200, "steps"))
    for step in range(300):
        drawn.on_event(StageProgress("train", step, NOTE))
    assert capsys.readouterr().err.splitlines() == ["Training: 1,200 steps ..."]


def stage(name: str, total: int | None, *, width: int = 80, **options: object) -> Progress:
    console = RichConsole(file=io.StringIO(), force_terminal=False, width=width)
    return Progress(console, StageStarted(name, total, "steps"))


def test_eighty_columns() -> None:
    shown = stage("train", 1200)
    shown.advance(StageProgress("train", 300, NOTE, seconds_left=1860))
    assert shown.lines(80) == [
        "Training",
        "████████░░░░░░░░░░░░░░░░░░░░░░  25%  300 of 1,200 steps, 31 min 0 s left",
        NOTE,
    ]


def test_a_window_too_narrow_for_a_bar_has_none_and_loses_nothing() -> None:
    shown = stage("set_aside", 1200)
    shown.advance(StageProgress("set_aside", 300, NOTE, seconds_left=1860))
    lines = shown.lines(40)
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines).split()) == (
        f"Looking for test samples and near-duplicates 25% 300 of 1,200 steps, 31 min 0 s left {NOTE}"
    )


@pytest.mark.parametrize("width", [20, 40, 60, 80, 132])
@pytest.mark.parametrize("done", [0, 1, 1200, 1300])
def test_no_line_is_longer_than_the_window(width: int, done: int) -> None:
    shown = stage("baseline", 1200)
    shown.advance(StageProgress("baseline", done, NOTE, seconds_left=86_400))
    assert all(len(line) <= width for line in shown.lines(width))


def test_a_stage_of_unknown_length_says_how_long_it_has_been_at_work() -> None:
    (line,) = stage("ids", None).lines(80)
    assert line.startswith("Listing the documents, 0.")


def test_the_rest_is_estimated_where_the_stage_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    shown = stage("extract", 1000)
    shown.advance(StageProgress("extract", 100))
    assert shown.seconds_left is None
    shown.advance(StageProgress("extract", 300))
    assert shown.seconds_left == pytest.approx(700 * 10 / 200)


def test_a_terminal_is_drawn_in_place_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    console = RichConsole(file=written, force_terminal=True, width=80, color_system=None, _environ={"TERM": "xterm"})
    shown = Progress(console, StageStarted("train", 10, "steps"))
    shown.advance(StageProgress("train", 5, NOTE))
    shown.stop()
    assert "5 of 10 steps" in written.getvalue()
    assert "\x1b[2K" in written.getvalue()


def test_a_dumb_terminal_gets_plain_lines() -> None:
    written = io.StringIO()
    console = RichConsole(file=written, force_terminal=True, width=80, _environ={"TERM": "dumb"})
    Progress(console, StageStarted("train", 10, "steps")).stop()
    assert written.getvalue() == "Training: 10 steps ...\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "ș ț â → █░ ± ┌─┐ 字"),
        ("cp1250", "ş ţ â > #. ± +-+ ?"),
        ("cp852", "ş ţ â > █░ ~ ┌─┐ ?"),
        ("cp437", "s t â > █░ ± ┌─┐ ?"),
        ("ascii", "s t a > #. ~ +-+ ?"),
    ],
)
def test_what_a_code_page_lacks_is_written_in_signs_that_it_has(encoding: str, said: str, tmp_path: Path) -> None:
    with (tmp_path / "console").open("w", encoding=encoding, errors=nearest(encoding)) as stream:
        stream.write("ș ț â → █░ ± ┌─┐ 字")
    assert (tmp_path / "console").read_text(encoding=encoding) == said


def test_a_command_at_the_end_of_a_long_line_is_copied_whole(capsys: pytest.CaptureFixture[str]) -> None:
    command = "get-tags audit import /a/rather/long/path/to/the/list/of/an/audit.xlsx --home /srv/allan"
    Console(as_json=False).error("Nothing is marked.", f"Mark it, then: {command}")
    assert f"Mark it, then:\n{command}\n" in capsys.readouterr().err
