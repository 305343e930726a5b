"""Several processes that train one model together, as torchrun or `accelerate launch` starts them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import _

# The main process may read a database for hours before it has a task for the others.
_TASK_TIMEOUT = timedelta(days=30)
# While training they wait for each other's steps, and for a checkpoint to be written.
_STEP_TIMEOUT = timedelta(minutes=30)
_TASK = "get_tags_train/task"


def is_launched() -> bool:
    """Whether a launcher has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_worker() -> bool:
    """Whether a launcher has started this process to train along with the main one."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys() and os.environ["RANK"] != "0"


class ProcessGroup:
    """The processes of one training. `rank` 0 is the main one; alone, every method is free."""

    def __init__(self, device: str) -> None:
        """Find the other processes, where there are any; waits until the main one is there."""
        self.rank, self.size, self._device = 0, 1, device
        if not is_launched():
            return
        if device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        self._store, self.rank, self.size = next(rendezvous("env://", timeout=_TASK_TIMEOUT))

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and sends events."""
        return self.rank == 0

    def share_task(self, task: dict[str, Any] | None = None) -> dict[str, Any]:
        """The task that the main process gives to all, as JSON; the others wait for it. Empty: there is none."""
        if self.size == 1:
            return task or {}
        if self.is_main:
            self._store.set(_TASK, json.dumps(task))
        self._store.wait([_TASK], _TASK_TIMEOUT)
        received: dict[str, Any] = json.loads(self._store.get(_TASK))
        if received:
            backend = "nccl" if self._device == "cuda" and _has_own_gpu() and dist.is_nccl_available() else "gloo"
            store = dist.distributed_c10d.PrefixStore("training", self._store)
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=_STEP_TIMEOUT)
        return received

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Raise GetTagsError in every process where what is inside the `with` raises it, or OSError, in one."""
        failure = None
        try:
            yield
        except (GetTagsError, OSError) as error:
            failure = error
        failures = self._gather(str(failure or ""))
        if failure:
            raise failure
        for rank, message in enumerate(failures):
            if message:
                raise GetTagsError(
                    _("Process {rank} cannot join the training: {message}", rank=rank, message=message),
                    _shared_home_hint(),
                )

    def require_same_step(self, step: int) -> None:
        """Raise GetTagsError in every process where they would start from checkpoints of different steps."""
        steps = self._gather(step)
        if len(set(steps)) > 1:
            raise GetTagsError(
                _(
                    "The processes found different checkpoints: those of the steps {steps}.",
                    steps=", ".join(map(str, steps)),
                ),
                _shared_home_hint(),
            )

    def _gather(self, value: Any) -> list[Any]:
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)
        return values

    def sum(self, tensors: list[torch.Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        totals = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, totals, strict=True):
            tensor.copy_(total.view_as(tensor))

    def any(self, value: bool) -> bool:
        """Whether the value is true in any process."""
        if self.size == 1:
            return value
        count = torch.tensor([float(value)], device=self._device)
        dist.all_reduce(count)
        return bool(count.item())

    def from_main(self, value: float) -> float:
        """The main process's value."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self._device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def leave(self) -> None:
        """Leave the others, when the training is done."""
        if dist.is_initialized():
            dist.destroy_process_group()


def _has_own_gpu() -> bool:
    """Whether each process of this machine has a GPU of its own: NCCL refuses two on one."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) <= torch.cuda.device_count()


def _shared_home_hint() -> str:
    return _("With several machines, the home must be one folder that all of them can reach.")
