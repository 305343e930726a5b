"""What must not disturb a long job."""

import gc
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from get_tags_train.core.system import StopRequest, collect_rarely, disable_quick_edit, keep_awake

posix_only = pytest.mark.skipif(os.name == "nt", reason="signals and a shell script")


class Kernel32:
    """Windows' console as far as its mode goes; None where the process has no console."""

    def __init__(self, mode: int | None) -> None:
        self.mode = mode

    def GetStdHandle(self, which: int) -> int:
        assert which == -10
        return 3

    def GetConsoleMode(self, handle: object, mode: Any) -> int:
        mode._obj.value = self.mode or 0
        return int(self.mode is not None)

    def SetConsoleMode(self, handle: object, mode: int) -> int:
        assert mode & 0x80  # without it, Windows leaves QuickEdit as it is
        self.mode = mode
        return 1


def test_a_click_into_the_console_does_not_stop_it() -> None:
    console = Kernel32(0x01F7)
    with disable_quick_edit(console), disable_quick_edit(console):
        assert console.mode == 0x01B7
    assert console.mode == 0x01F7


def test_a_failure_turns_clicks_on_again() -> None:
    console = Kernel32(0x01F7)
    with pytest.raises(ValueError), disable_quick_edit(console):
        raise ValueError
    assert console.mode == 0x01F7


def test_without_a_console_nothing_is_set() -> None:
    console = Kernel32(None)
    with disable_quick_edit(console):
        assert console.mode is None


@pytest.mark.skipif(os.name != "nt", reason="asks Windows")
def test_windows_can_be_asked_to_stay_awake() -> None:
    with keep_awake("a model is being trained"), keep_awake("again"):
        pass


@posix_only
def test_the_system_is_asked_to_stay_awake_for_as_long_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    inhibitor = tmp_path / ("caffeinate" if sys.platform == "darwin" else "systemd-inhibit")
    inhibitor.write_text(f'#!/bin/sh\necho "$@" > {asked}.tmp; mv {asked}.tmp {asked}; exec tail -f /dev/null\n')
    inhibitor.chmod(inhibitor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def watched(*args: object, **kwargs: object) -> "subprocess.Popen[bytes]":
        started.append(popen(*args, **kwargs))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", watched)
    with keep_awake("a model is being trained"):
        assert started[0].poll() is None
        while not asked.exists():
            os.sched_yield()
        assert str(os.getpid()) in asked.read_text()
    assert started[0].poll() is not None


@posix_only
def test_a_system_that_cannot_be_asked_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with keep_awake("a model is being trained"):
        pass


@posix_only
def test_a_terminal_that_goes_after_ctrl_c_is_no_second_one() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_made


@posix_only
def test_the_first_request_waits_and_the_second_does_not() -> None:
    with StopRequest() as stop:
        assert not stop.is_made
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_made
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_garbage_is_collected_as_before_after_work_on_many_objects() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyboardInterrupt), collect_rarely():
        assert gc.get_threshold()[0] > before[0]
        raise KeyboardInterrupt
    assert gc.get_threshold() == before
