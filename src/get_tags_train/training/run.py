"""What one training is given, and what comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from get_tags_train.core.home import PARTIAL, data_dir, models_dir
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.data.decisions import read_decisions
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.calibration import Calibration
from get_tags_train.splits.training_set import TrainingSet
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.checkpoints import Progress


@dataclass(frozen=True)
class TrainingRun:
    """One training: which model on which data, where; the same in each of its processes.

    left_out, validation: (documents,) not trained on, and those of them that the epochs are scored on.
    """

    home: Path
    folder: Path
    base_model: str
    training: TrainingSettings
    top_k: int
    data: PreparedData
    left_out: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    tokenizer: PreTrainedTokenizerFast
    device: str

    @property
    def name(self) -> str:
        """The name that the model will have."""
        return self.folder.name.removesuffix(PARTIAL)

    @property
    def retokenized_path(self) -> Path:
        """Where the data's input_ids for another tokenizer are kept while training."""
        return self.folder / "input_ids.arrow"

    def as_task(self) -> dict[str, Any]:
        """What the other processes need to know, for JSON."""
        return {
            "folder": self.folder.name,
            "base_model": self.base_model,
            "training": self.training.model_dump(),
            "top_k": self.top_k,
            "data": self.data.name,
            "decisions": self.data.has_decisions,
            "left_out": np.flatnonzero(self.left_out).tolist(),
            "validation": np.flatnonzero(self.validation).tolist(),
        }

    @classmethod
    def from_task(cls, task: dict[str, Any], home: Path, device: str) -> "TrainingRun":
        """The same run in another process. Raises GetTagsError where its data or tokenizer is not there."""
        data = PreparedData(data_dir(home) / task["data"])
        if task["decisions"]:
            data = data.with_decisions(read_decisions(home))
        masks = {}
        for name in ("left_out", "validation"):
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
class ValidationLogits:
    """Logits before calibration, (documents, tags), of the validation documents that have tags, and their places."""

    rows: NDArray[np.int64]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class TrainedModel:
    """A trained, calibrated model; `thresholds` are the probabilities from which each tag is predicted.

    validation is None where there are no such documents.
    """

    model: PreTrainedModel
    training_set: TrainingSet
    progress: Progress
    processes: int
    calibration: Calibration
    thresholds: list[float]
    validation: ValidationLogits | None
