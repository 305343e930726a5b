"""Fine-tune a BERT to name several tags for a document: prepared data -> a model folder."""

import hashlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from get_tags_train.core.errors import TrainingInterrupted
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted, ignored
from get_tags_train.core.files import remove_folder
from get_tags_train.core.home import logs_dir, models_dir
from get_tags_train.core.i18n import _, _n, documents
from get_tags_train.core.settings import Settings
from get_tags_train.core.system import StopRequest, keep_awake
from get_tags_train.core.workspace import PLAN, open_workspace
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.calibration import THRESHOLD, Calibration, fit_calibration, tune_thresholds
from get_tags_train.model import training_record
from get_tags_train.model.device import prepared_device
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.splits.training_set import choose_training_set
from get_tags_train.text.tokenizer import fingerprint
from get_tags_train.training.batches import is_tokenised_for, open_documents, tokenise_again
from get_tags_train.training.checkpoints import CHECKPOINTS, KEPT_CHECKPOINTS, Checkpoints, Progress
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.head import base_model_identity, calibrate, load_for_tags
from get_tags_train.training.loop import Schedule, TrainingLoop
from get_tags_train.training.model_folder import check_disk, new_model_name, write_model_folder
from get_tags_train.training.run import TrainedModel, TrainingRun
from get_tags_train.training.step import TrainingStep
from get_tags_train.training.throughput import fastest_batch_size, longest_documents, seconds_per_token
from get_tags_train.training.tracking import tracked

_TOKENISED_AGAIN = "input_ids.arrow"


def train(
    settings: Settings,
    data: PreparedData,
    left_out: NDArray[np.bool_],
    *,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
    on_event: OnEvent,
    selecting: NDArray[np.bool_] | None = None,
) -> Path:
    """Fine-tune the base model on the data, without the documents `left_out`; returns the model's folder.

    left_out, selecting: (documents,). Documents that are `selecting` do not train either: they are scored after each
    epoch, and the epoch with the best mean of precision@1..top_k becomes the model. An interrupted training of the
    same data and settings is continued from its last checkpoint. Raises TrainingInterrupted when asked to stop.
    """
    started = perf_counter()
    training, parent = settings.training, models_dir(settings.home)
    chosen = np.zeros_like(left_out) if selecting is None else selecting
    left_out = left_out | chosen
    plan = {
        "data": data.manifest.checksum,
        "base_model": base_model_identity(settings.base_model),
        "tokenizer": fingerprint(tokenizer),
        "documents": hashlib.sha256(np.packbits([left_out, chosen]).tobytes()).hexdigest(),
        "settings": training.deciding(),
    }
    choose_training_set(data, left_out, training.min_tag_count)  # none to train on: found before anything is claimed
    new_name = partial(new_model_name, parent, data.name)
    with open_workspace(settings.home, parent, plan, new_name=new_name, on_event=on_event) as workspace:
        folder, processes = workspace.folder, ProcessGroup(device)
        is_trained = (folder / METADATA_FILE).exists()
        run = TrainingRun(
            home=settings.home,
            folder=folder,
            base_model=settings.base_model,
            training=training,
            top_k=settings.evaluation.top_k,
            data=data,
            left_out=left_out,
            selecting=chosen,
            tokenizer=tokenizer,
            device=device,
        )
        if not is_trained:
            _tokenise_if_needed(run, on_event)
        processes.share({} if is_trained else run.as_task())
        if not is_trained:
            with keep_awake(_("a model is being trained")):
                trained = _fit(run, processes, on_event)
            processes.part()
            seconds = round(perf_counter() - started, 3)
            write_model_folder(run, trained, resumed=workspace.resumed, seconds=seconds)
        training_record.write_training_record(folder, data, left_out, Path(settings.base_model))
        remove_folder(folder / CHECKPOINTS)
        (folder / _TOKENISED_AGAIN).unlink(missing_ok=True)
        return workspace.publish()


def assist(home: Path, device: str) -> None:
    """Train along with the main process, which alone writes and talks, and return when it has all it needs."""
    processes = ProcessGroup(device)
    if task := processes.share():
        with suppress(TrainingInterrupted):
            _fit(TrainingRun.of_task(task, home, device), processes, ignored)
    processes.part()


