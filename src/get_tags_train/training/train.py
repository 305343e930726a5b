"""Fine-tune a BERT to predict several tags for a document: prepared data -> a model folder."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from get_tags_train.core.errors import TrainingInterrupted
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted, ignored
from get_tags_train.core.files import remove_folder
from get_tags_train.core.home import logs_dir, models_dir
from get_tags_train.core.i18n import _, _n, documents, number
from get_tags_train.core.settings import Settings
from get_tags_train.core.system import StopRequest, keep_awake
from get_tags_train.core.workspace import PLAN, open_workspace
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.calibration import THRESHOLD, Calibration, fit_calibration, tune_thresholds
from get_tags_train.model.device import prepared_device
from get_tags_train.model.linear_reader import LinearReader
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.model.training_record import write_training_record
from get_tags_train.splits.training_set import TrainingSet, choose_training_set
from get_tags_train.text.tokenizer import fingerprint
from get_tags_train.training.batches import Documents, is_tokenized_for, open_documents, retokenize
from get_tags_train.training.checkpoints import CHECKPOINTS_DIR, Checkpoint, Checkpoints, Progress
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.head import base_model_identity, calibrate, load_for_tags
from get_tags_train.training.loop import TrainingLoop
from get_tags_train.training.model_folder import check_disk, new_model_name, write_model_folder
from get_tags_train.training.run import TrainedModel, TrainingRun, ValidationLogits
from get_tags_train.training.schedule import Schedule
from get_tags_train.training.second_reader import fit_second_reader
from get_tags_train.training.step import TrainingStep
from get_tags_train.training.throughput import fastest_batch_size, longest_documents, seconds_per_token
from get_tags_train.training.tracking import tracked


class Trained(NamedTuple):
    """A model's folder, and the linear reader that was fitted on the same documents, None where none was."""

    folder: Path
    linear: LinearReader | None


def train(
    settings: Settings,
    data: PreparedData,
    left_out: NDArray[np.bool_],
    *,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
    on_event: OnEvent,
    validation: NDArray[np.bool_] | None = None,
) -> Trained:
    """Fine-tune the base model on the data, without the documents `left_out`.

    left_out, validation: (documents,). Validation documents are left out too: the model is scored on them after each
    epoch, and the epoch with the best mean of precision@1..top_k becomes the model. An interrupted training of the
    same data and settings is resumed from its last checkpoint. Raises TrainingInterrupted when asked to stop.
    """
    started = perf_counter()
    if validation is None:
        validation = np.zeros_like(left_out)
    left_out = left_out | validation
    choose_training_set(data, left_out, settings.training.min_tag_count)  # raises where it is empty
    models = models_dir(settings.home)
    plan = _plan(settings, data, tokenizer, np.packbits([left_out, validation]))
    new_name = partial(new_model_name, models, data.name)
    with open_workspace(settings.home, models, plan, new_name=new_name, on_event=on_event) as workspace:
        run = TrainingRun(
            home=settings.home,
            folder=workspace.folder,
            base_model=settings.base_model,
            training=settings.training,
            top_k=settings.evaluation.top_k,
            data=data,
            left_out=left_out,
            validation=validation,
            tokenizer=tokenizer,
            device=device,
        )
        group, fitted = ProcessGroup(device), None
        if (run.folder / METADATA_FILE).exists():  # killed after it had been trained
            group.share_task({})
            group.leave()
        else:
            _retokenize_if_needed(run, on_event)
            group.share_task(run.as_task())
            with keep_awake(_("a model is being trained")):
                trained = _fine_tune(lambda: run, group, on_event)
            group.leave()
            fitted = fit_second_reader(run, trained, on_event)
            write_model_folder(run, trained, fitted, resumed=workspace.resumed, seconds=perf_counter() - started)
        write_training_record(run.folder, data, left_out, Path(settings.base_model))
        remove_folder(run.folder / CHECKPOINTS_DIR)
        run.retokenized_path.unlink(missing_ok=True)
        return Trained(workspace.publish(), fitted.linear if fitted else None)


