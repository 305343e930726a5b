"""Retrain, wait, or not enough newer documents to say: the decision, how many would do, and the sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from get_tags_train.core.i18n import _, _n, first_of, number
from get_tags_train.review.drift_statistics import (
    Difference,
    NewTags,
    WrongTags,
    documents_needed,
    reference_needed,
)

Advice = Literal["retrain", "wait", "not enough"]
Reason = Literal["loss", "new tags", "wrong tags"]

# Fewer newer documents tell nothing, nor do fewer held-out ones.
FEWEST = 50
# With fewer, a new tag on NEW_TAGS_BELOW of the documents may be on none or two, and is not seen: on so many it is on
# three or more with 95% (binomial).
FEWEST_TO_WAIT = 208
# From the first share of precision@k on, a sure loss is worth a retraining; below the second, waiting costs little.
LOSS_FROM, LOSS_BELOW = 0.05, 0.1
# The same of new tags, and of tags that are wrong now, as shares of the documents.
TAGS_FROM, NEW_TAGS_BELOW = 0.01, 0.03
_QUANTILE = 1.96
_SHOWN_TAGS = 5


@dataclass(frozen=True)
class Evidence:
    """What is decided by, measured on so many `documents`, which are newer and can be compared, and held-out ones.

    precision: the difference in precision@k; lost: what the scores do not explain of it. Both and wrong_tags are None
    where either documents are too few, all are where nothing was read.
    """

    documents: int = 0
    held_out: int = 0
    precision: Difference | None = None
    lost: Difference | None = None
    new_tags: NewTags | None = None
    wrong_tags: WrongTags | None = None


@dataclass(frozen=True)
class Decision:
    """What to do, and why; `needed` newer documents with tags, or `held_out_needed` held-out ones, would tell.

    Both are None where that is told already.
    """

    advice: Advice
    reasons: list[Reason] = field(default_factory=list)
    needed: int | None = None
    held_out_needed: int | None = None


def decide(found: Evidence) -> Decision:
    """Retrain where one reason surely holds, wait where surely none does."""
    if found.documents < FEWEST or found.new_tags is None:
        return Decision("not enough", needed=FEWEST_TO_WAIT)
    if reasons := list(_reasons(found)):
        return Decision("retrain", reasons)
    if found.lost is None or found.precision is None:
        return Decision("not enough", held_out_needed=FEWEST)
    needed = list[int]()
    if found.documents < FEWEST_TO_WAIT:
        needed.append(FEWEST_TO_WAIT)
    if found.lost.high >= LOSS_BELOW * found.precision.reference:
        # Where the interval reaches no further than that to either side, one of both answers is sure.
        width = 2 * (LOSS_BELOW - LOSS_FROM) * found.precision.reference
        would_do = documents_needed(found.lost, found.documents, width)
        if would_do is None:
            return Decision("not enough", held_out_needed=reference_needed(found.lost, found.held_out, width))
        needed.append(would_do)
    if found.new_tags.possible_interval.high >= NEW_TAGS_BELOW:
        needed.append(_documents_of_a_share(max(found.new_tags.possible_share, TAGS_FROM)))
    return Decision("not enough", needed=max(*needed, found.documents + 1)) if needed else Decision("wait")


def _reasons(found: Evidence) -> Iterator[Reason]:
    if found.wrong_tags and found.wrong_tags.share >= TAGS_FROM:
        yield "wrong tags"
    if found.new_tags and found.new_tags.interval.low > TAGS_FROM:
        yield "new tags"
    lost, precision = found.lost, found.precision
    if lost and precision and lost.low > 0 and lost.value >= LOSS_FROM * precision.reference:
        yield "loss"


def _documents_of_a_share(share: float) -> int:
    """How many documents make an interval of a share as narrow as the room between its two limits."""
    half = (NEW_TAGS_BELOW - TAGS_FROM) / 2
    return ceil(_QUANTILE**2 * share * (1 - share) / half**2)


def sentence(decision: Decision, found: Evidence, *, top_k: int, newer: int) -> str:
    """What to do and why, for people; newer: how many documents are newer, usable or not."""
    on = _n("{count:,} newer document", "{count:,} newer documents", found.documents)
    if decision.advice == "retrain":
        reasons = "; ".join(_why(reason, found, top_k) for reason in decision.reasons)
        return _("Retrain. On {documents}: {why}.", documents=on, why=reasons)
    if decision.advice == "wait":
        return _(
            "Wait. On {documents} the live model is as good as its scores promise, and hardly any has a tag that it "
            "does not know.",
            documents=on,
        )
    if not newer:
        return _("Not enough to say: no document is newer than the live model's data.")
    if decision.needed is not None:
        return _(
            "Not enough to say. Of {newer}, {count:,} can be compared; it takes about {needed}.",
            newer=_n("{count:,} newer document", "{count:,} newer documents", newer),
            count=found.documents,
            needed=_rounded(decision.needed),
        )
    return _(
        "Not enough to say: {documents} can be compared with only {held_out:,} held-out ones; it takes about {needed}. "
        "Raise {setting} for the next training.",
        documents=on,
        held_out=found.held_out,
        needed=_rounded(decision.held_out_needed or FEWEST),
        setting="[evaluation] held_out",
    )


def _why(reason: Reason, found: Evidence, k: int) -> str:
    if reason == "wrong tags" and found.wrong_tags:
        wrong = found.wrong_tags
        named = first_of(list(wrong.tags), shown=_SHOWN_TAGS, joined=", ")
        return _("{share:.1%} get a tag that is no longer right ({named})", share=wrong.share, named=named)
    if reason == "new tags" and found.new_tags:
        new = found.new_tags
        named = first_of(new.arrived, shown=_SHOWN_TAGS, joined=", ")
        return _("{share:.1%} have a tag that the model does not know ({named})", share=new.share, named=named)
    assert found.precision
    assert found.lost
    return _(
        "precision@{k} is {newer:.3f} (held-out documents: {reference:.3f}), {lost:.3f} less than the model's own "
        "scores promise",
        k=k,
        newer=found.precision.newer,
        reference=found.precision.reference,
        lost=found.lost.value,
    )


def _rounded(value: int) -> str:
    """To two digits, as befits an estimate; rounded up."""
    unit = 10 ** max(len(str(value)) - 2, 0)
    return number(-(-value // unit) * unit)
