"""What the stages report while they work: frozen records, drawn by console.py and by nobody else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage began; `total` is how many units it will work through (None: unknown yet)."""

    stage: str
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage has done `done` of its units; `note` is a short figure to show beside them.

    `seconds_left` is an estimate; `figures` are for programs that follow a training.
    """

    stage: str
    done: int
    note: str = ""
    seconds_left: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage is complete."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the people at the keyboard should read."""

    message: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """Training has gone through all documents once more: the mean loss, and precision@1..k where documents select."""

    epoch: int
    epochs: int
    loss: float
    precision_at_k: list[float]


Event = StageStarted | StageProgress | StageFinished | Notice | EpochFinished
OnEvent = Callable[[Event], None]


def ignored(_: Event) -> None:
    """A listener for work that nobody watches."""
