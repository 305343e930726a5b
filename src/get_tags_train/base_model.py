"""The BERT that a training starts from: load and check it, and give it a head for our tags."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, set_seed

from get_tags_train.batches import Examples
from get_tags_train.calibration import Calibration
from get_tags_train.errors import InputError
from get_tags_train.settings import TrainingSettings
from get_tags_train.tokens import base_model_error
from get_tags_train.words import _

# These count positions from the padding token's number on, so that the first ones are never used.
_POSITIONS_AFTER_PADDING = {"roberta", "xlm-roberta", "camembert"}


def check_base_model(base_model: str, context_length: int) -> None:
    """Load the base model once and let it go, so that it is there, and long enough, when it is needed hours later."""
    _load(base_model, context_length)


def identity(base_model: str) -> str:
    """What tells a base model from one that was put into the same folder later."""
    files = sorted(p for p in Path(base_model).glob("*") if p.suffix in {".json", ".safetensors", ".bin"})
    return " ".join([base_model, *(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)])


def load_for_tags(base_model: str, examples: Examples, training: TrainingSettings) -> PreTrainedModel:
    """The base model with a new head, whose biases start at each tag's log-odds."""
    set_seed(training.seed)
    model = _load(
        base_model,
        training.context_length,
        num_labels=len(examples.tags),
        id2label=dict(enumerate(examples.tags)),
        label2id={tag: label for label, tag in enumerate(examples.tags)},
        problem_type="multi_label_classification",
        attention_probs_dropout_prob=training.attention_dropout,  # BERT's name for it
        attention_dropout=training.attention_dropout,  # DistilBERT's and ModernBERT's
    )
    share = torch.tensor(examples.counts, dtype=torch.float64) / len(examples.rows)
    share = share.clamp(0.5 / len(examples.rows), 1 - 0.5 / len(examples.rows))
    with torch.no_grad():
        _last_layer(model).bias.copy_(torch.logit(share))
    return model


def calibrate(model: PreTrainedModel, calibration: Calibration) -> None:
    """Put the map of each tag's logits into the last layer's weights and biases."""
    last = _last_layer(model)
    with torch.no_grad():
        scale, shift = (torch.from_numpy(numbers).to(last.weight) for numbers in calibration)
        last.weight.mul_(scale[:, None])
        last.bias.mul_(scale).add_(shift)


def _last_layer(model: PreTrainedModel) -> torch.nn.Linear:
    """The layer whose outputs are the logits."""
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == model.num_labels][-1]


def is_new_layer(name: str, model: PreTrainedModel) -> bool:
    """Whether a parameter belongs to the layers that start untrained: classifier and pooler."""
    encoder = f"{model.base_model_prefix}."
    return not name.startswith(encoder) or name.startswith(f"{encoder}pooler.")


def _load(base_model: str, context_length: int, **config_values: Any) -> PreTrainedModel:
    """The base model in float32, with these values in its configuration where it knows them."""
    try:
        config = AutoConfig.from_pretrained(base_model, trust_remote_code=False)
        for key, value in config_values.items():
            setattr(config, key, value)
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            base_model,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    except Exception as error:  # a damaged folder fails in many ways inside the library
        raise base_model_error(base_model, error) from error
    positions = getattr(config, "max_position_embeddings", context_length)
    if config.model_type in _POSITIONS_AFTER_PADDING:
        positions -= config.pad_token_id + 1
    if positions < context_length:
        raise InputError(
            _(
                "The base model {base_model} reads at most {positions} tokens, and context_length is {context_length}.",
                base_model=base_model,
                positions=positions,
                context_length=context_length,
            ),
            _("Give --context-length {positions} or less, or another base model.", positions=positions),
        )
    return model
