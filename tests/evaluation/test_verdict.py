"""What an evaluation says to do, in a sentence, and what speaks against a model."""

from typing import Any

import pytest

from get_tags_train.core.i18n import set_language
from get_tags_train.evaluation.verdict import as_of_today, judge


def compared(rival: str, verdict: str, name: str = "old", on: str = "test samples") -> dict[str, Any]:
    return {"rival": rival, "rival_name": name, "verdict": verdict, "set": on, "examples": 120}


def evaluation(*comparisons: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Of a good model `new`, where `old` is live."""
    own = {"1": 0.8, "5": 0.3}
    return {
        "model": "new",
        "live": "old",
        "set": "test samples",
        "examples": 120,
        "top_k": 5,
        "read_by": "get-tags",
        "min_precision_at_k": 0.0,
        "precision_at_k": own,
        "intervals": {"precision_at_k": {k: [value - 0.05, value + 0.05] for k, value in own.items()}},
        "most_frequent_precision_at_k": {"1": 0.2, "5": 0.1},
        "comparisons": list(comparisons),
        "held_out": None,
        "tag_changes": {"came": [], "gone": [], "renamed": []},
        **changed,
    }


@pytest.mark.parametrize(
    ("verdict", "advice", "said"),
    [
        ("better", "go live", "Deploy new: on 120 test samples it is better than old, the live model."),
        ("not distinguishable", "may go live", "You may deploy new: on 120 test samples it is neither clearly"),
        ("worse", "do not go live", "Do not deploy new: on 120 test samples it is worse than old, the live model."),
        ("no fair comparison", "look first", "Look at the report before you deploy new: it could not be compared"),
    ],
)
def test_beside_the_live_model(verdict: str, advice: str, said: str) -> None:
    found = judge(evaluation(compared("live", verdict)))
    assert (found.advice, found.sentence[: len(said)]) == (advice, said)
    assert bool(found.concerns) == (verdict == "worse")


def test_without_a_live_model() -> None:
    found = judge(evaluation(live=None))
    assert (found.advice, found.concerns) == ("go live", [])
    assert found.sentence == "There is no live model yet, and nothing speaks against deploying new."


def test_the_live_model_itself_is_not_advised_against() -> None:
    found = judge(evaluation(compared("baseline", "worse"), live="new"))
    assert (found.advice, found.sentence, found.concerns) == ("is live", "new is the live model.", [])


def test_better_on_held_out_documents_counts_where_the_samples_do_not_tell() -> None:
    held_out = {"comparisons": [compared("live", "better", on="held-out documents")]}
    found = judge(evaluation(compared("live", "not distinguishable"), held_out=held_out))
    assert found.sentence.startswith("Deploy new: on 120 held-out documents it is better")


def test_worse_on_held_out_documents_speaks_against_a_model() -> None:
    held_out = {"comparisons": [compared("live", "worse", on="held-out documents")]}
    assert judge(evaluation(compared("live", "better"), held_out=held_out)).advice == "do not go live"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"most_frequent_precision_at_k": {"1": 0.76, "5": 0.1}}, "not clearly better than always naming the most fre"),
        ({"most_frequent_precision_at_k": {"1": 0.2, "5": 0.26}}, "(precision@5 of these is 0.260)"),
        ({"min_precision_at_k": 0.31}, "its precision@5 is below 0.310, the least that [deploy] min_precision_at_k"),
        ({"comparisons": [compared("baseline", "worse")]}, "on 120 test samples a plain linear model is better"),
        ({"tag_changes": {"gone": ["taxe"]}}, "no longer knows a tag of the live model (taxe)"),
        ({"tag_changes": {"gone": list("abcdefg")}}, "no longer knows 7 tags of the live model (a, b, c, d, e and 2"),
    ],
)
def test_what_speaks_against_a_model(changed: dict[str, Any], said: str) -> None:
    found = judge(evaluation(**changed))
    (concern,) = found.concerns
    assert said in concern
    assert found.sentence == f"Do not deploy new: {concern}."


def test_where_the_api_reads_the_bert_alone_that_is_what_counts() -> None:
    alone = {"precision_at_k": {"1": 0.2, "5": 0.1}, "intervals": {"precision_at_k": {"1": [0.1, 0.3], "5": [0, 0.2]}}}
    assert judge(evaluation(compared("live", "better"), bert_alone=alone)).concerns == []
    (concern,) = judge(evaluation(compared("live", "better"), bert_alone=alone, read_by="transformers")).concerns
    assert "not clearly better than always" in concern


def test_a_linear_model_that_is_as_good_is_only_remarked_on() -> None:
    found = judge(evaluation(compared("live", "better"), compared("baseline", "not distinguishable")))
    assert (found.advice, found.concerns) == ("go live", [])
    assert "linear model" in found.remark


def test_a_stored_evaluation_against_what_is_no_longer_live() -> None:
    stored = evaluation(compared("live", "worse"), tag_changes={"gone": ["taxe"]})
    assert judge(as_of_today(stored, "new", "other")).advice == "look first"
    assert judge(as_of_today(stored, "new", None)).advice == "go live"
    assert judge(as_of_today(stored, "new", "old")).advice == "do not go live"


def test_in_romanian() -> None:
    set_language("ro")
    try:
        found = judge(evaluation(compared("live", "better")))
        assert found.sentence == "Puneți new live: pe 120 de exemple de test este mai bun decât old, modelul live."
    finally:
        set_language("en")


def judged(verdict: str, rival: str = "old") -> dict[str, Any]:
    return {"verdict": verdict, "rival": rival}


def test_what_people_prefer_outweighs_the_tags_of_the_database() -> None:
    worse_by_tags = evaluation(compared("live", "worse"), judgements=[judged("better")])
    found = judge(worse_by_tags)
    assert (found.advice, found.concerns) == ("go live", [])
    assert found.sentence.startswith("Deploy new: people who did not know which was which prefer it to old")


def test_what_people_like_less_does_not_go_live() -> None:
    found = judge(evaluation(compared("live", "better"), judgements=[judged("worse")]))
    assert found.concerns == ["people who did not know which was which prefer old, the live model"]


@pytest.mark.parametrize("verdict", ["no verdict", "not distinguishable"])
def test_people_who_cannot_tell_leave_it_to_the_tags(verdict: str) -> None:
    assert judge(evaluation(compared("live", "worse"), judgements=[judged(verdict)])).advice == "do not go live"


def test_only_the_newest_judgement_beside_what_is_live_counts() -> None:
    earlier = [judged("worse"), judged("better"), judged("worse", rival="older")]
    assert judge(evaluation(compared("live", "better"), judgements=earlier)).advice == "go live"


def test_people_do_not_lift_the_floor() -> None:
    found = judge(evaluation(compared("live", "better"), judgements=[judged("better")], min_precision_at_k=0.9))
    assert found.advice == "do not go live"
