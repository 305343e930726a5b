"""What changes for each tag from the live model to another: true tags that are found now, or no longer."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.evaluation.scorecard import shortened

# Texts are shown for the tags that change most, a few for each; a tag on a single example says nothing.
_TAGS_WITH_EXAMPLES = 30
_EXAMPLES = 3
_FEWEST = 2


@dataclass(frozen=True)
class FlippedExample:
    """A text whose tag is found now and was missed by the live model (is_gained), or the reverse; (tag, score) pairs
    of the first k of each model, highest first."""

    text: str
    is_gained: bool
    predicted: list[tuple[str, float]]
    live_predicted: list[tuple[str, float]]


@dataclass(frozen=True)
class TagFlips:
    """A tag that is true on so many examples: on how many each model has it among its first k, and what flipped."""

    tag: str
    support: int
    live_found: int
    found: int
    gained: int
    lost: int
    examples: list[FlippedExample] = field(default_factory=list)


def flips(predictions: Predictions, live: Predictions, k: int) -> list[TagFlips]:
    """The tags for which any example flipped, those with most flips first. Both predict the same examples."""
    now, before = _first_tags(predictions, k), _first_tags(live, k)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, labels in enumerate(predictions.examples.labels):
        for tag in labels:
            rows_of[tag].append(row)
    flipped = {
        tag: [row for row in rows if (tag in now[row]) != (tag in before[row])]
        for tag, rows in rows_of.items()
        if len(rows) >= _FEWEST
    }
    order = sorted((tag for tag, rows in flipped.items() if rows), key=lambda tag: (-len(flipped[tag]), tag))
    return [
        TagFlips(
            tag=tag,
            support=len(rows_of[tag]),
            live_found=sum(tag in before[row] for row in rows_of[tag]),
            found=sum(tag in now[row] for row in rows_of[tag]),
            gained=sum(tag in now[row] for row in flipped[tag]),
            lost=sum(tag in before[row] for row in flipped[tag]),
            examples=[
                FlippedExample(
                    text=shortened(predictions.examples.texts[row]),
                    is_gained=tag in now[row],
                    predicted=list(now[row].items()),
                    live_predicted=list(before[row].items()),
                )
                for row in _shown(flipped[tag], place)
            ],
        )
        for place, tag in enumerate(order)
    ]


def _shown(rows: Sequence[int], place: int) -> Sequence[int]:
    return rows[:_EXAMPLES] if place < _TAGS_WITH_EXAMPLES else ()


def _first_tags(predictions: Predictions, k: int) -> list[dict[str, float]]:
    """The first k tags of each example with their scores, highest first."""
    return [
        {predictions.tags[n]: round(float(predictions.y_score[row, n]), 4) for n in places}
        for row, places in enumerate(predictions.first(k))
    ]