def train_as_worker(home: Path, device: str) -> None:
    """Train along with the main process, which alone writes files and sends events, until the model is trained."""
    group = ProcessGroup(device)
    if task := group.share_task():
        with suppress(TrainingInterrupted):
            _fine_tune(lambda: TrainingRun.from_task(task, home, device), group, ignored)
    group.leave()


def _plan(
    settings: Settings, data: PreparedData, tokenizer: PreTrainedTokenizerFast, documents: NDArray[np.uint8]
) -> dict[str, Any]:
    """All that the model depends on: a training is resumed under the same plan only."""
    return {
        "data": data.manifest.checksum,
        "base_model": base_model_identity(settings.base_model),
        "tokenizer": fingerprint(tokenizer),
        "documents": hashlib.sha256(documents.tobytes()).hexdigest(),
        "settings": settings.training.deciding(),
    }


def _retokenize_if_needed(run: TrainingRun, on_event: OnEvent) -> None:
    """Where another tokenizer made the data, tokenise its text anew, into a file that goes when the model is there."""
    if is_tokenized_for(run.data, run.tokenizer):
        return
    on_event(Notice(_("{name} was tokenised for another base model: tokenising its text again.", name=run.data.name)))
    if not run.retokenized_path.exists():
        retokenize(run.data, run.tokenizer, run.retokenized_path, ~run.left_out | run.validation)


def _fine_tune(open_run: Callable[[], TrainingRun], group: ProcessGroup, on_event: OnEvent) -> TrainedModel:
    """Fine-tune and calibrate, from the last good checkpoint if there is one.

    Raises TrainingInterrupted when asked to stop, and GetTagsError where one of the processes cannot open the run.
    """
    started = perf_counter()
    with group.all_or_none():
        opened = _open(open_run(), group, on_event)
    group.require_same_step(opened.step)
    run = opened.run
    with prepared_device(run.device, deterministic=run.training.deterministic):
        setup = _set_up(opened, group, on_event)
        progress = _fit(setup, on_event)
        calibrated = _calibrate(setup)
    if progress.micro_batch_tokens < setup.training_step.max_micro_batch_tokens:
        message = _(
            "Memory was short: batches were split into micro-batches of {tokens:,} tokens. The result is the same.",
            tokens=progress.micro_batch_tokens,
        )
        on_event(Notice(message))
    on_event(StageFinished("train", perf_counter() - started))
    return TrainedModel(opened.model, opened.training_set, progress, group.size, *calibrated)


@dataclass(frozen=True)
class _Opened:
    """What a run reads before it is trained."""

    run: TrainingRun
    training_set: TrainingSet
    documents: Documents
    model: PreTrainedModel
    checkpoints: Checkpoints
    checkpoint: Checkpoint | None

    @property
    def step(self) -> int:
        """The step that training starts from."""
        return self.checkpoint.progress.step if self.checkpoint else 0


@dataclass(frozen=True)
class _Setup:
    """What a run is trained with."""

    opened: _Opened
    group: ProcessGroup
    training_step: TrainingStep
    schedule: Schedule


def _open(run: TrainingRun, group: ProcessGroup, on_event: OnEvent) -> _Opened:
    """Open the documents, load the base model and the newest checkpoint."""
    training = run.training
    training_set = choose_training_set(run.data, run.left_out, training.min_tag_count)
    documents = open_documents(run.data, training_set, run.tokenizer, training.context_length, run.retokenized_path)
    model = load_for_tags(run.base_model, training_set, training)
    plan_sha256 = hashlib.sha256((run.folder / PLAN).read_bytes()).hexdigest()
    checkpoints = Checkpoints(run.folder / CHECKPOINTS_DIR, plan_sha256)
    checkpoint = checkpoints.newest()
    for name in checkpoints.damaged:
        on_event(Notice(_("The checkpoint {name} is damaged and was skipped.", name=name), "warning"))
    if group.is_main:
        check_disk(run.folder, model)
    return _Opened(run, training_set, documents, model, checkpoints, checkpoint)


