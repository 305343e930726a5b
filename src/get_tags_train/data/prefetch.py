"""A thread that works ahead of whoever wants its results.

Not concurrent.futures: an executor's threads are joined when Python ends, so that after Ctrl-C or a failure the program
would wait for a query that a dead link or a slow server keeps open. This thread is left behind (docs/adr/0005).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from threading import Event, Thread
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.2
_LEAVE_SECONDS = 2.0


@contextmanager
def prefetch(items: Iterable[T], *, ahead: int) -> Iterator[Iterator[T]]:
    """`with prefetch(items, ahead=4) as ready`: a thread works through `items`, at most `ahead` of them early.

    An exception in the thread is raised where its item was due. Leaving the `with` stops the thread; one that is
    stuck in a call, as in a query of a slow server, is left behind after 2 seconds and hands nothing over any more.
    """
    queue: Queue[tuple[list[T], BaseException | None]] = Queue(ahead)
    left = Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                queue.put(([item], None))
                if left.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001  raised again where the item was due
            error = raised
        queue.put(([], error))

    def ready() -> Iterator[T]:
        while not left.is_set():
            try:  # a wait without end would not hear Ctrl-C on Windows
                item, error = queue.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if error is not None:
                raise error
            if not item:
                return
            yield item[0]

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield ready()
    finally:
        left.set()
        give_up = monotonic() + _LEAVE_SECONDS
        while thread.is_alive() and monotonic() < give_up:
            with suppress(Empty):
                queue.get(timeout=_POLL_SECONDS / 4)  # room for what the thread may be waiting to hand over
