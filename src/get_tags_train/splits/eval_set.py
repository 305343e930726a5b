"""A set of examples that models are evaluated on: texts with their true tags, under a name and a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.near_duplicates import group_texts
from get_tags_train.splits.test_samples import Samples
from get_tags_train.text.shingles import shingle

SAMPLES = "test samples"
HELD_OUT = "held-out documents"
NEWEST = "newest held-out documents"
RARE = "test samples chosen for rare tags"
JUDGED = "test samples judged by people"


@dataclass(frozen=True)
class EvalSet:
    """Examples that have tags; what is measured on one set is compared with nothing measured on another.

    texts are clean, raw_texts as they came; groups: (examples,) near-duplicates share a number; sha256 tells the set
    from any other; `without_tags` counts examples that were left out.
    """

    name: str
    sha256: str
    texts: list[str]
    labels: list[list[str]]
    raw_texts: list[str]
    groups: NDArray[np.int64]
    source: str = ""
    without_tags: int = field(default=0, kw_only=True)

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of_samples(cls, samples: Samples) -> "EvalSet":
        """The test samples that have tags, without those that were chosen for something: they would bias the metrics.

        Raises InputError where none has tags.
        """
        found = cls._of(SAMPLES, samples.of_part(None, "random"))
        if not len(found):
            raise InputError(_("No example in {path} has a label.", path=samples.path), _("Fill in the labels column."))
        return found

    @classmethod
    def of_chosen_samples(cls, samples: Samples) -> "dict[str, EvalSet]":
        """The test samples that were added for rare tags, and those whose tags people judged, by their part."""
        return {
            "rare": cls._of(RARE, samples.of_part("rare")),
            "judged": cls._of(JUDGED, samples.of_part("judged")),
        }

    @classmethod
    def _of(cls, name: str, samples: Samples) -> "EvalSet":
        tagged = [row for row, tags in enumerate(samples.labels) if tags]
        texts = [samples.texts[row] for row in tagged]
        return cls(
            name=name,
            sha256=samples.sha256,
            texts=texts,
            labels=[samples.labels[row] for row in tagged],
            raw_texts=[samples.raw_texts[row] for row in tagged],
            groups=group_texts(shingle(texts)),
            source=str(samples.path),
            without_tags=len(samples.texts) - len(tagged),
        )

    @classmethod
    def of_documents(cls, name: str, texts: Sequence[str], labels: Sequence[Sequence[str]]) -> "EvalSet":
        """Held-out documents, all of which have tags; their hash is over texts and tags in order."""
        digest = hashlib.sha256()
        for text, tags in zip(texts, labels, strict=True):
            for part in (text, *tags):
                digest.update(len(part.encode()).to_bytes(8, "little") + part.encode())
            digest.update(b"\0")
        return cls(
            name=name,
            sha256=digest.hexdigest(),
            texts=list(texts),
            labels=[list(tags) for tags in labels],
            raw_texts=list(texts),
            groups=group_texts(shingle(texts)),
        )
