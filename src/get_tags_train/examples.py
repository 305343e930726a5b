"""A set of examples that models are scored on: texts with their true tags, under a name and a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from get_tags_train.errors import InputError
from get_tags_train.samples import Samples

SAMPLES = "test samples"
HELD_OUT = "held-out documents"


@dataclass(frozen=True)
class ExampleSet:
    """Examples that have tags; what is measured on one set is compared with nothing measured on another.

    texts are clean; groups: (examples,) near-duplicates share a number; sha256 tells the set from any other;
    `without_tags` counts examples that were left out.
    """

    name: str
    sha256: str
    texts: list[str]
    labels: list[list[str]]
    groups: NDArray[np.int64]
    source: str = ""
    without_tags: int = field(default=0, kw_only=True)

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of_samples(cls, samples: Samples, groups: NDArray[np.int64] | None = None) -> "ExampleSet":
        """The test samples that have tags. Raises InputError where none has.

        groups: (samples,); None: each its own.
        """
        tagged = [row for row, tags in enumerate(samples.labels) if tags]
        if not tagged:
            raise InputError(f"No example in {samples.path} has a label.", "Fill in the labels column.")
        return cls(
            name=SAMPLES,
            sha256=samples.sha256,
            texts=[samples.texts[row] for row in tagged],
            labels=[samples.labels[row] for row in tagged],
            groups=np.arange(len(tagged)) if groups is None else groups[tagged],
            source=str(samples.path),
            without_tags=len(samples.texts) - len(tagged),
        )

    @classmethod
    def of_documents(
        cls, texts: Sequence[str], labels: Sequence[Sequence[str]], groups: NDArray[np.int64] | None = None
    ) -> "ExampleSet":
        """Held-out documents, all of which have tags; their hash is over texts and tags in order."""
        digest = hashlib.sha256()
        for text, tags in zip(texts, labels, strict=True):
            for part in (text, *tags):
                digest.update(len(part.encode()).to_bytes(8, "little") + part.encode())
            digest.update(b"\0")
        return cls(
            name=HELD_OUT,
            sha256=digest.hexdigest(),
            texts=list(texts),
            labels=[list(tags) for tags in labels],
            groups=np.arange(len(texts)) if groups is None else groups,
        )
