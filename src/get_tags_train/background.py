"""Let one part of a job run ahead of the next."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def running_ahead(items: Iterable[T], *, ahead: int) -> Iterator[Iterator[T]]:
    """`with running_ahead(items, ahead=4) as ready`: a thread works through `items`, at most `ahead` of them early.

    An exception in the thread is raised where its item was due. Leaving the `with` stops and awaits the thread.
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
        while True:
            item, error = queue.get()
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
        while thread.is_alive():
            try:
                queue.get(timeout=0.05)  # room for what the thread may be waiting to hand over
            except Empty:
                continue
