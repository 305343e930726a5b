"""The test samples: texts with their true tags, never part of training."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from get_tags_train.csvfiles import read_samples
from get_tags_train.dataset import PreparedData
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
    def read(cls, path: Path) -> "Samples":
        """Read the file. Raises InputError where it is absent, empty or unreadable."""
        rows = read_samples(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(path, sha256, [clean_text(text) for _, text, _ in rows], [labels for _, _, labels in rows])

    def in_data(self, data: PreparedData) -> NDArray[np.bool_]:
        """Which documents have the same words as a test sample, with their title or without: (documents,)."""
        own = {text_hash(text) for text in self.texts}
        found = []
        for batch in data.batches():
            hashes, texts = batch.column("text_hash").to_pylist(), batch.column("text").to_pylist()
            without_title = (text_hash(text.partition("\n")[2]) for text in texts)
            found += [one in own or other in own for one, other in zip(hashes, without_title, strict=True)]
        return np.array(found, bool)
