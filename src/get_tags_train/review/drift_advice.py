"""Retrain, wait, or not enough newer documents to say: the decision, how many would do, and the sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from get_tags_train.core.i18n import _, _n, number
from get_tags_train.review.drift_statistics import Difference, NewTags, documents_needed, reference_needed

Advice = Literal["retrain", "wait", "not enough"]
Reason = Literal["loss", "new tags"]

# Fewer newer documents tell nothing, nor do fewer held-out ones.
FEWEST = 50
# From the first share of precision@k on, a sure loss is worth a retraining; below the second, waiting costs little.
LOSS_FROM, LOSS_BELOW = 0.05, 0.1
# The same of new tags, as shares of the documents.
NEW_TAGS_FROM, NEW_TAGS_BELOW = 0.01, 0.03
_QUANTILE = 1.96
_SHOWN_TAGS = 5


@dataclass(frozen=True)
class Decision:
    """What to do, and why; `needed` newer documents with tags, or `held_out_needed` held-out ones, would tell.

    Both are None where that is told already.
    """

    advice: Advice
    reasons: list[Reason] = field(default_factory=list)
    needed: int | None = None
    held_out_needed: int | None = None


def decide(documents: int, held_out: int, precision: float, lost: Difference | None, new: NewTags | None) -> Decision:
    """Decide on so many newer documents with tags, against so many that were held out.

    precision: precision@k on the held-out ones; lost: what `loss` found; new: tags that the model does not know. lost
    and new are None where either documents are too few. Both questions have three answers: surely enough to retrain,
    surely too little, or neither yet.
    """
    if documents < FEWEST or new is None:
        return Decision("not enough", needed=FEWEST)
    if reasons := list(_reasons(lost, precision, new)):
        return Decision("retrain", reasons)
    if lost is None:
        return Decision("not enough", held_out_needed=FEWEST)
    needed = list[int]()
    if lost.high >= LOSS_BELOW * precision:
        # Where the interval reaches no further than that to either side, one of both answers is sure.
        width = 2 * (LOSS_BELOW - LOSS_FROM) * precision
        would_do = documents_needed(lost, documents, width)
        if would_do is None:
            return Decision("not enough", held_out_needed=reference_needed(lost, held_out, width))
        needed.append(would_do)
    if new.possible_interval.high >= NEW_TAGS_BELOW:
        needed.append(_documents_of_a_share(max(new.possible_share, NEW_TAGS_FROM)))
    return Decision("not enough", needed=max(*needed, documents + 1)) if needed else Decision("wait")


def _reasons(lost: Difference | None, precision: float, new: NewTags) -> Iterator[Reason]:
    if lost is not None and lost.low > 0 and lost.value >= LOSS_FROM * precision:
        yield "loss"
    if new.interval.low > NEW_TAGS_FROM:
        yield "new tags"


def _documents_of_a_share(share: float) -> int:
    """How many documents make an interval of a share as narrow as the room between its two limits."""
    half = (NEW_TAGS_BELOW - NEW_TAGS_FROM) / 2
    return ceil(_QUANTILE**2 * share * (1 - share) / half**2)


def sentence(
    decision: Decision,
    documents: int,
    held_out: int,
    top_k: int,
    precision: Difference | None,
    lost: Difference | None,
    new: NewTags | None,
) -> str:
    """What to do and why, for people."""
    on = _n("{count:,} newer document", "{count:,} newer documents", documents)
    match decision.advice:
        case "retrain":
            why = [_why(reason, on, top_k, precision, lost, new) for reason in decision.reasons]
            return _("Retrain: {why}.", why="; ".join(why))
        case "wait":
            return _(
                "Wait: on {documents} the live model is as good as its scores promise, and few have tags that it does "
                "not know.",
                documents=on,
            )
    if decision.needed is not None:
        return _(
            "Not enough newer documents to say. With tags, and no near-duplicates of the model's data: {count:,}; "
            "about {needed} would do.",
            count=documents,
            needed=_rounded(decision.needed),
        )
    return _(
        "Too few documents were held out of the live model's training to say: {documents} can be compared with "
        "{held_out:,}, and about {needed} would do. Raise {setting} for the next training.",
        documents=on,
        held_out=held_out,
        needed=_rounded(decision.held_out_needed or FEWEST),
        setting="[evaluation] held_out",
    )


def _why(
    reason: Reason, on: str, k: int, precision: Difference | None, lost: Difference | None, new: NewTags | None
) -> str:
    if reason == "loss" and precision is not None and lost is not None:
        return _(
            "on {documents} precision@{k} is {newer:.3f} (on held-out ones {reference:.3f}), {lost:.3f} less than the "
            "model's own scores promise",
            documents=on,
            k=k,
            newer=precision.newer,
            reference=precision.reference,
            lost=lost.value,
        )
    assert new is not None
    named = ", ".join(new.arrived[:_SHOWN_TAGS])
    return _(
        "{share:.1%} of {documents} have tags that the model does not know ({named})",
        share=new.share,
        documents=on,
        named=named,
    )


def _rounded(value: int) -> str:
    """To two digits, as befits an estimate; rounded up."""
    unit = 10 ** max(len(str(value)) - 2, 0)
    return number(-(-value // unit) * unit)
