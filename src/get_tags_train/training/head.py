"""The classification head: the base model with one for our tags, and the calibration put into its last layer."""

from pathlib import Path

import torch
from transformers import PreTrainedModel, set_seed

from get_tags_train.core.settings import TrainingSettings
from get_tags_train.metrics.calibration import Calibration
from get_tags_train.model.base_model import load_base_model, logits_layer
from get_tags_train.splits.training_set import TrainingSet

# More turns off fast attention on a CPU, at half the speed, and gains nothing.
_ATTENTION_DROPOUT = 0.0


def base_model_identity(base_model: str) -> str:
    """The base model's name and its files' sizes and times: another model in the same folder has another identity."""
    files = sorted(p for p in Path(base_model).glob("*") if p.suffix in {".json", ".safetensors", ".bin"})
    return " ".join([base_model, *(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)])


def load_for_tags(base_model: str, training_set: TrainingSet, training: TrainingSettings) -> PreTrainedModel:
    """The base model with a new head, whose biases start at each tag's log-odds."""
    set_seed(training.seed)
    model = load_base_model(
        base_model,
        training.context_length,
        num_labels=len(training_set.tags),
        id2label=dict(enumerate(training_set.tags)),
        label2id={tag: label for label, tag in enumerate(training_set.tags)},
        problem_type="multi_label_classification",
        attention_probs_dropout_prob=_ATTENTION_DROPOUT,  # BERT's name for it
        attention_dropout=_ATTENTION_DROPOUT,  # DistilBERT's and ModernBERT's
    )
    share = torch.tensor(training_set.counts, dtype=torch.float64) / len(training_set.rows)
    share = share.clamp(0.5 / len(training_set.rows), 1 - 0.5 / len(training_set.rows))
    with torch.no_grad():
        _last_layer(model).bias.copy_(torch.logit(share))
    return model


def calibrate(model: PreTrainedModel, calibration: Calibration) -> None:
    """Fold each tag's scale and shift into the last layer's weights and biases."""
    last = _last_layer(model)
    with torch.no_grad():
        scale, shift = (torch.from_numpy(numbers).to(last.weight) for numbers in calibration)
        last.weight.mul_(scale[:, None])
        last.bias.mul_(scale).add_(shift)


def _last_layer(model: PreTrainedModel) -> torch.nn.Linear:
    """The layer whose outputs are the logits; that there is one was checked when the base model was loaded."""
    layer = logits_layer(model)
    assert layer is not None
    return layer
