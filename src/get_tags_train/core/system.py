"""A long job, undisturbed: the computer stays awake, a click does not stop it, Ctrl-C waits until something is done."""

import ctypes
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from get_tags_train.core.shutdown import shutdown_delayed

_REQUESTS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # of which each system knows some
_ES_CONTINUOUS, _ES_SYSTEM_REQUIRED = 0x80000000, 0x00000001
_STD_INPUT_HANDLE, _QUICK_EDIT, _EXTENDED_FLAGS = -10, 0x0040, 0x0080


@contextmanager
def keep_awake(why: str) -> Iterator[None]:
    """Keep the computer from going to sleep, where the system offers a way to ask for that.

    On Windows also keep a click into the console from stopping what runs in it (QuickEdit mode).
    """
    if sys.platform == "win32":
        kernel32 = ctypes.windll.kernel32
        before = kernel32.SetThreadExecutionState(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED)
        try:
            with disable_quick_edit(kernel32):
                yield
        finally:
            kernel32.SetThreadExecutionState(_ES_CONTINUOUS | before)  # one of these may stand inside another
        return
    inhibitor = _inhibitor(why)
    try:
        yield
    finally:
        if inhibitor is not None:
            inhibitor.terminate()
            inhibitor.wait()


@contextmanager
def disable_quick_edit(kernel32: Any) -> Iterator[None]:
    """Turn QuickEdit off in this process's console, if it has one: a click would freeze all output until a key.

    kernel32: Windows' library of that name.
    """
    mode = ctypes.c_uint32()
    handle = ctypes.c_void_p(kernel32.GetStdHandle(_STD_INPUT_HANDLE))
    if not kernel32.GetConsoleMode(handle, ctypes.byref(mode)):
        yield
        return
    kernel32.SetConsoleMode(handle, (mode.value & ~_QUICK_EDIT) | _EXTENDED_FLAGS)
    try:
        yield
    finally:
        kernel32.SetConsoleMode(handle, mode.value | _EXTENDED_FLAGS)


@contextmanager
def collect_rarely() -> Iterator[None]:
    """Look for garbage in circles after 100,000 new objects, not after each 700.

    For work that makes an object of each row of a database: nearly all of them go by their reference counts.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _inhibitor(why: str) -> subprocess.Popen[bytes] | None:
    """A process whose life keeps the computer awake; it ends with this one, even with a killed one."""
    pid = str(os.getpid())
    if sys.platform == "darwin":
        command = ["caffeinate", "-i", "-w", pid]
    else:
        command = ["systemd-inhibit", "--what=sleep:idle", "--who=get-tags", f"--why={why}", "--mode=block"]
        command += ["tail", f"--pid={pid}", "-f", os.devnull]
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        return None


class StopRequest:
    """Whether somebody has asked this process to stop: with Ctrl-C, by closing its terminal, or as systems do it.

    Inside `with`, a request only sets `is_made`; a second Ctrl-C interrupts at once. Windows waits for the process
    to end by itself, as long as it can be made to.
    """

    def __init__(self) -> None:
        self.is_made = self._is_pressed = False
        self._listening = ExitStack()

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handlers
            for number in filter(None, (getattr(signal, name, None) for name in _REQUESTS)):
                self._listening.callback(signal.signal, number, signal.signal(number, self._take))
        self._listening.enter_context(shutdown_delayed(self._make))
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _make(self) -> None:
        self.is_made = True

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._is_pressed:
            raise KeyboardInterrupt
        self._is_pressed |= number == signal.SIGINT
        self.is_made = True
