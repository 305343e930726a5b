"""What a model keeps of its training data: hashes of the texts it has seen, which cannot test it, and a summary."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import hashes_as_integers
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import atomic_write
from get_tags_train.core.i18n import _
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.statistics import compute_statistics
from get_tags_train.model.metadata import DataStatistics, DataSummary, TagRecord, own_metadata, write_metadata
from get_tags_train.text.clean import text_hash

FILE = "trained_texts.npy"


def write_training_record(folder: Path, data: PreparedData, left_out: NDArray[np.bool_], base_model: Path) -> None:
    """Write both into a model's folder; left_out: (documents,) those that the training never saw."""
    write_text_hashes(folder, data, np.flatnonzero(~left_out), base_model)
    metadata = own_metadata(folder)
    tags = _with_ids(metadata.tags, dict(zip(data.tags, data.tag_ids, strict=True)))
    described = metadata.data.model_copy(update={"summary": _summary(data)})
    write_metadata(folder, metadata.model_copy(update={"tags": tags, "data": described}))


def write_text_hashes(folder: Path, data: PreparedData, rows: NDArray[np.int64], base_model: Path) -> None:
    """Write the hashes of the documents `rows` (places in the data), with their title and without, 8 bytes each.

    Where the base model is a model of ours, what that one was trained on is seen too.
    """
    is_row = np.zeros(data.manifest.documents_kept, bool)
    is_row[rows] = True
    earlier = _stored(base_model)
    hashes = np.concatenate([*([] if earlier is None else [earlier]), *_hashes_of_documents(data, is_row)])
    with atomic_write(folder / FILE) as stream:
        np.save(stream, np.unique(hashes), allow_pickle=False)


def was_trained_on(folder: Path, clean_texts: Sequence[str]) -> NDArray[np.bool_] | None:
    """Which of the texts the model in `folder` was trained on: (texts,); None where the model does not say."""
    stored = _stored(folder)
    return None if stored is None else np.isin(_hashes(clean_texts), stored)


def _hashes_of_documents(data: PreparedData, is_row: NDArray[np.bool_]) -> Iterator[NDArray[np.uint64]]:
    first = 0
    for batch in data.batches():
        chosen = batch.filter(pa.array(is_row[first : first + len(batch)]))
        first += len(batch)
        yield hashes_as_integers(chosen.column("text_hash"))[:, 0]
        without_title = (text.partition("\n")[2] for text in chosen.column("text").to_pylist())
        yield _hashes([text for text in without_title if text])


def _hashes(clean_texts: Sequence[str]) -> NDArray[np.uint64]:
    """The first half of each text's hash."""
    return np.array([int.from_bytes(text_hash(text)[:8], "little") for text in clean_texts], np.uint64)


def _stored(folder: Path) -> NDArray[np.uint64] | None:
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        hashes: NDArray[np.uint64] = np.load(path, allow_pickle=False)
        if hashes.dtype != np.uint64 or hashes.ndim != 1:
            raise ValueError(_("it holds no hashes"))
    except Exception as error:  # a damaged file fails in many ways inside numpy
        raise GetTagsError(
            _("{path} cannot be read: {error}.", path=path, error=error),
            _("The model folder is damaged: copy it anew."),
        ) from error
    return hashes


def _with_ids(tags: Sequence[TagRecord], ids_of: dict[str, list[str]]) -> list[TagRecord]:
    return [tag.model_copy(update={"ids": ids}) if (ids := ids_of.get(tag.tag)) else tag for tag in tags]


def _summary(data: PreparedData) -> DataSummary:
    manifest = data.manifest
    return DataSummary(
        created=manifest.created,
        documents_read=manifest.documents_read,
        documents_kept=manifest.documents_kept,
        dropped=manifest.dropped,
        missing_ids=manifest.missing_ids,
        tags=manifest.tags,
        figures=DataStatistics.model_validate(asdict(compute_statistics(data))),
    )