def _fit(run: TrainingRun, processes: ProcessGroup, on_event: OnEvent) -> TrainedModel:
    """Train, from the last good checkpoint if there is one. Raises TrainingInterrupted when asked to stop."""
    started, training = perf_counter(), run.training
    examples = choose_training_set(run.data, run.left_out, training.min_tag_count)
    again_path = run.folder / _TOKENISED_AGAIN
    documents = open_documents(run.data, examples, run.tokenizer, training.context_length, again_path)
    model = load_for_tags(run.base_model, examples, training)
    plan = hashlib.sha256((run.folder / PLAN).read_bytes()).hexdigest()
    checkpoints = Checkpoints(run.folder / CHECKPOINTS, plan, keep=KEPT_CHECKPOINTS)
    checkpoint = checkpoints.newest()
    for name in checkpoints.damaged:
        on_event(Notice(_("The checkpoint {name} is damaged: it is passed over.", name=name), "warning"))
    if processes.is_main:
        check_disk(run.folder, model)
    with StopRequest() as stop, prepared_device(run.device, deterministic=training.deterministic):
        learner = TrainingStep(model, documents, training, processes, run.device)
        batch_size = checkpoint.progress.batch_size if checkpoint else training.batch_size
        if batch_size == "auto":
            batch_size = fastest_batch_size(learner, examples.rows, documents.lengths, processes)
            on_event(
                Notice(
                    _(
                        "Batch size: {batch_size}, the smallest that is about as fast as this machine gets.",
                        batch_size=batch_size,
                    )
                )
            )
        selecting = documents.tagged(np.flatnonzero(run.selecting))
        course = Schedule(examples.rows, selecting, documents.lengths, training, batch_size, run.top_k)
        done = checkpoint.progress.step if checkpoint else 0
        report_to = training.report_to if processes.is_main else "none"
        with tracked(on_event, report_to, name=run.name, logs_dir=logs_dir(run.home), step=done) as on_event:
            fitting = TrainingLoop(course, learner, checkpoints, processes, on_event)
            if checkpoint:
                on_event(Notice(_("Continuing the training {name} from step {done}.", name=run.name, done=done)))
                fitting.resume(checkpoint)
            longest = longest_documents(course.rows, course.lengths, batch_size)
            _tell_duration(course, seconds_per_token(learner, longest, course.lengths), fitting.progress, on_event)
            on_event(StageStarted("train", total=course.steps, unit="steps"))
            on_event(StageProgress("train", done))
            fitting.run(stop)
    progress = fitting.progress
    if progress.step < course.steps:
        said = _(
            "The training was interrupted; it is saved as of step {step} of {steps}.",
            step=progress.step,
            steps=course.steps,
        )
        raise TrainingInterrupted(said, run.data.name)
    calibration, thresholds = _calibrate(model, learner, selecting if processes.is_main else selecting[:0])
    if progress.physical_tokens < learner.most_tokens:
        said = _(
            "Memory held {tokens:,} tokens at once: batches were computed in parts that add up to the same.",
            tokens=progress.physical_tokens,
        )
        on_event(Notice(said))
    on_event(StageFinished("train", perf_counter() - started))
    return TrainedModel(model, examples, progress, processes.count, calibration, thresholds)


def _calibrate(
    model: PreTrainedModel, learner: TrainingStep, selecting: NDArray[np.int64]
) -> tuple[Calibration, list[float]]:
    """Make the model's scores chances, and choose each tag's threshold, by the documents that select."""
    if not len(selecting):
        tags = int(model.config.num_labels or 0)
        return Calibration.unchanged(tags), [THRESHOLD] * tags
    logits, labels = learner.logits(selecting)
    calibration = fit_calibration(logits, labels)
    calibrate(model, calibration)
    thresholds = tune_thresholds(calibration.scale * logits + calibration.shift)
    return calibration, [round(threshold, 4) for threshold in thresholds.tolist()]


def _tell_duration(course: Schedule, seconds_per_token: float, progress: Progress, on_event: OnEvent) -> None:
    seconds = seconds_per_token * (course.tokens - progress.useful_tokens)
    on_event(
        Notice(
            _(
                "{documents}, {tokens:,} tokens, {epochs}: about {duration} on this "
                "device ({speed:,.0f} tokens a second).",
                documents=documents(len(course.rows)),
                tokens=course.tokens // course.training.epochs,
                epochs=_n("{count} epoch", "{count} epochs", course.training.epochs),
                duration=_duration(seconds),
                speed=1 / seconds_per_token,
            )
        )
    )


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def _tokenise_if_needed(run: TrainingRun, on_event: OnEvent) -> None:
    """Where another tokenizer made the data, read their text again, into a file that goes when the model is there."""
    path = run.folder / _TOKENISED_AGAIN
    if not is_tokenised_for(run.data, run.tokenizer):
        on_event(
            Notice(_("{name} was tokenised for another base model: tokenising its text again.", name=run.data.name))
        )
        if not path.exists():
            tokenise_again(run.data, run.tokenizer, path)