def _set_up(opened: _Opened, group: ProcessGroup, on_event: OnEvent) -> _Setup:
    """Move the model to its device, and choose the batch size if that is left to the machine."""
    run, documents, training = opened.run, opened.documents, opened.run.training
    rows = opened.training_set.rows
    training_step = TrainingStep(opened.model, documents, training, group, run.device)
    batch_size = opened.checkpoint.progress.batch_size if opened.checkpoint else training.batch_size
    if batch_size == "auto":
        batch_size = fastest_batch_size(training_step, rows, documents.lengths, group)
        message = _(
            "Batch size: {batch_size}, the smallest that is about as fast as this machine gets.", batch_size=batch_size
        )
        on_event(Notice(message))
    validation = documents.tagged(np.flatnonzero(run.validation))
    schedule = Schedule(rows, validation, documents.lengths, training, batch_size, run.top_k)
    return _Setup(opened, group, training_step, schedule)


def _fit(setup: _Setup, on_event: OnEvent) -> Progress:
    """Run the training loop to its end. Raises TrainingInterrupted when asked to stop."""
    opened, schedule = setup.opened, setup.schedule
    run, done = opened.run, opened.step
    report_to = run.training.report_to if setup.group.is_main else "none"
    with (
        StopRequest() as stop,
        tracked(on_event, report_to, name=run.name, logs_dir=logs_dir(run.home), step=done) as report,
    ):
        loop = TrainingLoop(schedule, setup.training_step, opened.checkpoints, setup.group, report)
        if opened.checkpoint:
            report(Notice(_("Continuing the training {name} from step {done}.", name=run.name, done=done)))
            loop.resume(opened.checkpoint)
        longest = longest_documents(schedule.rows, schedule.lengths, schedule.batch_size)
        _report_duration(
            schedule, seconds_per_token(setup.training_step, longest, schedule.lengths), loop.progress, report
        )
        report(StageStarted("train", total=schedule.steps, unit="steps"))
        report(StageProgress("train", done))
        loop.run(stop)
    if loop.progress.step < schedule.steps:
        message = _(
            "The training was interrupted and saved at step {step} of {steps}.",
            step=loop.progress.step,
            steps=schedule.steps,
        )
        raise TrainingInterrupted(message, run.data.name)
    return loop.progress


def _report_duration(schedule: Schedule, seconds_per_token: float, progress: Progress, on_event: OnEvent) -> None:
    seconds = seconds_per_token * (schedule.tokens - progress.useful_tokens)
    message = _(
        "{documents}, {tokens:,} tokens, {epochs}: about {duration} on this device "
        "({throughput:,.0f} tokens a second).",
        documents=documents(len(schedule.rows)),
        tokens=schedule.tokens // schedule.training.epochs,
        epochs=_n("{count} epoch", "{count} epochs", schedule.training.epochs),
        duration=_duration(seconds),
        throughput=1 / seconds_per_token,
    )
    on_event(Notice(message))


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 1.5 * size:
            return f"{number(seconds / size, '.1f')} {unit}"
    return f"{max(seconds, 1):.0f} s"


def _calibrate(setup: _Setup) -> tuple[Calibration, list[float], ValidationLogits | None]:
    """Turn the model's scores into probabilities, and choose each tag's threshold, by the validation documents."""
    tags, validation = len(setup.opened.training_set.tags), setup.schedule.validation
    if not len(validation) or not setup.group.is_main:
        return Calibration.unchanged(tags), [THRESHOLD] * tags, None
    logits, labels = setup.training_step.logits(validation)
    calibration = fit_calibration(logits, labels)
    calibrate(setup.opened.model, calibration)
    thresholds = tune_thresholds(calibration.scale * logits + calibration.shift)
    rounded = [round(threshold, 4) for threshold in thresholds.tolist()]
    return calibration, rounded, ValidationLogits(validation, logits)
