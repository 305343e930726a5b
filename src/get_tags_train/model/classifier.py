"""What computes a model's logits: ONNX Runtime on a processor, torch elsewhere and where that cannot."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from transformers import PretrainedConfig

from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _
from get_tags_train.model.cpu_threads import CpuThreads
from get_tags_train.model.onnx_classifier import MISSING, OnnxClassifier
from get_tags_train.model.onnx_graph import NoGraph
from get_tags_train.model.torch_classifier import TorchClassifier


class Classifier(Protocol):
    """Logits of encoded texts; several threads may use one at the same time."""

    batch_tokens: int
    most_tokens: int | None
    """How many tokens the model has positions for; None where it has no such limit."""

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logits, (texts, tags), for (texts, tokens) each; padding follows a text."""
        ...


def open_classifier(
    folder: Path, config: PretrainedConfig, device: str, precision: str, on_event: OnEvent
) -> Classifier:
    """The fastest that computes this model in this precision. Raises ValueError where weights are missing.

    A notice says why it is torch where it should be ONNX Runtime.
    """
    if device == "cpu" and precision == "fp32":
        if MISSING is None:
            try:
                return OnnxClassifier(folder, config, CpuThreads.available())
            except NoGraph:
                pass
        else:
            on_event(computes_by_torch(_("ONNX Runtime cannot be loaded: {reason}.", reason=MISSING)))
    return TorchClassifier(folder, device, precision)


def computes_by_torch(reason: str) -> Notice:
    """What is said where torch takes the place of ONNX Runtime."""
    return Notice(_("{reason} torch computes instead: the same tags, more slowly.", reason=reason), "warning")
