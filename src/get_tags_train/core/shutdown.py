"""Windows is about to end this process: its window was closed, its user signs out, or the computer shuts down.

Windows ends a process as soon as its answer comes, so Python's signal handler, which sets a flag and returns, is too
quick. Here the work is told, and no answer given while it saves and ends by itself. Windows waits 5 seconds where the
window was closed; where the session ends, for as long as the user lets it, because it is given a reason to show.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import wintypes
from typing import Any

from get_tags_train.core.i18n import _

# Later, Windows need not wait any longer: a process that has not ended by then is not going to.
_MOST_SECONDS = 120.0
_CLOSE, _SIGN_OUT, _SHUT_DOWN = 2, 5, 6  # control events of a console
_QUERY_END_SESSION, _QUIT, _WINDOW_PROCEDURE = 0x0011, 0x0012, -4


@contextmanager
def shutdown_delayed(on_shutdown: Callable[[], None]) -> Iterator[None]:
    """Inside, call `on_shutdown` from another thread when Windows is about to end this process, and let it wait.

    Elsewhere nothing happens: other systems send signals and wait by themselves.
    """
    if sys.platform != "win32":
        yield
        return
    delay = _Delay(on_shutdown)
    with delay.of_console(), delay.of_session():
        yield


class _Delay:
    """Keeps Windows waiting; once it does, what listens for it stays: the process is about to end."""

    def __init__(self, on_shutdown: Callable[[], None]) -> None:
        self._on_shutdown = on_shutdown
        self._is_waiting = False
        self._kept: list[object] = []  # what Windows calls, for as long as it may

    def _wait(self) -> None:
        self._is_waiting = True
        self._on_shutdown()
        time.sleep(_MOST_SECONDS)  # the end of the process ends it

    if sys.platform == "win32":

        @contextmanager
        def of_console(self) -> Iterator[None]:
            """Answer for the console: its window is closed, or the session of a process without user32.dll ends."""

            def on_event(event: int) -> int:
                if event not in (_CLOSE, _SIGN_OUT, _SHUT_DOWN):
                    return 0
                self._wait()
                return 1

            handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(on_event)
            self._kept.append(handler)
            kernel32 = ctypes.windll.kernel32
            kernel32.SetConsoleCtrlHandler(handler, 1)
            try:
                yield
            finally:
                if not self._is_waiting:  # Windows holds a lock while it waits, and removing would wait for that
                    kernel32.SetConsoleCtrlHandler(handler, 0)

        @contextmanager
        def of_session(self) -> Iterator[None]:
            """Answer for the session: Windows asks windows, also hidden ones, where a process has user32.dll loaded.

            Python's ssl has it loaded.
            """
            opened = threading.Event()
            thread = threading.Thread(target=self._keep_window, args=[opened], daemon=True)
            thread.start()
            opened.wait()
            try:
                yield
            finally:
                if not self._is_waiting:
                    ctypes.windll.user32.PostThreadMessageW(thread.native_id, _QUIT, 0, 0)
                    thread.join()

        def _keep_window(self, opened: threading.Event) -> None:
            """Have a hidden window until this thread is told to quit."""
            user32, message = ctypes.windll.user32, wintypes.MSG()
            try:
                procedure = _PROCEDURE(self._on_message)
                window = _open_window(procedure)
                user32.PeekMessageW(ctypes.byref(message), None, 0, 0, 0)  # from now on it can be told to quit
            finally:
                opened.set()
            while user32.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
                user32.DispatchMessageW(ctypes.byref(message))
            user32.DestroyWindow(window)

        def _on_message(self, window: int, message: int, first: int, second: int) -> int:
            if message != _QUERY_END_SESSION:
                return _answer_as_usual(window, message, first, second)
            # With a reason, Windows shows it and waits; a process without one is ended after 5 seconds.
            ctypes.windll.user32.ShutdownBlockReasonCreate(
                wintypes.HWND(window), ctypes.c_wchar_p(_("The training is being saved."))
            )
            self._wait()
            return 1


if sys.platform == "win32":
    _MESSAGE = (wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM)
    _PROCEDURE = ctypes.WINFUNCTYPE(wintypes.LPARAM, *_MESSAGE)

    def _open_window(procedure: Any) -> Any:
        """A hidden window that hands its messages to `procedure`; None where the session has no desktop."""
        user32 = ctypes.WinDLL("user32")  # with types that no other code sees
        user32.CreateWindowExW.restype = wintypes.HWND
        user32.SetWindowLongPtrW.argtypes = (wintypes.HWND, ctypes.c_int, _PROCEDURE)
        window = user32.CreateWindowExW(0, "STATIC", "get-tags", 0, 0, 0, 0, 0, None, None, None, None)
        if window:
            user32.SetWindowLongPtrW(window, _WINDOW_PROCEDURE, procedure)
        return wintypes.HWND(window)

    def _answer_as_usual(window: int, message: int, first: int, second: int) -> int:
        answer = ctypes.WINFUNCTYPE(wintypes.LPARAM, *_MESSAGE)(("DefWindowProcW", ctypes.windll.user32))
        return int(answer(window, message, first, second))
