"""The base model as it comes from a folder or the hub, checked before any long work."""

import re
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import _, first_of
from get_tags_train.text.hub import ask_briefly
from get_tags_train.text.tokenizer import base_model_error, cut

_SHOWN = 3
_WORD = "articol "
# Layers of an encoder are numbered; weights of one that the configuration does not have would be left out unheard.
_NUMBERED = re.compile(r"\.\d+\.")


def check_base_model(base_model: str, context_length: int, tokenizer: PreTrainedTokenizerFast) -> None:
    """Load the base model once and let it go, so that what it lacks is known before hours of work.

    Raises GetTagsError naming it.
    """
    model = load_base_model(base_model, context_length)
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.num_embeddings
    highest = max(tokenizer.get_vocab().values())
    if highest >= rows:
        raise _unfit(
            base_model,
            _("its tokenizer has {tokens:,} tokens, its embeddings only {rows:,} rows", tokens=highest + 1, rows=rows),
        )
    _check_a_text(base_model, model, tokenizer, context_length)


def load_base_model(base_model: str, context_length: int, **config_values: Any) -> PreTrainedModel:
    """The base model in float32, with these values in its configuration where it knows them.

    Raises GetTagsError where its weights do not fit its architecture, its last layer is none for tags, or it reads
    fewer tokens than `context_length`.
    """
    ask_briefly(base_model)
    try:
        config = AutoConfig.from_pretrained(base_model, trust_remote_code=False)
        for key, value in config_values.items():
            setattr(config, key, value)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            base_model,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # a damaged folder fails in many ways inside the library
        raise base_model_error(base_model, error) from error
    _check_weights(base_model, model, loading)
    _check_last_layer(base_model, model)
    _check_length(base_model, model, context_length)
    return model  # type: ignore[no-any-return]


def count_parameters(base_model: str) -> int:
    """How many parameters the base model has, by its configuration alone. Raises GetTagsError where it has none."""
    ask_briefly(base_model)
    try:
        config = AutoConfig.from_pretrained(base_model, trust_remote_code=False)
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    except Exception as error:  # a damaged folder fails in many ways inside the library
        raise base_model_error(base_model, error) from error
    return model.num_parameters()


def is_new_layer(name: str, model: PreTrainedModel) -> bool:
    """Whether a parameter belongs to the layers that start untrained: classifier and pooler."""
    encoder = f"{model.base_model_prefix}."
    return not name.startswith(encoder) or name.startswith(f"{encoder}pooler.")


def logits_layer(model: PreTrainedModel) -> torch.nn.Linear | None:
    """The layer whose outputs are the logits; None where there is none with a bias for each tag."""
    layers = [
        m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == model.config.num_labels
    ]
    return layers[-1] if layers and layers[-1].bias is not None else None


def most_tokens(model: PreTrainedModel) -> int | None:
    """How many tokens the model has positions for; None where it has no such limit.

    RoBERTa and its relatives count positions from the padding token's number on, so the first ones are never used:
    they are known by their position embeddings, which have a padding row.
    """
    positions: int | None = getattr(model.config, "max_position_embeddings", None)
    if positions is None:
        return None
    unused = [
        module.padding_idx + 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings")
        and isinstance(module, torch.nn.Embedding)
        and module.padding_idx is not None
    ]
    return positions - max(unused, default=0)


def _check_weights(base_model: str, model: PreTrainedModel, loading: dict[str, Any]) -> None:
    missing = sorted(name for name in loading["missing_keys"] if not is_new_layer(name, model))
    if missing:
        raise _unfit(base_model, _("it has no weights for {names}", names=_few(missing)))
    other_shape = sorted(entry[0] for entry in loading["mismatched_keys"] if not is_new_layer(entry[0], model))
    if other_shape:
        raise _unfit(
            base_model, _("the shapes in its config.json do not fit its weights: {names}", names=_few(other_shape))
        )
    surplus = sorted(name for name in loading["unexpected_keys"] if _NUMBERED.search(name) and _is_layer(name, model))
    if surplus:
        raise _unfit(base_model, _("its config.json has no place for the weights {names}", names=_few(surplus)))


def _is_layer(name: str, model: PreTrainedModel) -> bool:
    """Whether weights belong to numbered layers of the encoder, which a file of the bare encoder names without it."""
    places = {_NUMBERED.split(own, maxsplit=1)[0] for own, _ in model.named_parameters() if _NUMBERED.search(own)}
    start = _NUMBERED.split(name, maxsplit=1)[0]
    return any(place == start or place.endswith(f".{start}") for place in places)


def _check_last_layer(base_model: str, model: PreTrainedModel) -> None:
    kind = type(model).__name__
    if model.config.is_encoder_decoder:
        raise _no_encoder(base_model, _("{kind} has a decoder, not an encoder alone", kind=kind))
    if logits_layer(model) is None:
        raise _no_encoder(
            base_model, _("{kind} does not end in a layer with a weight and a bias for each tag", kind=kind)
        )


def _check_a_text(
    base_model: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, context_length: int
) -> None:
    """Compute the logits of one text as long as the context."""
    input_ids = torch.from_numpy(cut(np.array(tokenizer(_WORD * context_length).input_ids), context_length))[None]
    try:
        with torch.inference_mode():
            logits = model.eval()(input_ids, attention_mask=torch.ones_like(input_ids)).logits
    except Exception as error:  # what fits in shapes fails in many ways inside the library
        reason = _("it cannot compute a text of {tokens} tokens ({error})", tokens=context_length, error=error)
        raise _unfit(base_model, reason) from error
    if not logits.isfinite().all():
        raise _unfit(base_model, _("a text's scores are no finite numbers, so its weights are damaged"))


def _check_length(base_model: str, model: PreTrainedModel, context_length: int) -> None:
    positions = most_tokens(model)
    if positions is not None and positions < context_length:
        raise InputError(
            _(
                "The base model {base_model} reads at most {positions} tokens, and context_length is {context_length}.",
                base_model=base_model,
                positions=positions,
                context_length=context_length,
            ),
            _("Use a context_length of {positions} or less, or another base model.", positions=positions),
        )


def _unfit(base_model: str, reason: str) -> GetTagsError:
    return GetTagsError(
        _("The base model {base_model} cannot be trained: {reason}.", base_model=base_model, reason=reason),
        _("Get the folder anew, with all its files from one place, or choose another base model."),
    )


def _no_encoder(base_model: str, reason: str) -> GetTagsError:
    return GetTagsError(
        _("The base model {base_model} cannot be trained: {reason}.", base_model=base_model, reason=reason),
        _("Choose a BERT or one of its relatives, such as RoBERTa, ELECTRA, DistilBERT, DeBERTa or ModernBERT."),
    )


def _few(names: list[str]) -> str:
    return first_of(names, shown=_SHOWN, joined=", ")
