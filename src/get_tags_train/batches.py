"""Prepared data -> batches: which documents are trained on, in which order, as which tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast
from transformers.trainer_pt_utils import LengthGroupedSampler

from get_tags_train.dataset import PreparedData, write_batches
from get_tags_train.encoding import CleanTextEncoder
from get_tags_train.errors import InputError
from get_tags_train.events import Notice, OnEvent
from get_tags_train.tokens import cut, fingerprint

TOKENISED_AGAIN = "input_ids.arrow"

datasets.disable_progress_bars()


@dataclass(frozen=True)
class Examples:
    """What is trained on: places of documents in the data, and the tags that become labels.

    rows: (examples,) places in stored order; label_of: (tags of the data,) label or -1; counts per label.
    """

    rows: NDArray[np.int64]
    tags: list[str]
    counts: list[int]
    label_of: NDArray[np.int64]


def choose_examples(data: PreparedData, left_out: NDArray[np.bool_], min_tag_count: int) -> Examples:
    """All documents but those in `left_out` that have a tag on at least `min_tag_count` of them.

    Raises InputError where none is left.
    """
    offsets = np.concatenate([pc.list_value_length(b.column("tags")).to_numpy() for b in data.batches()])
    numbers = np.concatenate([b.column("tags").flatten().to_numpy() for b in data.batches()])
    documents = np.repeat(np.arange(len(offsets)), offsets)
    counts = np.bincount(numbers[~left_out[documents]], minlength=len(data.tags))
    common = np.flatnonzero(counts >= min_tag_count)
    label_of = np.full(len(data.tags), -1, np.int64)
    label_of[common] = np.arange(len(common))
    has_label = np.zeros(len(offsets), bool)
    has_label[documents[label_of[numbers] >= 0]] = True
    rows = np.flatnonzero(has_label & ~left_out)
    if not len(rows):
        raise InputError(
            f"No document of {data.name} can be trained on: no tag is on {min_tag_count} documents or more.",
            "Lower min_tag_count under [training], or extract other documents.",
        )
    return Examples(rows, [data.tags[n] for n in common], [int(counts[n]) for n in common], label_of)


def open_rows(
    data: PreparedData, examples: Examples, tokenizer: PreTrainedTokenizerFast, folder: Path, on_event: OnEvent
) -> tuple[datasets.Dataset, NDArray[np.int32]]:
    """The examples with the columns tags and input_ids, memory-mapped, and the number of tokens of each.

    Data that another tokenizer made are tokenised again, into a file in `folder`.
    """
    stored = datasets.concatenate_datasets([datasets.Dataset.from_file(str(path)) for path in data.document_paths])
    if fingerprint(tokenizer) == data.manifest.source["tokenizer"]:
        documents = stored.select_columns(["tags", "input_ids"])
    else:
        on_event(Notice(f"{data.name} was tokenised for another base model: tokenising its text again."))
        path = folder / TOKENISED_AGAIN
        if not path.exists():
            _tokenise_again(data, tokenizer, path)
        again = datasets.Dataset.from_file(str(path))
        documents = datasets.concatenate_datasets([stored.select_columns(["tags"]), again], axis=1)
    chunks = documents.data.column("input_ids").chunks
    lengths = np.concatenate([pc.list_value_length(chunk).to_numpy() for chunk in chunks])
    return documents.select(examples.rows).with_format("numpy"), lengths[examples.rows]


def _tokenise_again(data: PreparedData, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    encoder = CleanTextEncoder(tokenizer)
    schema = pa.schema([("input_ids", pa.list_(pa.int32()))])
    columns = (encoder(batch.column("text")) for batch in data.batches())
    write_batches(path, schema, (pa.record_batch([column], schema=schema) for column in columns))


class LengthGroups(LengthGroupedSampler):
    """Documents of similar length together, in an order that depends on nothing but the seed and the epoch."""

    def __init__(self, batch_size: int, lengths: NDArray[np.int32], seed: int) -> None:
        super().__init__(batch_size, lengths=lengths.tolist(), generator=torch.Generator())
        self._seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the training loop before each epoch."""
        self.generator.manual_seed(self._seed + epoch)


class Collator:
    """Documents -> tensors as wide as the longest: input_ids, attention_mask and multi-hot float labels."""

    def __init__(self, examples: Examples, pad_token_id: int, context_length: int) -> None:
        self._examples, self._pad_token_id, self._context_length = examples, pad_token_id, context_length

    def __call__(self, documents: Sequence[dict[str, NDArray[np.int64]]]) -> dict[str, torch.Tensor]:
        rows = [cut(document["input_ids"], self._context_length) for document in documents]
        lengths = np.array([len(row) for row in rows])
        mask = np.arange(lengths.max()) < lengths[:, None]
        input_ids = np.full(mask.shape, self._pad_token_id, np.int64)
        input_ids[mask] = np.concatenate(rows)
        labels = np.zeros((len(rows), len(self._examples.tags)), np.float32)
        for row, document in enumerate(documents):
            known = self._examples.label_of[document["tags"]]
            labels[row, known[known >= 0]] = 1
        return {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
            "labels": torch.from_numpy(labels),
        }
