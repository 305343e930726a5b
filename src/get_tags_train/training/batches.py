"""Prepared data -> batches: which documents are trained on, in which order, as which tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from get_tags_train.core.arrow import write_batches
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.training_set import TrainingSet
from get_tags_train.text.encoder import CleanTextEncoder
from get_tags_train.text.tokenizer import cut, fingerprint

# So many documents as fill these are sorted by length: enough for even batches, few enough to stay well mixed.
_BATCHES_SORTED_TOGETHER = 50


class Batch(NamedTuple):
    """Tensors of some documents, as wide as the longest: (documents, tokens), (documents, tokens), (documents, labels).

    `tokens` are those of the documents, without the padding.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    tokens: int


class Documents:
    """The documents of prepared data as a model reads them: memory-mapped, cut to the context, tags as labels."""

    def __init__(
        self, tags: "_Lists", input_ids: "_Lists", training_set: TrainingSet, *, pad_token_id: int, context_length: int
    ) -> None:
        self._tags, self._input_ids, self._label_of = tags, input_ids, training_set.label_of
        self._labels, self._pad_token_id, self._context_length = len(training_set.tags), pad_token_id, context_length
        self.lengths = np.minimum(input_ids.lengths, context_length)
        """(documents,) tokens of each, as far as the context reaches."""

    def batch(self, rows: NDArray[np.int64], width_step: int = 1) -> Batch:
        """The documents at these places in the data, as wide as a multiple of `width_step` within the context."""
        documents = [cut(self._input_ids[row], self._context_length) for row in rows]
        lengths = self.lengths[rows]
        width = min(-(-int(lengths.max()) // width_step) * width_step, self._context_length)
        mask = np.arange(width) < lengths[:, None]
        input_ids = np.full(mask.shape, self._pad_token_id, np.int64)
        input_ids[mask] = np.concatenate(documents)
        tags = [self._tags[row] for row in rows]
        labels = np.zeros((len(rows), self._labels), np.float32)
        numbers = self._label_of[np.concatenate(tags)]
        of_document = np.repeat(np.arange(len(rows)), [len(row) for row in tags])
        labels[of_document[numbers >= 0], numbers[numbers >= 0]] = 1
        masks = torch.from_numpy(mask.astype(np.int64))
        return Batch(torch.from_numpy(input_ids), masks, torch.from_numpy(labels), int(lengths.sum()))

    def tagged(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of these documents that have tags, be they labels or not."""
        return rows[self._tags.lengths[rows] > 0]


class _Lists:
    """A list<int32> column of many chunks; a row is a view of its memory."""

    def __init__(self, chunks: Sequence[pa.ListArray]) -> None:
        self._firsts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self._offsets = [chunk.offsets.to_numpy() for chunk in chunks]
        self._values = [chunk.values.to_numpy() for chunk in chunks]
        self.lengths = np.concatenate([np.diff(offsets) for offsets in self._offsets])

    def __getitem__(self, row: int | np.integer) -> NDArray[np.int32]:
        chunk = int(np.searchsorted(self._firsts, row, side="right")) - 1
        place = int(row - self._firsts[chunk])
        values: NDArray[np.int32] = self._values[chunk][self._offsets[chunk][place] : self._offsets[chunk][place + 1]]
        return values


def open_documents(
    data: PreparedData,
    training_set: TrainingSet,
    tokenizer: PreTrainedTokenizerFast,
    context_length: int,
    retokenized_path: Path,
) -> Documents:
    """The documents of prepared data, by their places there.

    Where another tokenizer made the data, input_ids are read from `retokenized_path`, which `retokenize` has written.
    """
    batches = list(data.batches())
    tokenized = batches
    if not is_tokenized_for(data, tokenizer):
        with pa.memory_map(str(retokenized_path)) as source, pa.ipc.open_stream(source) as stream:
            tokenized = list(stream)
    return Documents(
        _Lists([batch.column("tags") for batch in batches]),
        _Lists([batch.column("input_ids") for batch in tokenized]),
        training_set,
        pad_token_id=tokenizer.pad_token_id,
        context_length=context_length,
    )


def is_tokenized_for(data: PreparedData, tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the input_ids in the data are this tokenizer's."""
    return bool(fingerprint(tokenizer) == data.manifest.source["tokenizer"])


def retokenize(data: PreparedData, tokenizer: PreTrainedTokenizerFast, path: Path, is_read: NDArray[np.bool_]) -> None:
    """Write the data's input_ids for another tokenizer into a file; those of documents that are not read are empty.

    is_read: (documents,).
    """
    encoder = CleanTextEncoder(tokenizer)
    schema = pa.schema([("input_ids", pa.list_(pa.int32()))])

    def encoded(first: int, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = pc.if_else(pa.array(is_read[first : first + len(batch)]), batch.column("text"), "")
        return pa.record_batch([encoder(texts)], schema=schema)

    write_batches(path, schema, (encoded(first, batch) for first, batch in data.numbered_batches()))


def order_of_epoch(
    rows: NDArray[np.int64], lengths: NDArray[np.int32], batch_size: int, seed: Sequence[int]
) -> NDArray[np.int64]:
    """`rows` in the order of one epoch: each `batch_size` of them in turn are documents of similar length.

    Documents are shuffled, sorted by length within stretches of 50 batches, and the batches shuffled again, so that
    neither what is in a batch nor which comes when follows the length beyond that. What does not fill a batch comes
    last. The order depends on nothing but the arguments: any step of any epoch can be found without those before it.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rows)
    in_batches = len(rows) // batch_size * batch_size
    stretch = batch_size * _BATCHES_SORTED_TOGETHER
    for start in range(0, in_batches, stretch):
        part = shuffled[start : min(start + stretch, in_batches)]
        part[:] = part[np.argsort(lengths[part], kind="stable")]
    batches = rng.permutation(shuffled[:in_batches].reshape(-1, batch_size))
    return np.concatenate([batches.ravel(), shuffled[in_batches:]])


def split_by_tokens(rows: NDArray[np.int64], lengths: NDArray[np.int32], most_tokens: int) -> list[NDArray[np.int64]]:
    """`rows` in parts of similar length, each at most `most_tokens` tokens with its padding, or one document."""
    parts: list[NDArray[np.int64]] = []
    left = rows[np.argsort(-lengths[rows], kind="stable")]
    while len(left):
        fitting = max(1, most_tokens // int(lengths[left[0]]))
        count = -(-len(left) // fitting)  # all parts alike, instead of a small last one
        size = -(-len(left) // count)
        parts.append(left[:size])
        left = left[size:]
    return parts
