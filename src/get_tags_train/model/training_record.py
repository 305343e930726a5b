"""Which texts a model was trained on, as a file of hashes in its folder: what it has seen cannot test it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import hashes_as_integers
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import atomic_write, write_json
from get_tags_train.core.i18n import _
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.statistics import compute_statistics
from get_tags_train.model import training_record
from get_tags_train.model.metadata import METADATA_FILE, read_metadata
from get_tags_train.text.clean import text_hash

FILE = "trained_texts.npy"


def write_text_hashes(folder: Path, data: PreparedData, rows: NDArray[np.int64], base_model: Path) -> None:
    """Write the hashes of the documents `rows` (places in the data), with their title and without, 16 bytes each.

    Where the base model is a model of ours, what that one was trained on is seen too.
    """
    is_row = np.zeros(data.manifest.documents_kept, bool)
    is_row[rows] = True
    parts = [_stored(base_model)]
    for first, batch in data.numbered_batches():
        chosen = batch.filter(pa.array(is_row[first : first + len(batch)]))
        hashes = hashes_as_integers(chosen.column("text_hash"))[:, 0]
        rest = (text.partition("\n")[2] for text in chosen.column("text").to_pylist())
        parts += [hashes, _hashes([text for text in rest if text])]
    with atomic_write(folder / FILE) as stream:
        np.save(stream, np.unique(np.concatenate([p for p in parts if p is not None])), allow_pickle=False)


def was_trained_on(folder: Path, clean_texts: Sequence[str]) -> NDArray[np.bool_] | None:
    """Which of the texts the model in `folder` was trained on: (texts,); None where the model does not say."""
    stored = _stored(folder)
    return None if stored is None else np.isin(_hashes(clean_texts), stored)


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


def _hashes(clean_texts: Sequence[str]) -> NDArray[np.uint64]:
    """The first half of each text's hash."""
    return np.array([int.from_bytes(text_hash(text)[:8], "little") for text in clean_texts], np.uint64)


def write_training_record(folder: Path, data: PreparedData, left_out: NDArray[np.bool_], base_model: Path) -> None:
    """Write it into a model's folder; left_out: (documents,) those that the training never saw."""
    training_record.write_text_hashes(folder, data, np.flatnonzero(~left_out), base_model)
    facts = read_metadata(folder)
    manifest = data.manifest
    ids = dict(zip(data.tags, data.tag_ids, strict=True))
    tags = [entry | ({"ids": ids[entry["tag"]]} if ids.get(entry["tag"]) else {}) for entry in facts["tags"]]
    summary = {
        "created": manifest.created,
        "documents_read": manifest.documents_read,
        "documents_kept": manifest.documents_kept,
        "dropped": manifest.dropped,
        "missing_ids": manifest.missing_ids,
        "tags": manifest.tags,
        "figures": asdict(compute_statistics(data)),
    }
    write_json(folder / METADATA_FILE, {**facts, "tags": tags, "data": {**facts["data"], "summary": summary}})
