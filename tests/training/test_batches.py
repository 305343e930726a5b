"""Batches: which documents, in which order, as which tensors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from get_tags_train.core.home import data_dir
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.training_set import TrainingSet, choose_training_set
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.batches import Documents, _Lists, open_documents, order_of_epoch, split_by_tokens


@pytest.fixture(scope="module")
def prepared(small_home: Path) -> PreparedData:
    return PreparedData(data_dir(small_home) / "tags_v1")


def test_tensors_hold_what_the_tokenizer_gives_and_the_tags(
    prepared: PreparedData, demo_tokenizer_folder: Path, tmp_path: Path
) -> None:
    examples = choose_training_set(prepared, np.zeros(prepared.manifest.documents_kept, bool), 1)
    tokenizer = load_tokenizer(str(demo_tokenizer_folder))
    documents = open_documents(prepared, examples, tokenizer, 16, tmp_path / "absent")
    plain = AutoTokenizer.from_pretrained(demo_tokenizer_folder)
    rows = examples.rows[::-3]
    table = pa.Table.from_batches(prepared.batches()).take(pa.array(rows))
    batch = documents.batch(rows)
    assert batch.input_ids.shape == batch.attention_mask.shape == (len(rows), 16)
    assert batch.tokens == int(batch.attention_mask.sum()) == int(documents.lengths[rows].sum())
    for row, (text, tags) in enumerate(zip(table["text"].to_pylist(), table["tags"].to_pylist(), strict=True)):
        read = batch.input_ids[row][batch.attention_mask[row].bool()].tolist()
        assert read == plain(text, truncation=True, max_length=16)["input_ids"]
        assert batch.labels[row].nonzero().flatten().tolist() == sorted(examples.label_of[tags])
    assert set(batch.input_ids[~batch.attention_mask.bool()].tolist()) <= {tokenizer.pad_token_id}


def test_tags_that_are_no_labels_are_not_among_them(
    prepared: PreparedData, demo_tokenizer_folder: Path, tmp_path: Path
) -> None:
    examples = choose_training_set(prepared, np.zeros(prepared.manifest.documents_kept, bool), 5)
    assert len(examples.tags) < len(prepared.tags)
    documents = open_documents(prepared, examples, load_tokenizer(str(demo_tokenizer_folder)), 8, tmp_path)
    everything = np.arange(prepared.manifest.documents_kept)
    assert documents.batch(everything).labels.sum(axis=0).tolist() == examples.counts


@pytest.mark.parametrize(("step", "width"), [(1, 9), (8, 16), (32, 20)])
def test_a_batch_is_as_wide_as_a_step_of_widths_within_the_context(step: int, width: int) -> None:
    input_ids = _Lists([pa.array([[7] * 9, [7] * 5], pa.list_(pa.int32()))])
    tags = _Lists([pa.array([[0], [0]], pa.list_(pa.int32()))])
    examples = TrainingSet(np.arange(2), ["tag"], [2], np.array([0]))
    documents = Documents(tags, input_ids, examples, pad_token_id=0, context_length=20)
    batch = documents.batch(np.arange(2), step)
    assert batch.attention_mask.tolist() == [[1] * n + [0] * (width - n) for n in (9, 5)]


LENGTHS = np.minimum(np.exp(np.random.default_rng(0).normal(np.log(320), 0.8, 5000)), 512).astype(np.int32)


def test_an_epoch_has_every_document_once_and_depends_on_the_seed_alone() -> None:
    rows = np.arange(3, 4890)
    order = order_of_epoch(rows, LENGTHS, 16, [42, 0])
    assert sorted(order) == rows.tolist()
    assert order_of_epoch(rows, LENGTHS, 16, [42, 0]).tolist() == order.tolist()
    assert order_of_epoch(rows, LENGTHS, 16, [42, 1]).tolist() != order.tolist()
    assert rows.tolist() == list(range(3, 4890))


def test_documents_of_a_batch_are_alike_in_length() -> None:
    batches = order_of_epoch(np.arange(4896), LENGTHS, 16, [42, 0]).reshape(-1, 16)
    padded = (LENGTHS[batches].max(axis=1) * 16).sum()
    assert LENGTHS[:4896].sum() / padded > 0.98


def test_batches_do_not_come_in_order_of_length() -> None:
    batches = order_of_epoch(np.arange(4896), LENGTHS, 16, [42, 0]).reshape(-1, 16)
    mean = LENGTHS[batches].mean(axis=1)
    assert abs(np.corrcoef(mean[:-1], mean[1:])[0, 1]) < 0.2


@given(st.lists(st.integers(1, 512), min_size=1, max_size=80), st.integers(1, 5000))
def test_parts_have_every_document_once_and_hold_what_they_may(lengths: list[int], most_tokens: int) -> None:
    known, rows = np.array(lengths, np.int32), np.arange(len(lengths))
    parts = split_by_tokens(rows, known, most_tokens)
    assert sorted(np.concatenate(parts)) == rows.tolist()
    assert all(len(part) == 1 or len(part) * known[part].max() <= most_tokens for part in parts)
