"""Fine-tune a BERT to name several tags for a document: prepared data -> a model folder."""

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from get_tags_train import __version__, provenance
from get_tags_train.base_model import calibrate, identity, load_for_tags
from get_tags_train.batches import Examples, choose_examples, is_tokenised_for, open_documents, tokenise_again
from get_tags_train.calibration import THRESHOLD, Calibration, fit_calibration, tune_thresholds
from get_tags_train.checkpoints import Checkpoints, Progress
from get_tags_train.dataset import PreparedData, file_sha256
from get_tags_train.device import choose_precision, prepared_device
from get_tags_train.errors import GetTagsError, TrainingInterrupted
from get_tags_train.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted, ignored
from get_tags_train.fitting import Course, Fitting
from get_tags_train.folders import folder_bytes, remove_folder, write_json
from get_tags_train.home import PARTIAL, data_dir, logs_dir, models_dir
from get_tags_train.learner import Learner
from get_tags_train.model import TagModel
from get_tags_train.modelfacts import FACTS
from get_tags_train.probes import take_probes
from get_tags_train.processes import Processes
from get_tags_train.settings import Settings, TrainingSettings
from get_tags_train.speed import fastest_batch_size, longest_documents, seconds_per_token
from get_tags_train.tokens import fingerprint, load_tokenizer, save_tokenizer
from get_tags_train.tracking import tracked
from get_tags_train.undisturbed import StopRequest, awake
from get_tags_train.words import _, _n, documents
from get_tags_train.workspace import PLAN, open_workspace

CHECKPOINTS = "checkpoints"
_KEPT_CHECKPOINTS = 2
_TOKENISED_AGAIN = "input_ids.arrow"


@dataclass(frozen=True)
class _Run:
    """One training: what is trained on what, where; the same in each of its processes."""

    home: Path
    folder: Path
    base_model: str
    training: TrainingSettings
    top_k: int
    data: PreparedData
    left_out: NDArray[np.bool_]
    selecting: NDArray[np.bool_]
    tokenizer: PreTrainedTokenizerFast
    device: str

    @property
    def name(self) -> str:
        """The name that the model will have."""
        return self.folder.name.removesuffix(PARTIAL)

    def as_task(self) -> dict[str, Any]:
        """What the other processes need to know, for JSON."""
        return {
            "folder": self.folder.name,
            "base_model": self.base_model,
            "training": self.training.model_dump(),
            "top_k": self.top_k,
            "data": self.data.name,
            "left_out": np.flatnonzero(self.left_out).tolist(),
            "selecting": np.flatnonzero(self.selecting).tolist(),
        }

    @classmethod
    def of_task(cls, task: dict[str, Any], home: Path, device: str) -> "_Run":
        """The same run, in another process."""
        data = PreparedData(data_dir(home) / task["data"])
        masks = {}
        for name in ("left_out", "selecting"):
            masks[name] = np.zeros(data.manifest.documents_kept, bool)
            masks[name][task[name]] = True
        return cls(
            home=home,
            folder=models_dir(home) / task["folder"],
            base_model=task["base_model"],
            training=TrainingSettings(**task["training"]),
            top_k=task["top_k"],
            data=data,
            tokenizer=load_tokenizer(task["base_model"]),
            device=device,
            **masks,
        )


