"""The decision at its limits, and the sentence."""

import pytest
from scipy import stats

from get_tags_train.metrics.intervals import Interval
from get_tags_train.review.drift_advice import FEWEST, FEWEST_TO_WAIT, Decision, Evidence, decide, sentence
from get_tags_train.review.drift_statistics import Difference, NewTags, WrongTags

PRECISION = Difference(0.6, 0.55, -0.07, -0.03, 0.01, 0.01, 2.0)  # a twentieth of 0.6 is 0.03, a tenth 0.06


def lost(value: float, half: float, error_of_reference: float = 0.001) -> Difference:
    """A loss with half the width of its interval."""
    return Difference(0.0, value, value - half, value + half, half / 2, error_of_reference, 2.0)


def new(low: float, high: float, *tags: str) -> NewTags:
    """Documents with these tags, which came, by the ends of their share's interval."""
    share, interval = (low + high) / 2, Interval(low, high)
    return NewTags(dict.fromkeys(tags, 9), list(tags), share, interval, share, interval, share)


def wrong(share: float) -> WrongTags:
    return WrongTags({"mutată": (0.9, 0.1)}, share)


NONE_NEW = new(0.0, 0.005)
NO_LOSS = lost(0.0, 0.01)


def decided(
    found: Difference | None = NO_LOSS, tags: NewTags = NONE_NEW, *, moved: float = 0.0, documents: int = 500
) -> Decision:
    return decide(Evidence(documents, 800, PRECISION, found, tags, wrong(moved)))


def test_nothing_new_and_surely_no_loss_is_to_wait() -> None:
    assert decided() == Decision("wait")


def test_a_sure_loss_is_to_retrain() -> None:
    assert decided(lost(0.03, 0.029)) == Decision("retrain", ["loss"])


def test_a_sure_loss_that_is_surely_small_is_to_wait() -> None:
    assert decided(lost(0.029, 0.02)) == Decision("wait")


def test_new_tags_surely_on_enough_documents_are_to_retrain() -> None:
    assert decided(tags=new(0.011, 0.05, "nou")) == Decision("retrain", ["new tags"])
    assert decided(tags=new(0.01, 0.029, "nou")) == Decision("wait")


def test_wrong_tags_on_enough_documents_are_to_retrain() -> None:
    assert decided(moved=0.01) == Decision("retrain", ["wrong tags"])
    assert decided(moved=0.009) == Decision("wait")


def test_all_reasons_are_told() -> None:
    assert decided(lost(0.1, 0.05), new(0.02, 0.05, "nou"), moved=0.1).reasons == ["wrong tags", "new tags", "loss"]


def test_what_may_be_nothing_or_much_needs_more_documents() -> None:
    found = decided(lost(0.02, 0.05))
    # The variance of the newer ones, 0.025² - 0.001², is to fall to (0.03 / 2)² - 0.001².
    assert found == Decision("not enough", needed=1393)


def test_tags_that_may_have_come_keep_from_waiting() -> None:
    tags = NewTags({"nou": 9}, [], 0.0, Interval(0.0, 0.01), 0.02, Interval(0.01, 0.04), 0.02)
    assert decided(tags=tags) == Decision("not enough", needed=753)  # 1.96² 0.02 (1 - 0.02) / 0.01²
    assert decided(tags=tags, documents=900).needed == 901


def test_on_too_few_documents_a_new_tag_may_be_missed() -> None:
    assert stats.binom.sf(2, FEWEST_TO_WAIT, 0.03) >= 0.95 > stats.binom.sf(2, FEWEST_TO_WAIT - 1, 0.03)
    assert decided(documents=FEWEST_TO_WAIT - 1) == Decision("not enough", needed=FEWEST_TO_WAIT)
    assert decided(documents=FEWEST_TO_WAIT) == Decision("wait")
    assert decided(moved=0.1, documents=FEWEST).advice == "retrain"


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
    found = decided(lost(0.5, 0.1), new(0.5, 0.9, "nou"), documents=documents)
    assert found == Decision("not enough", needed=FEWEST_TO_WAIT)


def said(decision: Decision, lost: Difference | None = None, tags: NewTags = NONE_NEW, newer: int = 1300) -> str:
    return sentence(decision, Evidence(1200, 800, PRECISION, lost, tags, wrong(0.172)), top_k=5, newer=newer)


def test_the_sentence_says_why_to_retrain() -> None:
    decision = Decision("retrain", ["wrong tags", "new tags", "loss"])
    assert said(decision, lost(0.05, 0.02), new(0.02, 0.04, "nou", "alt")) == (
        "Retrain. On 1,200 newer documents: 17.2% get a tag that is no longer right (mutată); 3.0% have a tag that the "
        "model does not know (nou, alt); precision@5 is 0.550 (held-out documents: 0.600), 0.050 less than the model's "
        "own scores promise."
    )


def test_the_sentence_says_how_many_would_do() -> None:
    assert said(Decision("not enough", needed=2027)) == (
        "Not enough to say. Of 1,300 newer documents, 1,200 can be compared; it takes about 2,100."
    )


def test_the_sentence_says_that_nothing_is_newer() -> None:
    assert said(Decision("not enough", needed=208), newer=0) == (
        "Not enough to say: no document is newer than the live model's data."
    )


def test_the_sentence_says_when_too_few_are_held_out() -> None:
    assert said(Decision("not enough", held_out_needed=3001)) == (
        "Not enough to say: 1,200 newer documents can be compared with only 800 held-out ones; it takes about 3,100. "
        "Raise [evaluation] held_out for the next training."
    )
