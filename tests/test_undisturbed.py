"""What must not disturb a long job."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from get_tags_train.undisturbed import StopRequest, awake

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and a shell script")


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
    with awake("a model is being trained"):
        assert started[0].poll() is None
        while not asked.exists():
            os.sched_yield()
        assert str(os.getpid()) in asked.read_text()
    assert started[0].poll() is not None


def test_a_system_that_cannot_be_asked_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with awake("a model is being trained"):
        pass


def test_a_terminal_that_goes_after_ctrl_c_is_no_second_one() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_made


def test_the_first_request_waits_and_the_second_does_not() -> None:
    with StopRequest() as stop:
        assert not stop.is_made
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_made
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