@dataclass(frozen=True)
class _Trained:
    """What came of it; `thresholds` are the scores from which each tag counts as named."""

    model: PreTrainedModel
    examples: Examples
    progress: Progress
    processes: int
    calibration: Calibration
    thresholds: list[float]


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
        "base_model": identity(settings.base_model),
        "tokenizer": fingerprint(tokenizer),
        "documents": hashlib.sha256(np.packbits([left_out, chosen]).tobytes()).hexdigest(),
        "settings": training.deciding(),
    }
    choose_examples(data, left_out, training.min_tag_count)  # none to train on: found before anything is claimed
    new_name = partial(_new_name, parent, data.name)
    with open_workspace(settings.home, parent, plan, new_name=new_name, on_event=on_event) as workspace:
        folder, processes = workspace.folder, Processes(device)
        is_trained = (folder / FACTS).exists()
        run = _Run(
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
            with awake(_("a model is being trained")):
                trained = _fit(run, processes, on_event)
            processes.part()
            _write_model(run, trained, {"resumed": workspace.resumed, "seconds": round(perf_counter() - started, 3)})
        provenance.keep(folder, data, left_out, Path(settings.base_model))
        remove_folder(folder / CHECKPOINTS)
        (folder / _TOKENISED_AGAIN).unlink(missing_ok=True)
        return workspace.publish()


def assist(home: Path, device: str) -> None:
    """Train along with the main process, which alone writes and talks, and return when it has all it needs."""
    processes = Processes(device)
    if task := processes.share():
        with suppress(TrainingInterrupted):
            _fit(_Run.of_task(task, home, device), processes, ignored)
    processes.part()


def _fit(run: _Run, processes: Processes, on_event: OnEvent) -> _Trained:
    """Train, from the last good checkpoint if there is one. Raises TrainingInterrupted when asked to stop."""
    started, training = perf_counter(), run.training
    examples = choose_examples(run.data, run.left_out, training.min_tag_count)
    again_path = run.folder / _TOKENISED_AGAIN
    documents = open_documents(run.data, examples, run.tokenizer, training.context_length, again_path)
    model = load_for_tags(run.base_model, examples, training)
    plan = hashlib.sha256((run.folder / PLAN).read_bytes()).hexdigest()
    checkpoints = Checkpoints(run.folder / CHECKPOINTS, plan, keep=_KEPT_CHECKPOINTS)
    checkpoint = checkpoints.newest()
    for name in checkpoints.damaged:
        on_event(Notice(_("The checkpoint {name} is damaged: it is passed over.", name=name), "warning"))
    if processes.is_main:
        _check_disk(run.folder, model)
    with StopRequest() as stop, prepared_device(run.device, deterministic=training.deterministic):
        learner = Learner(model, documents, training, processes, run.device)
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
        course = Course(examples.rows, selecting, documents.lengths, training, batch_size, run.top_k)
        done = checkpoint.progress.step if checkpoint else 0
        report_to = training.report_to if processes.is_main else "none"
        with tracked(on_event, report_to, name=run.name, logs_dir=logs_dir(run.home), step=done) as on_event:
            fitting = Fitting(course, learner, checkpoints, processes, on_event)
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
    return _Trained(model, examples, progress, processes.count, calibration, thresholds)


def _calibrate(
    model: PreTrainedModel, learner: Learner, selecting: NDArray[np.int64]
) -> tuple[Calibration, list[float]]:
    """Make the model's scores chances, and choose each tag's threshold, by the documents that select."""
    if not len(selecting):
        tags = int(model.config.num_labels or 0)
        return Calibration.unchanged(tags), [THRESHOLD] * tags
    logits, labels = learner.judge(selecting)
    calibration = fit_calibration(logits, labels)
    calibrate(model, calibration)
    thresholds = tune_thresholds(calibration.scale * logits + calibration.shift)
    return calibration, [round(threshold, 4) for threshold in thresholds.tolist()]


def _tell_duration(course: Course, seconds_per_token: float, progress: Progress, on_event: OnEvent) -> None:
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


def _check_disk(folder: Path, model: PreTrainedModel) -> None:
    """Raise GetTagsError where the disk will not hold the checkpoints and the model."""
    weights = 4 * model.num_parameters()
    # A checkpoint has weights and two moments of each; one more is being written; the best epoch's and the model's own.
    needed = 3 * weights * (_KEPT_CHECKPOINTS + 1) + 2 * weights - folder_bytes(folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GetTagsError(
            _(
                "The disk of {folder} has {free:.1f} GB free; the training's checkpoints and the model "
                "take {needed:.1f} GB.",
                folder=folder,
                free=free / 2**30,
                needed=needed / 2**30,
            ),
            _(
                "Free some space (get-tags data, get-tags models), or put the home on another disk: "
                "--home, GET_TAGS_HOME."
            ),
        )


def _write_model(run: _Run, trained: _Trained, known: dict[str, Any]) -> None:
    """The model folder, with its facts last: their presence means that all of it is there."""
    folder = run.folder
    trained.model.save_pretrained(folder)
    # safetensors keeps its files to their owner; whoever runs the API is to read them too.
    shutil.copymode(folder / "config.json", folder / "model.safetensors")
    save_tokenizer(run.tokenizer, folder, run.training.context_length)
    write_json(folder / FACTS, _facts(run, trained) | known)


def _facts(run: _Run, trained: _Trained) -> dict[str, Any]:
    """What the model folder says of itself."""
    folder, examples, progress = run.folder, trained.examples, trained.progress
    model_files = [p for p in sorted(folder.iterdir()) if p.suffix in {".json", ".safetensors"} and p.name != PLAN]
    return {
        "format": 1,
        "name": run.name,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "version": __version__,
        "data": {"name": run.data.name, "checksum": run.data.manifest.checksum},
        "base_model": run.training.base_model,
        "settings": run.training.model_dump() | {"batch_size": progress.batch_size},
        "examples": len(examples.rows),
        "left_out": int(run.left_out.sum()),
        "selecting": int(run.selecting.sum()),
        "tags": [
            {"tag": tag, "documents": documents, "threshold": threshold, "scale": scale, "shift": shift}
            for tag, documents, threshold, scale, shift in zip(
                examples.tags,
                examples.counts,
                trained.thresholds,
                *(np.round(numbers, 6).tolist() for numbers in trained.calibration),
                strict=True,
            )
        ],
        "device": run.device,
        "precision": choose_precision(run.training.precision, run.device),
        "processes": trained.processes,
        "steps": progress.step,
        "epochs": list(progress.epochs),
        "best_epoch": progress.best_epoch or run.training.epochs,
        "useful_tokens": round(progress.useful_tokens / progress.computed_tokens, 4),
        "tokens_per_second": round(progress.useful_tokens / progress.seconds, 1),
        "tokens_at_once": progress.physical_tokens,
        "files": {path.name: file_sha256(path) for path in model_files},
        "probes": [probe.as_json() for probe in take_probes(TagModel(folder))],
        "evaluations": [],
    }


def _tokenise_if_needed(run: _Run, on_event: OnEvent) -> None:
    """Where another tokenizer made the data, read their text again, into a file that goes when the model is there."""
    path = run.folder / _TOKENISED_AGAIN
    if not is_tokenised_for(run.data, run.tokenizer):
        on_event(
            Notice(_("{name} was tokenised for another base model: tokenising its text again.", name=run.data.name))
        )
        if not path.exists():
            tokenise_again(run.data, run.tokenizer, path)


def _new_name(parent: Path, data_name: str) -> str:
    moment = datetime.now()
    while True:
        name = f"{data_name}-{moment:%Y%m%d-%H%M%S}"
        if not (parent / name).exists() and not (parent / (name + PARTIAL)).exists():
            return name
        moment += timedelta(seconds=1)
