"""Score a model on the test samples."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from get_tags_train.errors import InputError
from get_tags_train.events import Notice, OnEvent, StageFinished, StageStarted
from get_tags_train.metrics import precision_at_k
from get_tags_train.model import TagModel
from get_tags_train.modelfacts import read_facts
from get_tags_train.samples import FEW, Samples


@dataclass(frozen=True)
class Evaluation:
    """precision@1..k over the examples that have tags; figures by k as text, as JSON has them.

    most_frequent_precision_at_k is what always naming the most frequent tags of the training data would get;
    None for a model without those counts. unknown_tags counts examples by true tag that the model does not know.
    """

    model: str
    examples: int
    top_k: int
    precision_at_k: dict[str, float]
    most_frequent_precision_at_k: dict[str, float] | None
    examples_without_tags: int
    unknown_tags: dict[str, int]
    samples: str
    samples_sha256: str
    seconds: float


def evaluate(folder: Path, samples: Samples, *, top_k: int, device: str, on_event: OnEvent) -> Evaluation:
    """Score the model in a folder. Raises InputError where no example has a tag."""
    started = perf_counter()
    on_event(StageStarted("evaluate"))
    tagged = [(text, tags) for text, tags in zip(samples.texts, samples.labels, strict=True) if tags]
    if not tagged:
        raise InputError(f"No example in {samples.path} has a label.", "Fill in the labels column.")
    model = TagModel(folder, device)
    place = {tag: index for index, tag in enumerate(model.tags)}
    y_true = np.zeros((len(tagged), len(place)), bool)
    unknown = Counter[str]()
    for row, (_, tags) in enumerate(tagged):
        unknown.update(tag for tag in tags if tag not in place)
        y_true[row, [place[tag] for tag in tags if tag in place]] = True
    scores = model.scores([text for text, _ in tagged])
    seconds = perf_counter() - started
    on_event(StageFinished("evaluate", seconds))
    if len(tagged) < FEW:
        on_event(Notice(_few(len(tagged)), "warning"))
    counts = {entry["tag"]: entry["documents"] for entry in read_facts(folder).get("tags", [])}
    always = np.array([[counts.get(tag, 0) for tag in model.tags]], float)
    return Evaluation(
        model=folder.name,
        examples=len(tagged),
        top_k=top_k,
        precision_at_k=_by_k(precision_at_k(y_true, scores, top_k)),
        most_frequent_precision_at_k=_by_k(precision_at_k(y_true, np.repeat(always, len(tagged), axis=0), top_k))
        if counts
        else None,
        examples_without_tags=len(samples.texts) - len(tagged),
        unknown_tags=dict(sorted(unknown.items())),
        samples=str(samples.path),
        samples_sha256=samples.sha256,
        seconds=round(seconds, 3),
    )


def _few(examples: int) -> str:
    return (
        f"Only {examples} test samples: one prediction more or less moves precision@1 by {1 / examples:.3f}. "
        f"Extend them to at least {FEW}, with documents that are not in the database."
    )


def _by_k(values: list[float]) -> dict[str, float]:
    return {str(k): round(value, 6) for k, value in enumerate(values, start=1)}
