"""Write the model folder: weights, tokenizer, metadata."""

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import file_sha256, folder_bytes
from get_tags_train.core.home import PARTIAL
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.version import __version__
from get_tags_train.core.workspace import PLAN
from get_tags_train.model.device import choose_precision
from get_tags_train.model.disk_room import bytes_to_train
from get_tags_train.model.metadata import (
    DataRecord,
    EpochRecord,
    ModelMetadata,
    SettingsRecord,
    TagRecord,
    write_metadata,
)
from get_tags_train.model.onnx_graph import GRAPH, NoGraph, build_graph
from get_tags_train.model.probes import take_probes
from get_tags_train.model.second_reader import FILE as SECOND_READER
from get_tags_train.model.tagger import TagModel
from get_tags_train.model.torch_classifier import TorchClassifier
from get_tags_train.text.tokenizer import save_tokenizer
from get_tags_train.training.run import TrainedModel, TrainingRun
from get_tags_train.training.second_reader import Fitted


def check_disk(folder: Path, model: PreTrainedModel) -> None:
    """Raise GetTagsError where the disk will not hold the checkpoints and the model."""
    needed = bytes_to_train(model.num_parameters()) - folder_bytes(folder)
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
                "Free some space ({data}, {models}), or move the home folder to another disk.",
                data=Command("data"),
                models=Command("models"),
            ),
        )


def write_model_folder(
    run: TrainingRun, trained: TrainedModel, fitted: Fitted | None, *, resumed: bool, seconds: float
) -> None:
    """Write the model, its tokenizer, its second reader and, last, its metadata: where that is, everything is."""
    folder = run.folder
    trained.model.save_pretrained(folder)
    # safetensors keeps its files to their owner; whoever runs the API is to read them too.
    shutil.copymode(folder / "config.json", folder / "model.safetensors")
    save_tokenizer(run.tokenizer, folder, run.training.context_length)
    with suppress(NoGraph):  # another kind of model is read by torch alone
        (folder / GRAPH).write_bytes(build_graph(folder, trained.model.config))
    (folder / SECOND_READER).unlink(missing_ok=True)  # of a run that was killed here
    read: dict[str, Any] = {"resumed": resumed, "seconds": round(seconds, 3)}
    if fitted is not None:
        read["cut_cost"] = fitted.cut_cost
        if fitted.reader is not None:
            fitted.reader.save(folder)
            read["second_reader"] = fitted.record
    write_metadata(folder, _metadata(run, trained).model_copy(update=read))


def _metadata(run: TrainingRun, trained: TrainedModel) -> ModelMetadata:
    """What the model folder says of itself."""
    folder, training_set, progress = run.folder, trained.training_set, trained.progress
    model_files = [
        p for p in sorted(folder.iterdir()) if p.suffix in {".json", ".safetensors", ".onnx"} and p.name != PLAN
    ]
    return ModelMetadata(
        format=1,
        name=run.name,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        version=__version__,
        data=DataRecord(name=run.data.name, checksum=run.data.manifest.checksum),
        base_model=run.training.base_model,
        settings=SettingsRecord(**run.training.model_dump() | {"batch_size": progress.batch_size}),
        examples=len(training_set.rows),
        left_out=int(run.left_out.sum()),
        selecting=int(run.validation.sum()),
        tags=[
            TagRecord(tag=tag, documents=documents, threshold=threshold, scale=scale, shift=shift)
            for tag, documents, threshold, scale, shift in zip(
                training_set.tags,
                training_set.counts,
                trained.thresholds,
                *(np.round(numbers, 6).tolist() for numbers in trained.calibration),
                strict=True,
            )
        ],
        device=run.device,
        precision=choose_precision(run.training.precision, run.device),
        processes=trained.processes,
        steps=progress.step,
        skipped_steps=progress.skipped_steps,
        epochs=[EpochRecord.model_validate(epoch) for epoch in progress.epochs],
        best_epoch=progress.best_epoch or run.training.epochs,
        useful_tokens=round(progress.useful_tokens / progress.computed_tokens, 4),
        tokens_per_second=round(progress.useful_tokens / progress.seconds, 1),
        tokens_at_once=progress.micro_batch_tokens,
        files={path.name: file_sha256(path) for path in model_files},
        probes=take_probes(TagModel(folder, classifier=TorchClassifier(folder, "cpu", "fp32"))),
        evaluations=[],
    )


def new_model_name(models: Path, data_name: str) -> str:
    """A name in the folder `models` that no model has, made of the data's name and the time."""
    moment = datetime.now()
    while True:
        name = f"{data_name}-{moment:%Y%m%d-%H%M%S}"
        if not (models / name).exists() and not (models / (name + PARTIAL)).exists():
            return name
        moment += timedelta(seconds=1)
