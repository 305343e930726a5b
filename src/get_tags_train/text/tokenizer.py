"""Text -> input_ids: one tokenizer for extraction, training, prediction and plain transformers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, normalizers
from tokenizers.models import WordLevel
from transformers import BertTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.i18n import _
from get_tags_train.text.clean import CEDILLA_TO_COMMA, INVISIBLE
from get_tags_train.text.hub import ask_briefly, is_on_this_machine, stored_file, why_not_given, why_unreachable

MAX_CONTEXT_LENGTH = 512
_CLASSES_OF_BERT = {
    "BertTokenizer": BertTokenizer,
    "BertTokenizerFast": BertTokenizer,
    "PreTrainedTokenizerFast": PreTrainedTokenizerFast,
    "TokenizersBackend": PreTrainedTokenizerFast,
}

# What these libraries would print is ours to say, as events and errors.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


def load_tokenizer(base_model: str) -> PreTrainedTokenizerFast:
    """The base model's tokenizer, without truncation or padding of its own, with our text rules inside.

    Raises GetTagsError where it cannot be had or has no fast form.
    """
    ask_briefly(base_model)
    try:
        loaded = _loader(base_model).from_pretrained(base_model, trust_remote_code=False)
    except Exception as error:  # a damaged folder fails in many ways inside the library
        raise base_model_error(base_model, error) from error
    if not knows_words(loaded):
        raise base_model_error(base_model, ValueError(_("it has no tokenizer")))
    if not loaded.is_fast:
        raise GetTagsError(
            _("The tokenizer of {base_model} has no fast form (tokenizer.json).", base_model=base_model),
            _("Choose another base model."),
        )
    backend = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    own = own_normalizer(backend)
    backend.normalizer = normalizers.Sequence([*_text_rules(), *([own] if own else [])])
    special = {name: str(token) for name, token in loaded.special_tokens_map.items() if isinstance(token, str)}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_input_names=loaded.model_input_names,
        model_max_length=MAX_CONTEXT_LENGTH,
        **special,
    )


def _loader(base_model: str) -> Any:
    """AutoTokenizer, or the class that it would find for a BERT: it imports torch to find it, which takes seconds."""
    try:
        config, own = (read_json(stored_file(base_model, name)) for name in ("config.json", "tokenizer_config.json"))
        if config["model_type"] == "bert" and "auto_map" not in own:
            return _CLASSES_OF_BERT[own["tokenizer_class"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # AutoTokenizer knows other ways, or says what is wrong
    return transformers.AutoTokenizer


def knows_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """False for the empty tokenizer that transformers makes up where a folder has none."""
    return len(tokenizer) > len(tokenizer.all_special_tokens)


def _text_rules() -> list[normalizers.Normalizer]:
    """clean_text, HTML apart, as normalizers that travel with the model folder."""
    return [
        normalizers.Replace(Regex(f"[{INVISIBLE}]"), ""),
        normalizers.Replace(Regex(r"[\s\x1c-\x1f]+"), " "),
        normalizers.NFC(),
        *(normalizers.Replace(cedilla, comma) for cedilla, comma in CEDILLA_TO_COMMA.items()),
        normalizers.Strip(),
    ]


def _as_json(parts: list[normalizers.Normalizer]) -> list[Any]:
    listed: list[Any] = json.loads(normalizers.Sequence(parts).__getstate__())["normalizers"]
    return listed


def own_normalizer(backend: Tokenizer) -> normalizers.Normalizer | None:
    """The base model's own normalizer: what is left when our rules are taken off the front."""
    if backend.normalizer is None:
        return None
    state = json.loads(backend.normalizer.__getstate__())
    rules = _as_json(_text_rules())
    parts = state["normalizers"] if state["type"] == "Sequence" else [state]
    if parts[: len(rules)] == rules:
        parts = parts[len(rules) :]
    return _from_json({"type": "Sequence", "normalizers": parts}) if parts else None


def has_text_rules(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether a tokenizer carries our text rules: its model was trained on cleaned text."""
    backend = tokenizer.backend_tokenizer
    if backend.normalizer is None:
        return False
    state = json.loads(backend.normalizer.__getstate__())
    rules = _as_json(_text_rules())
    return bool(state.get("normalizers", [])[: len(rules)] == rules)


def _from_json(state: dict[str, Any]) -> normalizers.Normalizer:
    bare = json.loads(Tokenizer(WordLevel({}, unk_token="")).to_str())
    normalizer: normalizers.Normalizer = Tokenizer.from_str(json.dumps({**bare, "normalizer": state})).normalizer
    return normalizer


def base_model_error(base_model: str, error: Exception) -> GetTagsError:
    """Why a base model cannot be had, and how to get it."""
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if not is_on_this_machine(base_model):
        first_line = _("it is not on this machine, and {why}.", why=why_unreachable() or why_not_given(error))
    message = _(
        "The base model {base_model} cannot be loaded: {first_line}", base_model=base_model, first_line=first_line
    )
    if Path(base_model).is_dir():
        return GetTagsError(
            message, _("A file of that folder is missing or damaged: download it again, or name another folder.")
        )
    return GetTagsError(
        message,
        _(
            "It is neither a model folder nor available from the Hugging Face hub. On a machine with a network run "
            "'hf download {base_model} --local-dir FOLDER', copy the folder here, and name it instead (for "
            "trainings: base_model under [training] in get-tags.toml).",
            base_model=base_model,
        ),
    )


def fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """SHA-256 of all that decides which input_ids a text gets."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path, context_length: int) -> None:
    """Write the tokenizer into a model folder, under the class name that old and new transformers know."""
    tokenizer.model_max_length = context_length
    tokenizer.save_pretrained(folder)
    config_path = folder / "tokenizer_config.json"
    config = json.loads(config_path.read_text(encoding="utf-8"))
    write_json(config_path, {**config, "tokenizer_class": "PreTrainedTokenizerFast"})


def cut(input_ids: NDArray[Any], context_length: int) -> NDArray[Any]:
    """The first `context_length` - 1 tokens and the closing one; the same as encoding at that length."""
    if len(input_ids) <= context_length:
        return input_ids
    return np.append(input_ids[: context_length - 1], input_ids[-1])
