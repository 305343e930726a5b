"""Which documents and which tags a model is trained on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.prepared import PreparedData


@dataclass(frozen=True)
class TrainingSet:
    """The documents and tags to train on.

    rows: (examples,) places in the data, in stored order; tags and counts: name and documents of each label;
    label_of: (tags of the data,) the label of each, or -1.
    """

    rows: NDArray[np.int64]
    tags: list[str]
    counts: list[int]
    label_of: NDArray[np.int64]


def choose_training_set(data: PreparedData, left_out: NDArray[np.bool_], min_tag_count: int) -> TrainingSet:
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
            _(
                "No trainable documents in {name}: every tag has fewer than {min_tag_count} documents.",
                name=data.name,
                min_tag_count=min_tag_count,
            ),
            _("Lower min_tag_count under [training], or extract other documents."),
        )
    return TrainingSet(rows, [data.tags[n] for n in common], [int(counts[n]) for n in common], label_of)


def text_batches(
    data: PreparedData, training_set: TrainingSet, rows: NDArray[np.int64]
) -> Iterator[tuple[list[str], list[NDArray[np.int64]]]]:
    """The clean texts of the documents at these places and the labels of each, a batch at a time, in stored order.

    A label is -1 where the tag is none of the training set's.
    """
    is_row = np.zeros(data.manifest.documents_kept, bool)
    is_row[rows] = True
    for first, batch in data.numbered_batches() if len(rows) else ():
        chosen = batch.filter(pa.array(is_row[first : first + len(batch)]))
        if len(chosen):
            tags = list_rows(chosen.column("tags"))
            yield chosen.column("text").to_pylist(), [training_set.label_of[numbers] for numbers in tags]
