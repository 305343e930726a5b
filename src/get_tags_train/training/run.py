"""What one training is given and what it has come to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from get_tags_train.core.home import PARTIAL, data_dir, models_dir
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.data.prepared import PreparedData
from get_tags_train.metrics.calibration import Calibration
from get_tags_train.splits.training_set import TrainingSet
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.checkpoints import Progress


@dataclass(frozen=True)
class TrainingRun:
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
    def of_task(cls, task: dict[str, Any], home: Path, device: str) -> "TrainingRun":
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
class TrainedModel:
    """What came of it; `thresholds` are the scores from which each tag counts as named."""

    model: PreTrainedModel
    examples: TrainingSet
    progress: Progress
    processes: int
    calibration: Calibration
    thresholds: list[float]
