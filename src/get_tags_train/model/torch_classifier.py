"""The BERT of a model folder by torch: on a GPU, in bf16, and models that ONNX Runtime has no graph for."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from get_tags_train.core.i18n import _
from get_tags_train.model.base_model import most_tokens

# Beyond that a processor's caches, not its arithmetic, set the speed.
_BATCH_TOKENS = {"cpu": 1_280, "cuda": 8_192}
_SHAPE_STEP = 8


class TorchClassifier:
    """Computes logits; several threads may use one at the same time."""

    def __init__(self, folder: Path, device: str, precision: str) -> None:
        """Load the weights. Raises ValueError naming those that are missing."""
        model = _load(folder)
        self._model = (_in_bf16(model) if precision == "bf16" else model).eval().to(device)
        self._device, self.batch_tokens = device, _BATCH_TOKENS[device]
        self.most_tokens: int | None = most_tokens(model)

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logits, (texts, tags), for (texts, tokens) each."""
        texts = len(input_ids)
        if self._device == "cpu":
            input_ids, attention_mask = self._in_few_shapes(input_ids, attention_mask)
        with torch.inference_mode():
            logits = self._model(
                input_ids=torch.from_numpy(input_ids).to(self._device),
                attention_mask=torch.from_numpy(attention_mask).to(self._device),
            ).logits
            computed: NDArray[np.float32] = logits.float().cpu().numpy()
        return computed[:texts]

    def _in_few_shapes(self, *arrays: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Both padded: torch keeps memory for each shape on a processor, which would grow with the texts.

        To multiples of 8, which cost little; up to 8 texts, as a request has, are left as they are.
        """
        texts, tokens = arrays[0].shape
        rows = texts if texts <= _SHAPE_STEP else -(-texts // _SHAPE_STEP) * _SHAPE_STEP
        width = -(-tokens // _SHAPE_STEP) * _SHAPE_STEP
        if self.most_tokens is not None:
            width = max(tokens, min(width, self.most_tokens))
        padded = [np.pad(array, ((0, rows - texts), (0, width - tokens))) for array in arrays]
        padded[1][texts:, 0] = 1  # a row that is there for the shape alone has one token to look at
        return padded


def _load(folder: Path) -> Any:
    """The model of a folder, without running code of its own."""
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        folder,
        dtype=torch.float32,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if missing := sorted(loading["missing_keys"]):
        raise ValueError(_("it has no weights for {missing}", missing=", ".join(missing[:3])))
    return model


def _in_bf16(model: PreTrainedModel) -> PreTrainedModel:
    """The model with bf16 weights, but for its last layer: eight bits of a logit would tie half the tags."""
    outputs = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == model.num_labels]
    model.bfloat16()
    outputs[-1].float()
    outputs[-1].register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
    return model
