"""Several processor cores at once: each computes a part alone, which beats all of them sharing every product."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")

# More parts would each need a gradient of its own in memory; what cores there are beyond share the parts' products.
_MOST = 4


class CpuThreads:
    """Threads that compute parts side by side; one where there is one core, or the parts may not be divided."""

    def __init__(self, *, divides: bool = True) -> None:
        self._threads = self.available()
        self.count = min(_MOST, self._threads) if divides else 1
        """How many parts are computed at once."""
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="core")

    @staticmethod
    def available() -> int:
        """How many cores this process may use."""
        return torch.get_num_threads()

    def map(self, compute: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
        """The result of each part, in order. Raises what the first part that fails raises, when all have ended."""
        if self.count == 1 or len(parts) == 1:
            return [compute(part) for part in parts]
        tasks = [self._pool.submit(self._alone, compute, part) for part in parts]
        wait(tasks)
        # A thread that starts later would otherwise begin with as few as the threads of the pool.
        torch.set_num_threads(self._threads)
        return [task.result() for task in tasks]

    def _alone(self, compute: Callable[[_Part], _Result], part: _Part) -> _Result:
        torch.set_num_threads(self._threads // self.count)
        return compute(part)
