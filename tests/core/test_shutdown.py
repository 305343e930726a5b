"""Windows is about to end this process: what is being saved is saved first. On Windows and wine alone."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from get_tags_train.core.system import StopRequest

pytestmark = pytest.mark.skipif(os.name != "nt", reason="asks Windows")

# A job that finishes its step when it is asked to stop, then saves, which takes a moment, and goes on to its end.
JOB = """
import ctypes, sys, threading, time
from get_tags_train.core.system import StopRequest

def end():
    {end}
    ctypes.windll.kernel32.TerminateProcess(ctypes.c_void_p(-1), 99)  # as Windows does when it has its answer

with StopRequest() as stop:
    threading.Thread(target=end, daemon=True).start()
    until = time.monotonic() + 60
    while not stop.is_made and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(1)
    print("saved")
print("done")
sys.exit(130 if stop.is_made else 1)
"""
CONSOLE = """
    routine = ctypes.windll.kernelbase.CtrlRoutine  # where Windows begins a thread in the process
    routine.argtypes = [ctypes.c_void_p]
    routine({event})
"""
SESSION = """
    user32 = ctypes.WinDLL("user32")
    user32.FindWindowW.restype = ctypes.c_void_p
    user32.SendMessageW.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
    user32.SendMessageW(user32.FindWindowW("STATIC", "get-tags"), 0x0011, None, None)
"""


def ended(job: str, said: Path) -> tuple[int, str]:
    """How a job ended, and what it said: into a file, because wine's desktop, which it starts, keeps a pipe open."""
    with said.open("w", encoding="utf-8") as stream:
        done = subprocess.run([sys.executable, "-c", job], stdout=stream, stderr=stream)
    return done.returncode, said.read_text(encoding="utf-8")


@pytest.mark.parametrize("event", [2, 5, 6], ids=["close", "sign out", "shut down"])
def test_a_closed_console_waits_for_what_is_being_saved(tmp_path: Path, event: int) -> None:
    job = JOB.format(end=CONSOLE.format(event=event))
    assert ended(job, tmp_path / "said") == (130, "saved\ndone\n")


def test_the_end_of_the_session_waits_for_what_is_being_saved(tmp_path: Path) -> None:
    assert ended(JOB.format(end=SESSION), tmp_path / "said") == (130, "saved\ndone\n")


def test_nothing_stays_behind() -> None:
    user32 = ctypes.WinDLL("user32")
    user32.FindWindowW.restype = ctypes.c_void_p
    for _ in range(3):
        with StopRequest() as stop:
            assert user32.FindWindowW("STATIC", "get-tags")
        assert not stop.is_made
        assert not user32.FindWindowW("STATIC", "get-tags")
