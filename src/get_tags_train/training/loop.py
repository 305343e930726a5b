"""The loop of training: epochs and steps, checkpoints, validation, what people see of it, and how it ends early."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import EpochFinished, Notice, OnEvent, StageProgress
from get_tags_train.core.i18n import _, number
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.core.system import StopRequest
from get_tags_train.model.device import gpu_memory
from get_tags_train.training.batches import order_of_epoch
from get_tags_train.training.checkpoints import Checkpoint, Checkpoints, Progress
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.step import StepResult, TrainingStep


@dataclass(frozen=True)
class Schedule:
    """How a training runs: its documents (`rows` train, `selecting` choose the epoch), lengths of all, and settings."""

    rows: NDArray[np.int64]
    selecting: NDArray[np.int64]
    lengths: NDArray[np.int32]
    training: TrainingSettings
    batch_size: int
    top_k: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of one epoch; the last may have fewer documents."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.steps_per_epoch * self.training.epochs

    @property
    def tokens(self) -> int:
        """Tokens of all epochs, without padding."""
        return int(self.lengths[self.rows].sum()) * self.training.epochs

    def rate(self, step: int) -> float:
        """The share of the peak learning rate at a step (from 0): up in a line, then down in a line."""
        warmup = math.ceil(self.steps * self.training.warmup_ratio)
        return (step + 1) / (warmup + 1) if step < warmup else (self.steps - step) / max(1, self.steps - warmup)

    def batches(self, step: int) -> Iterator[NDArray[np.int64]]:
        """The documents of each step from `step` on, without a look at those before."""
        for epoch in range(step // self.steps_per_epoch, self.training.epochs):
            order = order_of_epoch(self.rows, self.lengths, self.batch_size, [self.training.seed, epoch])
            first = step - epoch * self.steps_per_epoch if step > epoch * self.steps_per_epoch else 0
            for place in range(first, self.steps_per_epoch):
                yield order[place * self.batch_size : (place + 1) * self.batch_size]


class TrainingLoop:
    """One training under way; `progress` is how far it has come."""

    def __init__(
        self,
        course: Schedule,
        learner: TrainingStep,
        checkpoints: Checkpoints,
        processes: ProcessGroup,
        on_event: OnEvent,
    ) -> None:
        self.progress = Progress(batch_size=course.batch_size)
        self._course, self._learner, self._checkpoints = course, learner, checkpoints
        self._processes, self._on_event = processes, on_event
        self._saved_at = self._began_at = perf_counter()
        self._began_tokens = self._documents_done = 0

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self.progress = checkpoint.progress
        self._learner.physical_tokens = min(self._learner.physical_tokens, checkpoint.progress.physical_tokens)
        self._learner.load(checkpoint.weights)
        self._learner.load_optimizer_state(checkpoint.moments, checkpoint.progress.step)

    def run(self, stop: StopRequest) -> None:
        """Train to the end, or until somebody asks to stop: then the step is finished and the state saved."""
        course = self._course
        self._saved_at = self._began_at = perf_counter()
        self._began_tokens = self.progress.useful_tokens
        for rows in course.batches(self.progress.step):
            began, step = perf_counter(), self.progress.step
            taken = self._learner.step(step, rows, course.rate(step))
            if not taken.is_sound:
                raise self._diverged(taken)
            self._count(taken, perf_counter() - began)
            self._documents_done += len(rows)
            ended = self._end_epoch() if self.progress.step % course.steps_per_epoch == 0 else None
            is_asked = self._processes.any(stop.is_made)
            if self._processes.is_main:
                self._save(must=is_asked, due=bool(ended) or self._is_time())
            # Saved first: where the terminal has gone, telling fails.
            self._tell(taken)
            if ended:
                self._on_event(ended)
            if is_asked:
                return
        if self.progress.best_epoch not in (0, course.training.epochs):
            self._learner.load(load_file(self._checkpoints.best_path(self.progress.best_epoch)))

    def _count(self, taken: StepResult, seconds: float) -> None:
        done = self.progress
        self.progress = replace(
            done,
            step=done.step + 1,
            loss_sum=done.loss_sum + taken.loss,
            useful_tokens=done.useful_tokens + taken.tokens,
            computed_tokens=done.computed_tokens + taken.computed_tokens,
            seconds=done.seconds + seconds,
            physical_tokens=self._learner.physical_tokens,
        )

    def _end_epoch(self) -> EpochFinished:
        """Score the epoch, and keep its weights where they are the best so far."""
        course, done = self._course, self.progress
        epoch = done.step // course.steps_per_epoch
        precision = self._learner.validate(course.selecting, course.top_k) if len(course.selecting) else []
        ended = EpochFinished(epoch, course.training.epochs, done.loss_sum / course.steps_per_epoch, precision)
        best = done.best_epoch
        if precision and (not best or sum(precision) >= sum(done.epochs[best - 1]["precision_at_k"])):
            best = epoch
            if self._processes.is_main and epoch < course.training.epochs:  # the last one's are in the last checkpoint
                self._checkpoints.keep_best(epoch, self._learner.weights())
        scores = {"epoch": epoch, "loss": ended.loss, "precision_at_k": precision}
        self.progress = replace(done, epochs=(*done.epochs, scores), best_epoch=best, loss_sum=0.0)
        return ended

    def _is_time(self) -> bool:
        minutes = self._course.training.checkpoint_minutes
        return bool(minutes) and perf_counter() - self._saved_at >= minutes * 60

    def _save(self, *, must: bool, due: bool) -> None:
        """Write a checkpoint where one is due. Raises OSError only where it `must`: else the next may go better."""
        if not (must or due):
            return
        try:
            self._checkpoints.save(self.progress, self._learner.weights(), self._learner.optimizer_state())
        except OSError as error:
            if must:
                raise
            said = _(
                "The checkpoint of step {step} could not be written ({reason}): training goes on without it.",
                step=self.progress.step,
                reason=error.strerror or error,
            )
            self._on_event(Notice(said, "warning"))
        self._saved_at = perf_counter()

    def _tell(self, taken: StepResult) -> None:
        course, done = self._course, self.progress
        epoch = -(-done.step // course.steps_per_epoch)
        seconds = max(perf_counter() - self._began_at, 1e-9)
        learning_rate = course.training.learning_rate * course.rate(done.step - 1)
        speed = self._documents_done / seconds
        notes = [
            _("epoch {epoch}/{epochs}", epoch=epoch, epochs=course.training.epochs),
            _("loss {loss:.4f}", loss=taken.loss),
            _("lr {learning_rate:.1e}", learning_rate=learning_rate),
            _("{speed:.1f} docs/s", speed=speed),
            *([f"{number(gpu_memory(), '.1f')} GB"] if self._learner.device == "cuda" else []),
        ]
        left = (course.tokens - done.useful_tokens) * seconds / (done.useful_tokens - self._began_tokens)
        figures = {"loss": taken.loss, "learning_rate": learning_rate, "gradient": taken.norm, "docs_per_second": speed}
        self._on_event(StageProgress("train", done.step, ", ".join(notes), left, figures))

    def _diverged(self, taken: StepResult) -> GetTagsError:
        step, kept = self.progress.step + 1, self._checkpoints.saved_step
        if not math.isfinite(taken.loss):
            said = _("The loss became {loss} at step {step}: training has come apart.", loss=taken.loss, step=step)
        else:
            said = _("The gradient became {norm} at step {step}: training has come apart.", norm=taken.norm, step=step)
        state = (
            _("The state of step {kept}, before it, is kept.", kept=kept) if kept else _("Nothing had been saved yet.")
        )
        return GetTagsError(
            said,
            _('Lower learning_rate under [training], or set precision = "fp32". {state}', state=state),
        )
