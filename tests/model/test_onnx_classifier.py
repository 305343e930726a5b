"""ONNX Runtime gives the logits of plain transformers, from the weights as they lie in the folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    CamembertConfig,
    DistilBertConfig,
    PretrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from get_tags_train.model.onnx_classifier import OnnxClassifier
from get_tags_train.model.onnx_graph import GRAPH, NoGraph, build_graph

TAGS = 5
SIZES: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 40, "initializer_range": 0.5, "num_labels": TAGS,
}  # fmt: skip
PADDED = [[2, 7, 9, 30, 3], [2, 8, 3], [2, 3], [2, 11, 12, 13, 3]]
KINDS = [BertConfig, RobertaConfig, CamembertConfig, XLMRobertaConfig]


def saved(folder: Path, config: PretrainedConfig) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


def opened(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(folder, AutoConfig.from_pretrained(folder), threads=1)


def batch(texts: list[list[int]], padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    width = max(map(len, texts))
    mask = np.array([[1] * len(text) + [0] * (width - len(text)) for text in texts])
    return np.array([text + [padding] * (width - len(text)) for text in texts]), mask


def by_transformers(folder: Path, input_ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(
            input_ids=torch.from_numpy(input_ids), attention_mask=torch.from_numpy(mask)
        ).logits.numpy()
    return logits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [PADDED, PADDED[:1], [[2]]], ids=["padded", "alone", "one token"])
def test_logits_are_those_of_transformers(kind: type[PretrainedConfig], texts: list[list[int]], tmp_path: Path) -> None:
    config = kind(**SIZES, pad_token_id=1)
    both = batch(texts, padding=1)
    expected = by_transformers(saved(tmp_path, config), *both)
    assert expected.std() > 0.1
    np.testing.assert_allclose(opened(tmp_path)(*both), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "most"), [(BertConfig, 40), (XLMRobertaConfig, 38)])
def test_the_longest_text_that_has_positions_is_read(kind: type[PretrainedConfig], most: int, tmp_path: Path) -> None:
    classifier = opened(saved(tmp_path, kind(**SIZES, pad_token_id=1)))
    assert classifier.most_tokens == most
    both = batch([[2] + [9] * (most - 1)], padding=1)
    np.testing.assert_allclose(classifier(*both), by_transformers(tmp_path, *both), atol=1e-5)


def test_another_program_reads_the_file_beside_the_weights(tmp_path: Path) -> None:
    folder = saved(tmp_path / "școală ă", BertConfig(**SIZES))
    (folder / GRAPH).write_bytes(build_graph(folder, AutoConfig.from_pretrained(folder)))
    both = batch(PADDED, padding=0)
    (logits,) = onnxruntime.InferenceSession(str(folder / GRAPH)).run(
        None, dict(zip(("input_ids", "attention_mask"), both, strict=True))
    )
    np.testing.assert_allclose(logits, by_transformers(folder, *both), atol=1e-5)
    np.testing.assert_allclose(opened(folder)(*both), logits, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=24, num_labels=TAGS),
        BertConfig(**SIZES, hidden_act="relu"),
    ],
    ids=["another kind", "another activation"],
)
def test_another_architecture_has_no_graph(config: PretrainedConfig, tmp_path: Path) -> None:
    with pytest.raises(NoGraph):
        opened(saved(tmp_path, config))


def test_half_precision_weights_have_no_graph(tmp_path: Path) -> None:
    saved(tmp_path, BertConfig(**SIZES))
    AutoModelForSequenceClassification.from_pretrained(tmp_path).half().save_pretrained(tmp_path)
    with pytest.raises(NoGraph):
        opened(tmp_path)


def test_weights_of_another_shape_than_config_json_says_have_no_graph(tmp_path: Path) -> None:
    saved(tmp_path, BertConfig(**SIZES))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "intermediate_size": 32}))
    with pytest.raises(NoGraph, match="intermediate"):
        opened(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, (5).to_bytes(8, "little") + b"[1,2]"])
def test_weights_that_are_no_safetensors_have_no_graph(content: bytes, tmp_path: Path) -> None:
    saved(tmp_path, BertConfig(**SIZES))
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(NoGraph):
        opened(tmp_path)
