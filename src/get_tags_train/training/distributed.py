"""Several processes that train one model together, as torchrun or `accelerate launch` starts them."""

import json
import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

# The main process may read a database for hours before it needs the others.
_TIMEOUT = timedelta(days=30)
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
        """Join the other processes, where there are any; waits until all are there."""
        self.rank, self.size, self._device = 0, 1, device
        if not is_launched():
            return
        if device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized():
            backend = "nccl" if device == "cuda" and dist.is_nccl_available() else "gloo"
            dist.init_process_group(backend, timeout=_TIMEOUT)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and sends events."""
        return self.rank == 0

    def share_task(self, task: dict[str, Any] | None = None) -> dict[str, Any]:
        """The task that the main process gives to all, as JSON; the others wait for it."""
        if self.size == 1:
            return task or {}
        store = dist.distributed_c10d._get_default_store()
        if self.is_main:
            store.set(_TASK, json.dumps(task))
        store.wait([_TASK], _TIMEOUT)
        received: dict[str, Any] = json.loads(store.get(_TASK))
        return received

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
        if self.size > 1:
            dist.destroy_process_group()
