"""What the stages report while they work: frozen records, drawn by console.py and by nobody else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage began; `total` is how many units it will work through (None: unknown yet)."""

    stage: str
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage has done `done` of its units; `note` is a short figure to show beside them."""

    stage: str
    done: int
    note: str = ""


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


Event = StageStarted | StageProgress | StageFinished | Notice
OnEvent = Callable[[Event], None]


def ignored(_: Event) -> None:
    """A listener for work that nobody watches."""
