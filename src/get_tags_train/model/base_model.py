"""The base model as it comes from a folder or the hub, checked before any long work."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.text.tokenizer import base_model_error

# These count positions from the padding token's number on, so that the first ones are never used.
_POSITIONS_AFTER_PADDING = {"roberta", "xlm-roberta", "camembert"}


def check_base_model(base_model: str, context_length: int) -> None:
    """Load the base model once and let it go, so that it is there, and long enough, when it is needed hours later."""
    _load(base_model, context_length)


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
            _("Use a context_length of {positions} or less, or another base model.", positions=positions),
        )
    return model
