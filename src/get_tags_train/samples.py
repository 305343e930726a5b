"""The test samples: texts with their true tags, never part of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from get_tags_train.csvfiles import read_samples
from get_tags_train.dataset import PreparedData, file_sha256
from get_tags_train.text import clean_text, text_hash

FEW = 100


@dataclass(frozen=True)
class Samples:
    """Clean texts with normalised true tags; `sha256` is the file's."""

    path: Path
    sha256: str
    texts: list[str]
    labels: list[list[str]]

    @classmethod
    def read(cls, path: Path, tags_map: Mapping[str, str] | None = None) -> "Samples":
        """Read the file, its labels renamed as the documents' tags are (an empty name drops one).

        Raises InputError where it is absent, empty or unreadable.
        """
        rows = read_samples(path)
        renamed = [[(tags_map or {}).get(label, label) for label in labels] for _, _, labels in rows]
        return cls(
            path=path,
            sha256=file_sha256(path),
            texts=[clean_text(text) for _, text, _ in rows],
            labels=[list(dict.fromkeys(filter(None, labels))) for labels in renamed],
        )

    def in_data(self, data: PreparedData) -> NDArray[np.bool_]:
        """Which documents have the same words as a test sample, with their title or without: (documents,)."""
        own = {text_hash(text) for text in self.texts if text}  # an empty one is like every absent second line
        found = []
        for batch in data.batches():
            hashes, texts = batch.column("text_hash").to_pylist(), batch.column("text").to_pylist()
            without_title = (text_hash(text.partition("\n")[2]) for text in texts)
            found += [one in own or other in own for one, other in zip(hashes, without_title, strict=True)]
        return np.array(found, bool)
