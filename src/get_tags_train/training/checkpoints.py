"""Checkpoints: weights, optimizer state and progress of a training at a step, written whole or not at all."""

import errno
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from get_tags_train.core.files import file_sha256, read_bytes, read_json, remove_folder, rename, write_json
from get_tags_train.model.disk_room import KEPT_CHECKPOINTS

_FORMAT = 1
_PREFIX = "checkpoint-"
_STAGING = ".partial"
_STATE = "state.json"
_BEST = "best-of-epoch-"
_WEIGHTS, _OPTIMIZER_STATE = "weights.safetensors", "moments.safetensors"
# Names in state.json that differ from those in the code: a training that an earlier version began can be resumed.
_STORED_AS = {"micro_batch_tokens": "physical_tokens"}

CHECKPOINTS_DIR = "checkpoints"


@dataclass(frozen=True)
class Progress:
    """What has been done up to a checkpoint, in numbers.

    `epochs` has each epoch's mean loss and, where there are validation documents, precision@k; `best_epoch` is the one
    that scored best so far (0: none yet). Tokens and seconds are of training alone, `loss_sum` is of the epoch under
    way, `micro_batch_tokens` is how much was computed at once, `skipped_steps` counts fp16 gradients that overflowed.
    """

    step: int = 0
    epochs: tuple[dict[str, Any], ...] = ()
    best_epoch: int = 0
    loss_sum: float = 0.0
    useful_tokens: int = 0
    computed_tokens: int = 0
    seconds: float = 0.0
    micro_batch_tokens: int = 0
    batch_size: int = 0
    skipped_steps: int = 0

    def as_json(self) -> dict[str, Any]:
        """As it stands in state.json."""
        return {_STORED_AS.get(name, name): value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Progress":
        """What `as_json` gave. Raises TypeError or KeyError where it is something else."""
        names = {name: own for own, name in _STORED_AS.items()}
        values = {names.get(name, name): value for name, value in stored.items()}
        return cls(**{**values, "epochs": tuple(values["epochs"])})


class Checkpoint(NamedTuple):
    """A state to resume from: float32 weights and the optimizer's state by name, and the progress so far."""

    progress: Progress
    weights: dict[str, torch.Tensor]
    optimizer_state: dict[str, torch.Tensor]


class Checkpoints:
    """The checkpoints of one training in a folder; `run` tells them from those of any other."""

    def __init__(self, folder: Path, run: str, *, keep: int = KEPT_CHECKPOINTS) -> None:
        self._folder, self._run, self._keep = folder, run, keep
        self.damaged: list[str] = []
        """Names of this run's checkpoints that `newest` had to skip."""
        self.saved_step = 0
        """The step of the last good one; 0: there is none."""

    def save(
        self, progress: Progress, weights: Mapping[str, torch.Tensor], optimizer_state: Mapping[str, torch.Tensor]
    ) -> None:
        """Write a checkpoint; older ones, beyond the last `keep`, go when it is complete. Raises OSError."""
        target = self._folder / f"{_PREFIX}{progress.step:09d}"
        staging = target.with_name(target.name + _STAGING)
        remove_folder(staging)
        staging.mkdir(parents=True)
        write_tensors(staging / _WEIGHTS, weights)
        write_tensors(staging / _OPTIMIZER_STATE, optimizer_state)
        # Last: its presence, with the right checksums, is what makes a checkpoint complete.
        sums = {name: file_sha256(staging / name) for name in (_WEIGHTS, _OPTIMIZER_STATE)}
        state = {"format": _FORMAT, "run": self._run, "files": sums, "progress": progress.as_json()}
        write_json(staging / _STATE, state)
        remove_folder(target)  # one of the same step was damaged, or the training would have resumed from it
        rename(staging, target)
        self.saved_step = progress.step
        # What another program holds open stays until the next checkpoint: this one is complete all the same.
        for old in self._ours()[self._keep :]:
            with suppress(OSError):
                remove_folder(old)
        for path in self._folder.glob(f"{_BEST}*.safetensors"):
            if path != self.best_path(progress.best_epoch):
                with suppress(OSError):
                    path.unlink()

    def best_path(self, epoch: int) -> Path:
        """Where the weights of the best epoch are kept."""
        return self._folder / f"{_BEST}{epoch}.safetensors"

    def keep_best(self, epoch: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Keep the weights of an epoch; those of an earlier one go with the next checkpoint. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_tensors(self.best_path(epoch), weights)

    def newest(self) -> Checkpoint | None:
        """The last good checkpoint of this run; what is torn, damaged or another run's is skipped."""
        for torn in self._folder.glob(f"{_PREFIX}*{_STAGING}"):
            with suppress(OSError):
                remove_folder(torn)
        for folder in self._ours():
            try:
                state = _read_state(folder)
                if any(file_sha256(folder / name) != sha256 for name, sha256 in state["files"].items()):
                    raise ValueError("a file has changed")
                progress = Progress.from_json(state["progress"])
                weights = read_tensors(folder / _WEIGHTS)
                optimizer_state = read_tensors(folder / _OPTIMIZER_STATE)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError):
                self.damaged.append(folder.name)
                continue
            self.saved_step = progress.step
            return Checkpoint(progress, weights, optimizer_state)
        return None

    def _ours(self) -> list[Path]:
        """This run's checkpoints, newest first."""
        found = []
        for folder in self._folder.glob(f"{_PREFIX}*"):
            try:
                state = _read_state(folder)
                if state["run"] == self._run and state["format"] == _FORMAT:
                    found.append((int(state["progress"]["step"]), folder))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return [folder for _, folder in sorted(found, reverse=True)]


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file, whole or not at all. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        rename(temporary, path)
    except SafetensorError as error:  # which has the system's number in its words, if at all
        number = re.search(r"os error (\d+)", str(error))
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code) if number else str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file by name. Raises OSError or SafetensorError.

    The file is not mapped into memory: Windows would refuse to remove it for as long as one of its tensors lives.
    """
    return load(read_bytes(path))


def _read_state(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = read_json(folder / _STATE)
    return state
