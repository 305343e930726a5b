"""What torch computes, and the shapes it computes in."""

from pathlib import Path

import numpy as np
from transformers import BertConfig, BertForSequenceClassification

from get_tags_train.model.torch_classifier import TorchClassifier


def classifier(folder: Path) -> TorchClassifier:
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=11, num_labels=3,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return TorchClassifier(folder, "cpu", "fp32")


def shapes(computing: TorchClassifier, *sizes: tuple[int, int]) -> list[tuple[int, ...]]:
    seen: list[tuple[int, ...]] = []
    computing._model.register_forward_pre_hook(
        lambda _, __, inputs: seen.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    for size in sizes:
        assert computing(np.ones(size, np.int64), np.ones(size, np.int64)).shape == (size[0], 3)
    return seen


def test_shapes_are_multiples_of_eight(tmp_path: Path) -> None:
    assert shapes(classifier(tmp_path), (9, 3), (16, 8), (20, 2)) == [(16, 8), (16, 8), (24, 8)]


def test_a_request_gets_no_more_rows(tmp_path: Path) -> None:
    assert shapes(classifier(tmp_path), (1, 8), (7, 5)) == [(1, 8), (7, 8)]


def test_padding_ends_where_the_models_positions_end(tmp_path: Path) -> None:
    assert shapes(classifier(tmp_path), (1, 10), (1, 11)) == [(1, 11), (1, 11)]


def test_padding_changes_no_logits(tmp_path: Path) -> None:
    computing = classifier(tmp_path)
    ids, mask = np.arange(4, 49).reshape(9, 5), np.ones((9, 5), np.int64)
    alone = np.concatenate([computing(ids[row : row + 1, :], mask[:1]) for row in range(9)])
    np.testing.assert_allclose(computing(ids, mask), alone, atol=1e-6)
