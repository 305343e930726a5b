"""Leaks: documents that are also test examples, by id, by their words, or nearly."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.csv import write_csv
from get_tags_train.data.near_duplicates import Finder
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.held_out import held_out_in
from get_tags_train.splits.test_samples import Samples
from get_tags_train.text.clean import text_hash
from get_tags_train.text.shingles import shingle

How = Literal["same id", "same text", "nearly the same text"]


class Leak(NamedTuple):
    """A document that is also a test example: its place in the data and its id, which example, how it was known."""

    place: int
    document_id: int | str
    example: int
    how: How
    similarity: float


def find_leaks(samples: Samples, data: PreparedData) -> list[Leak]:
    """The documents that are also test examples, in stored order, each with the example that it is most like.

    The same text is the same words, whatever their spacing, with the document's first line (its title) or without.
    """
    of_id = {origin.document_id: number for number, origin in enumerate(samples.origins) if origin}
    # An example that is empty once clean is like every absent second line.
    of_text = {text_hash(text): number for number, text in enumerate(samples.texts) if text}
    finder = Finder(shingle(samples.texts))
    leaks = list[Leak]()
    for first, batch in data.numbered_batches():
        ids, hashes, texts = (batch.column(name).to_pylist() for name in ("id", "text_hash", "text"))
        nearly: dict[int, tuple[float, int]] = {}
        for document, example, similarity in zip(*finder.find(shingle(batch.column("text"))), strict=True):
            nearly[int(document)] = max(nearly.get(int(document), (0.0, 0)), (float(similarity), int(example)))
        for row, document_id in enumerate(ids):
            if (example := of_id.get(str(document_id))) is not None:
                leaks.append(Leak(first + row, document_id, example, "same id", 1))
            elif (example := _same_text(of_text, hashes[row], texts[row])) is not None:
                leaks.append(Leak(first + row, document_id, example, "same text", 1))
            elif row in nearly:
                similarity, example = nearly[row]
                leaks.append(Leak(first + row, document_id, example, "nearly the same text", similarity))
    return leaks


def find_trainable_leaks(home: Path, samples: Samples, data: PreparedData) -> tuple[list[Leak], NDArray[np.bool_]]:
    """The leaks that would be trained on, because held_out.csv does not list the document; and a mask of all leaks."""
    leaks, held_out = find_leaks(samples, data), held_out_in(home, data)
    return [leak for leak in leaks if leak.place not in held_out], places_of(leaks, data)


def places_of(leaks: Iterable[Leak], data: PreparedData) -> NDArray[np.bool_]:
    """Which documents these are: (documents,)."""
    found = np.zeros(data.manifest.documents_kept, bool)
    found[[leak.place for leak in leaks]] = True
    return found


def write_leaks(path: Path, leaks: Iterable[Leak], samples: Samples) -> None:
    """List leaks for people: the document's id, the line of the example, and how they are alike."""
    rows = ((leak.document_id, samples.lines[leak.example], leak.how, f"{leak.similarity:.2f}") for leak in leaks)
    write_csv(path, [("id", "line of the test samples", "how", "similarity"), *rows])


def _same_text(of_text: dict[bytes, int], own_hash: bytes, text: str) -> int | None:
    same = of_text.get(own_hash)
    return same if same is not None else of_text.get(text_hash(text.partition("\n")[2]))
