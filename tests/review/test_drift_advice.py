"""The decision at its limits, and the sentence."""

import pytest

from get_tags_train.metrics.intervals import Interval
from get_tags_train.review.drift_advice import FEWEST, Decision, decide, sentence
from get_tags_train.review.drift_statistics import Difference, NewTags

PRECISION = 0.6  # of which a twentieth is 0.03, a tenth 0.06


def lost(value: float, half: float, error_of_reference: float = 0.001) -> Difference:
    """A loss with half the width of its interval."""
    return Difference(0.0, value, value - half, value + half, half / 2, error_of_reference, 2.0)


def new(low: float, high: float, *tags: str) -> NewTags:
    share, interval = (low + high) / 2, Interval(low, high)
    return NewTags(dict.fromkeys(tags, 9), list(tags), share, interval, share, interval, share)


NONE_NEW = new(0.0, 0.005)


NO_LOSS = lost(0.0, 0.01)


def decided(found: Difference | None = NO_LOSS, tags: NewTags = NONE_NEW, documents: int = 500) -> Decision:
    return decide(documents, 800, PRECISION, found, tags)


def test_nothing_new_and_surely_no_loss_is_to_wait() -> None:
    assert decided() == Decision("wait")


def test_a_sure_loss_is_to_retrain() -> None:
    assert decided(lost(0.03, 0.029)) == Decision("retrain", ["loss"])


def test_a_sure_loss_that_is_surely_small_is_to_wait() -> None:
    assert decided(lost(0.029, 0.02)) == Decision("wait")


def test_new_tags_on_enough_documents_are_to_retrain() -> None:
    assert decided(tags=new(0.011, 0.05, "nou")) == Decision("retrain", ["new tags"])


def test_both_reasons_are_told() -> None:
    assert decided(lost(0.1, 0.05), new(0.02, 0.05, "nou")).reasons == ["loss", "new tags"]


def test_what_may_be_nothing_or_much_needs_more_documents() -> None:
    found = decided(lost(0.02, 0.05))
    # The variance of the newer ones, 0.025² - 0.001², is to fall to (0.03 / 2)² - 0.001².
    assert found == Decision("not enough", needed=1393)


def test_new_tags_that_may_be_few_or_many_need_more_documents() -> None:
    assert decided(tags=new(0.005, 0.035, "nou")).needed == 753  # 1.96² 0.02 (1 - 0.02) / 0.01²


def test_tags_that_may_have_come_keep_from_waiting() -> None:
    tags = NewTags({"nou": 9}, [], 0.0, Interval(0.0, 0.01), 0.02, Interval(0.01, 0.04), 0.02)
    assert decided(tags=tags) == Decision("not enough", needed=753)


def test_more_are_needed_than_there_are() -> None:
    assert decided(tags=new(0.005, 0.035, "nou"), documents=900).needed == 901


def test_a_reference_too_small_for_any_number_is_told() -> None:
    found = decided(lost(0.0, 0.07, error_of_reference=0.02))
    assert found.advice == "not enough"
    assert found.needed is None
    assert found.held_out_needed == 2845  # 2 x 800 x 0.02² / (0.03 / 2)²


def test_without_held_out_documents_only_new_tags_tell() -> None:
    assert decided(None) == Decision("not enough", held_out_needed=FEWEST)
    assert decided(None, new(0.02, 0.06, "nou")).advice == "retrain"


@pytest.mark.parametrize("documents", [0, FEWEST - 1])
def test_a_handful_of_documents_tells_nothing(documents: int) -> None:
    assert decided(lost(0.5, 0.1), new(0.5, 0.9, "nou"), documents) == Decision("not enough", needed=FEWEST)


def said(decision: Decision, found: Difference | None = None, tags: NewTags = NONE_NEW) -> str:
    precision = Difference(0.6, 0.55, -0.07, -0.03, 0.01, 0.01, 2.0)
    return sentence(decision, 1200, 800, 5, precision, found, tags)


def test_the_sentence_says_why_to_retrain() -> None:
    assert said(Decision("retrain", ["loss", "new tags"]), lost(0.05, 0.02), new(0.02, 0.04, "nou", "alt")) == (
        "Retrain: on 1,200 newer documents precision@5 is 0.550 (on held-out ones 0.600), 0.050 less than the model's "
        "own scores promise; 3.0% of 1,200 newer documents have tags that the model does not know (nou, alt)."
    )


def test_the_sentence_says_how_many_would_do() -> None:
    assert said(Decision("not enough", needed=2027)) == (
        "Not enough newer documents to say. With tags, and no near-duplicates of the model's data: 1,200; about 2,100 "
        "would do."
    )


def test_the_sentence_says_when_too_few_are_held_out() -> None:
    assert said(Decision("not enough", held_out_needed=3001)) == (
        "Too few documents were held out of the live model's training to say: 1,200 newer documents can be compared "
        "with 800, and about 3,100 would do. Raise [evaluation] held_out for the next training."
    )
