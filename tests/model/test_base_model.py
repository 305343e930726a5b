"""What a base model lacks is named before any long work."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
)

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import write_json
from get_tags_train.model.base_model import check_base_model, load_base_model, most_tokens
from get_tags_train.text.tokenizer import fingerprint, load_tokenizer

CONFIG = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64,
}  # fmt: skip


@pytest.fixture
def tokenizer(demo_tokenizer_folder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(demo_tokenizer_folder))


@pytest.fixture
def folder(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A tiny BERT as it comes from its pretraining."""
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **CONFIG)).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", config | values)


def change_weights(folder: Path, keep: Callable[[str], bool]) -> None:
    path = folder / "model.safetensors"
    save_file({name: w for name, w in load_file(path).items() if keep(name)}, path, metadata={"format": "pt"})


def test_a_pretrained_model_lacks_nothing_but_the_head(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    check_base_model(str(folder), 64, tokenizer)


def test_the_tokenizer_stays_as_it_was(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    before = fingerprint(tokenizer)
    check_base_model(str(folder), 64, tokenizer)
    assert fingerprint(tokenizer) == before


def test_weights_that_are_missing_are_named(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    change_weights(folder, lambda name: "layer.1.intermediate" not in name)
    with pytest.raises(GetTagsError, match=r"no weights for bert.encoder.layer.1.intermediate.dense.bias"):
        check_base_model(str(folder), 64, tokenizer)


@pytest.mark.parametrize(
    ("layers", "said"), [(4, "no weights for bert.encoder.layer.3"), (2, "no place for the weights .*encoder.layer.2")]
)
def test_more_or_fewer_layers_than_the_weights_have_are_refused(
    folder: Path, tokenizer: PreTrainedTokenizerFast, layers: int, said: str
) -> None:
    change_config(folder, num_hidden_layers=layers)
    with pytest.raises(GetTagsError, match=said):
        check_base_model(str(folder), 64, tokenizer)


def test_layers_of_a_bare_encoder_that_have_no_place_are_refused(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    BertModel(BertConfig(vocab_size=len(tokenizer), **CONFIG)).save_pretrained(tmp_path)
    check_base_model(str(tmp_path), 64, tokenizer)
    change_config(tmp_path, num_hidden_layers=2)
    with pytest.raises(GetTagsError, match=r"no place for the weights encoder.layer.2"):
        check_base_model(str(tmp_path), 64, tokenizer)


def test_weights_of_another_shape_are_named(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    change_config(folder, hidden_size=32)
    with pytest.raises(GetTagsError, match=r"do not fit its weights: bert.embeddings.LayerNorm.bias.* and \d+ more"):
        check_base_model(str(folder), 64, tokenizer)


def test_a_tokenizer_with_more_tokens_than_the_embeddings_have_rows_is_refused(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    BertModel(BertConfig(vocab_size=len(tokenizer) - 1, **CONFIG)).save_pretrained(tmp_path)
    tokens = f"{len(tokenizer):,} tokens, its embeddings only {len(tokenizer) - 1:,} rows"
    with pytest.raises(GetTagsError, match=tokens):
        check_base_model(str(tmp_path), 64, tokenizer)


def test_a_model_whose_last_layer_has_no_bias_is_refused(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    GPT2Model(GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    with pytest.raises(GetTagsError, match="GPT2ForSequenceClassification does not end in a layer"):
        check_base_model(str(tmp_path), 64, tokenizer)


@pytest.mark.parametrize(("name", "positions"), [("Roberta", 62), ("MPNet", 62), ("Bert", 64), ("DistilBert", 64)])
def test_positions_that_a_text_never_gets_do_not_count(tmp_path: Path, name: str, positions: int) -> None:
    config = getattr(transformers, f"{name}Config")(vocab_size=50, **CONFIG)
    getattr(transformers, f"{name}Model")(config).save_pretrained(tmp_path)
    assert most_tokens(load_base_model(str(tmp_path), positions)) == positions
    with pytest.raises(InputError, match=f"reads at most {positions} tokens"):
        load_base_model(str(tmp_path), positions + 1)


def test_a_model_with_a_decoder_is_refused(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    T5Model(T5Config(vocab_size=len(tokenizer), d_model=16, d_ff=16, num_layers=1, num_heads=2)).save_pretrained(
        tmp_path
    )
    with pytest.raises(GetTagsError, match="T5ForSequenceClassification has a decoder"):
        check_base_model(str(tmp_path), 64, tokenizer)


def test_weights_that_are_no_numbers_are_refused(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    path = folder / "model.safetensors"
    name = "bert.encoder.layer.1.output.dense.bias"
    weights = load_file(path)
    save_file(weights | {name: weights[name] * float("nan")}, path, metadata={"format": "pt"})
    with pytest.raises(GetTagsError, match="its weights are damaged"):
        check_base_model(str(folder), 64, tokenizer)
