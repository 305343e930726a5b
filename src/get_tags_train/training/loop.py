"""The training loop: epochs and steps, checkpoints, validation, progress, and early ends."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import EpochFinished, Notice, OnEvent, StageProgress
from get_tags_train.core.i18n import _, number
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.core.system import StopRequest
from get_tags_train.model.device import gpu_memory
from get_tags_train.training.batches import order_of_epoch
from get_tags_train.training.checkpoints import Checkpoint, Checkpoints, Progress, read_tensors
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.step import StepResult, TrainingStep


@dataclass(frozen=True)
class Schedule:
    """Which documents each step has, and at which learning rate.

    rows, validation: places of the training and the validation documents; lengths: (documents,) tokens of all.
    """

    rows: NDArray[np.int64]
    validation: NDArray[np.int64]
    lengths: NDArray[np.int32]
    training: TrainingSettings
    batch_size: int
    top_k: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch; the last may have fewer documents."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.steps_per_epoch * self.training.epochs

    @property
    def tokens(self) -> int:
        """Tokens of all epochs, without padding."""
        return int(self.lengths[self.rows].sum()) * self.training.epochs

    def learning_rate_share(self, step: int) -> float:
        """The share of the peak learning rate at a step (from 0): linear warm-up, then linear decay."""
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
        schedule: Schedule,
        training_step: TrainingStep,
        checkpoints: Checkpoints,
        group: ProcessGroup,
        on_event: OnEvent,
    ) -> None:
        self.progress = Progress(batch_size=schedule.batch_size)
        self._schedule, self._training_step, self._checkpoints = schedule, training_step, checkpoints
        self._group, self._on_event = group, on_event
        self._saved_at = self._began_at = perf_counter()
        self._began_tokens = self._documents_done = 0

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint."""
        self.progress, training_step = checkpoint.progress, self._training_step
        training_step.micro_batch_tokens = min(training_step.micro_batch_tokens, self.progress.micro_batch_tokens)
        training_step.load_weights(checkpoint.weights)
        taken = self.progress.step - self.progress.skipped_steps
        training_step.load_optimizer_state(checkpoint.optimizer_state, taken)

    def run(self, stop: StopRequest) -> None:
        """Train to the end, or until a stop is requested: then the step is finished and the state saved."""
        schedule = self._schedule
        self._saved_at = self._began_at = perf_counter()
        self._began_tokens = self.progress.useful_tokens
        if len(self.progress.epochs) < self.progress.step // schedule.steps_per_epoch:
            self._end_epoch()  # interrupted between the checkpoint and the validation
        for rows in schedule.batches(self.progress.step):
            result = self._take_step(rows)
            ends_epoch = self.progress.step % schedule.steps_per_epoch == 0
            must_stop = self._group.any(stop.is_made) and self.progress.step < schedule.steps
            if self._group.is_main and (must_stop or ends_epoch or self._is_time()):
                self._save(must_succeed=must_stop)
            # Events come after saving: they fail where the terminal has gone.
            self._report(result)
            if must_stop:
                return
            if ends_epoch:
                self._end_epoch()
        if self.progress.best_epoch not in (0, schedule.training.epochs):
            self._training_step.load_weights(read_tensors(self._checkpoints.best_path(self.progress.best_epoch)))

    def _take_step(self, rows: NDArray[np.int64]) -> StepResult:
        """Take the next step and count it. Raises GetTagsError where training diverged."""
        began, done = perf_counter(), self.progress
        result = self._training_step.step(done.step, rows, self._schedule.learning_rate_share(done.step))
        if not (result.is_finite or result.is_skipped):
            raise self._diverged(result)
        self._documents_done += len(rows)
        self.progress = replace(
            done,
            step=done.step + 1,
            loss_sum=done.loss_sum + (result.loss if math.isfinite(result.loss) else 0.0),
            useful_tokens=done.useful_tokens + result.tokens,
            computed_tokens=done.computed_tokens + result.computed_tokens,
            seconds=done.seconds + perf_counter() - began,
            micro_batch_tokens=self._training_step.micro_batch_tokens,
            skipped_steps=done.skipped_steps + result.is_skipped,
        )
        return result

    def _end_epoch(self) -> None:
        """Validate, and keep the weights where they are the best so far."""
        schedule, done = self._schedule, self.progress
        epoch, epochs = done.step // schedule.steps_per_epoch, schedule.training.epochs
        precision = (
            self._training_step.validate(schedule.validation, schedule.top_k) if len(schedule.validation) else []
        )
        ended = EpochFinished(epoch, epochs, done.loss_sum / schedule.steps_per_epoch, precision)
        best = done.best_epoch
        is_best = precision and (not best or sum(precision) >= sum(done.epochs[best - 1]["precision_at_k"]))
        if is_best and (epoch == epochs or self._keep_best(epoch)):  # the last epoch's weights are the model's own
            best = epoch
        scores = {"epoch": epoch, "loss": ended.loss, "precision_at_k": precision}
        self.progress = replace(done, epochs=(*done.epochs, scores), best_epoch=best, loss_sum=0.0)
        self._on_event(ended)

    def _keep_best(self, epoch: int) -> bool:
        """Write the weights of an epoch to disk; whether that succeeded."""
        failed = False
        if self._group.is_main:
            try:
                self._checkpoints.keep_best(epoch, self._training_step.weights())
            except OSError as error:
                failed = True
                message = _(
                    "The weights of epoch {epoch} could not be written ({reason}): it cannot become the best epoch.",
                    epoch=epoch,
                    reason=error.strerror or error,
                )
                self._on_event(Notice(message, "warning"))
        return not self._group.any(failed)

    def _is_time(self) -> bool:
        minutes = self._schedule.training.checkpoint_minutes
        return bool(minutes) and perf_counter() - self._saved_at >= minutes * 60

    def _save(self, *, must_succeed: bool) -> None:
        """Write a checkpoint. Raises OSError only where it must succeed: else the next one may."""
        training_step = self._training_step
        try:
            self._checkpoints.save(self.progress, training_step.weights(), training_step.optimizer_state())
        except OSError as error:
            if must_succeed:
                raise
            message = _(
                "The checkpoint of step {step} could not be written ({reason}): training goes on without it.",
                step=self.progress.step,
                reason=error.strerror or error,
            )
            self._on_event(Notice(message, "warning"))
        self._saved_at = perf_counter()

    def _report(self, result: StepResult) -> None:
        """Send the progress after a step."""
        schedule, done = self._schedule, self.progress
        epoch = -(-done.step // schedule.steps_per_epoch)
        seconds = max(perf_counter() - self._began_at, 1e-9)
        learning_rate = schedule.training.learning_rate * schedule.learning_rate_share(done.step - 1)
        throughput = self._documents_done / seconds
        notes = [
            _("epoch {epoch}/{epochs}", epoch=epoch, epochs=schedule.training.epochs),
            _("loss {loss:.4f}", loss=result.loss),
            _("lr {learning_rate:.1e}", learning_rate=learning_rate),
            _("{throughput:.1f} docs/s", throughput=throughput),
            *([f"{number(gpu_memory(), '.1f')} GB"] if self._training_step.device == "cuda" else []),
        ]
        seconds_left = (schedule.tokens - done.useful_tokens) * seconds / (done.useful_tokens - self._began_tokens)
        figures = {
            "loss": result.loss,
            "learning_rate": learning_rate,
            "gradient": result.gradient_norm,
            "docs_per_second": throughput,
        }
        self._on_event(StageProgress("train", done.step, ", ".join(notes), seconds_left, figures))

    def _diverged(self, result: StepResult) -> GetTagsError:
        step, kept = self.progress.step + 1, self._checkpoints.saved_step
        if not math.isfinite(result.loss):
            message = _("The loss became {loss} at step {step}: training diverged.", loss=result.loss, step=step)
        else:
            norm = result.gradient_norm
            message = _("The gradient became {norm} at step {step}: training diverged.", norm=norm, step=step)
        state = _("The checkpoint of step {kept} is kept.", kept=kept) if kept else _("No checkpoint was saved yet.")
        return GetTagsError(
            message,
            _('Lower learning_rate under [training], or set precision = "fp32". {state}', state=state),
        )
