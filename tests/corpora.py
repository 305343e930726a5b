"""A small corpus whose tags follow from its words, and errors in it that are known."""

from pathlib import Path

import numpy as np
from prepared import Document, prepared

from get_tags_train.data.prepared import PreparedData

TOPICS = ("contracte", "moșteniri", "urbanism", "transporturi", "pescuit", "păduri", "vămi", "școli")
PAIRED = {"contracte": "drept civil", "moșteniri": "drept civil"}
# (document, tag): what is removed, and what is added.
REMOVED, ADDED = (7, "urbanism"), (12, "pescuit")


def documents(count: int = 240, *, with_errors: bool = True) -> list[Document]:
    """Each document has two topics, forty words of theirs, and what goes with them."""
    generator = np.random.default_rng(3)
    found: list[Document] = []
    for number in range(count):
        topics = [TOPICS[place] for place in generator.choice(len(TOPICS), 2, replace=False)]
        if number == REMOVED[0]:
            topics = [REMOVED[1], "vămi"]
        if number == ADDED[0]:
            topics = ["păduri", "școli"]
        words = [f"{topic}{generator.integers(12)}" for topic in topics for _ in range(20)]
        tags = {*topics, *(PAIRED[topic] for topic in topics if topic in PAIRED)}
        if with_errors and number == REMOVED[0]:
            tags.remove(REMOVED[1])
        if with_errors and number == ADDED[0]:
            tags.add(ADDED[1])
        found.append((number, f"Titlul {number}\n" + " ".join(generator.permutation(words)), sorted(tags)))
    return found


def data(home: Path, name: str = "tags_v1", **options: bool) -> PreparedData:
    """Prepared data of them in a home."""
    folder = home / "_cache" / "_data" / name
    folder.mkdir(parents=True)
    return prepared(folder, documents(**options), batch_size=50)
