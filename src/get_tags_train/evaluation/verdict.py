"""What to do with a model, in one sentence that needs no statistics, and what speaks against putting it live."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from get_tags_train.core.i18n import _, _n, display_name, first_of
from get_tags_train.model.judgement_record import JudgementRecord

Advice = Literal["is live", "do not go live", "look first", "may go live", "go live"]
_LISTED = 5


@dataclass(frozen=True)
class Verdict:
    """What an evaluation says to do: `sentence` is for people, `advice` for programs.

    `concerns` speak against putting the model live, each as a clause that goes on from "...: "; `remark` is a further
    sentence, '' where there is none.
    """

    advice: Advice
    sentence: str
    concerns: list[str]
    remark: str


def judge(evaluation: Mapping[str, Any]) -> Verdict:
    """The verdict on the model of an evaluation, fresh (Evaluation.as_json) or stored (EvaluationRecord).

    `judgements` in it are what people found of the model, blind: of what is live they outweigh the tags of the
    database.
    """
    is_live = evaluation["live"] == evaluation["model"]
    concerns = [] if is_live else [*_floor_concerns(evaluation), *_live_concerns(evaluation)]
    advice, sentence = _advice(evaluation, concerns)
    as_good = any(c["verdict"] == "not distinguishable" for c in _comparisons(evaluation, "baseline"))
    remark = _("A plain linear model finds the tags about as well as this model.") if as_good else ""
    return Verdict(advice, sentence, concerns, remark)


def as_of_today(
    evaluation: Mapping[str, Any], model: str, live: str | None, judgements: Sequence[JudgementRecord] = ()
) -> dict[str, Any]:
    """A stored evaluation of `model` with what is live now and what people found since.

    Tag changes against another model no longer count.
    """
    changes = evaluation["tag_changes"] if evaluation["live"] == live else None
    return with_judgements({**evaluation, "model": model, "live": live, "tag_changes": changes}, judgements)


def with_judgements(evaluation: Mapping[str, Any], judgements: Sequence[JudgementRecord]) -> dict[str, Any]:
    """An evaluation with what people found of the model, blind."""
    return {**evaluation, "judgements": [one.model_dump() for one in judgements]}


def _advice(evaluation: Mapping[str, Any], concerns: list[str]) -> tuple[Advice, str]:
    name, live = evaluation["model"], evaluation["live"]
    if live == name:
        return "is live", _("{name} is the live model.", name=name)
    if concerns:
        return "do not go live", _("Do not deploy {name}: {reason}.", name=name, reason=concerns[0])
    if not live:
        said = _("There is no live model yet, and nothing speaks against deploying {name}.", name=name)
        return "go live", said
    if _by_people(evaluation) == "better":
        said = _(
            "Deploy {name}: people who did not know which was which prefer it to {live}, the live model.",
            name=name,
            live=live,
        )
        return "go live", said
    by_verdict = {c["verdict"]: c for c in reversed(_comparisons(evaluation, "live"))}
    if better := by_verdict.get("better"):
        said = _("Deploy {name}: {on_set} it is better than {live}, the live model.", **_said(name, live, better))
        return "go live", said
    if alike := by_verdict.get("not distinguishable"):
        said = _(
            "You may deploy {name}: {on_set} it is neither clearly better nor clearly worse than {live}, the live "
            "model.",
            **_said(name, live, alike),
        )
        return "may go live", said
    said = _(
        "Look at the report before you deploy {name}: it could not be compared fairly with {live}, the live model.",
        name=name,
        live=live,
    )
    return "look first", said


def _said(name: str, live: str, comparison: Mapping[str, Any]) -> dict[str, str]:
    return {"name": name, "live": live, "on_set": _on_set(comparison)}


def on_examples(count: int, set_name: str) -> str:
    """On which examples something holds."""
    return _n("on {count:,} {set}", "on {count:,} {set}", count, set=display_name(set_name))


def _on_set(comparison: Mapping[str, Any]) -> str:
    return on_examples(comparison["examples"], comparison["set"])


def _floor_concerns(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """What a model should be that goes live at all, whatever is live."""
    answers = _what_the_api_gives(evaluation)
    yield from _above_most_frequent(evaluation, answers.get("intervals"))
    k, least = str(evaluation["top_k"]), evaluation["min_precision_at_k"]
    if answers["precision_at_k"][k] < least:
        yield _(
            "its precision@{k} is below {least:.3f}, the least that {setting} asks for",
            k=k,
            least=least,
            setting="[deploy] min_precision_at_k",
        )
    if worse := _first_worse(evaluation, "baseline"):
        yield _("{on_set} a plain linear model is better", on_set=_on_set(worse))


def _what_the_api_gives(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the model, or those of its BERT alone where an API of plain transformers reads no more."""
    alone = evaluation.get("bert_alone") if evaluation["read_by"] == "transformers" else None
    return alone or evaluation


def _above_most_frequent(evaluation: Mapping[str, Any], intervals: Mapping[str, Any] | None) -> Iterator[str]:
    """A concern where the interval of precision@1 or @top_k reaches down to what needs no model."""
    always = evaluation.get("most_frequent_precision_at_k")
    if not always or not intervals:
        return
    for k in dict.fromkeys(["1", str(evaluation["top_k"])]):
        if intervals["precision_at_k"][k][0] <= always[k]:
            yield _(
                "it is not clearly better than always naming the most frequent tags (precision@{k} of these is "
                "{always:.3f})",
                k=k,
                always=always[k],
            )
            return


def _live_concerns(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """What those who use the live model would lose."""
    by_people = _by_people(evaluation)
    if by_people == "worse":
        yield _("people who did not know which was which prefer {live}, the live model", live=evaluation["live"])
    elif by_people != "better" and (worse := _first_worse(evaluation, "live")):
        yield _("{on_set} it is worse than {live}, the live model", on_set=_on_set(worse), live=worse["rival_name"])
    gone = (evaluation.get("tag_changes") or {}).get("gone") or []
    if gone:
        yield _n(
            "it no longer knows a tag of the live model ({named})",
            "it no longer knows {count} tags of the live model ({named})",
            len(gone),
            named=first_of(gone, shown=_LISTED, joined=", "),
        )


def _first_worse(evaluation: Mapping[str, Any], rival: str) -> Mapping[str, Any] | None:
    return next((c for c in _comparisons(evaluation, rival) if c["verdict"] == "worse"), None)


def _by_people(evaluation: Mapping[str, Any]) -> str | None:
    """The newest verdict of people on the model and what is live; None without any."""
    judgements = evaluation.get("judgements") or []
    return next((one["verdict"] for one in reversed(judgements) if one["rival"] == evaluation["live"]), None)


def _comparisons(evaluation: Mapping[str, Any], rival: str) -> list[Mapping[str, Any]]:
    """With what is live or the linear baseline, on the leading set and then on the held-out documents."""
    sets = [evaluation, evaluation.get("held_out") or {}]
    found = [c for one in sets for c in one.get("comparisons") or [] if c["rival"] == rival]
    return [c for c in found if rival != "live" or c["rival_name"] == evaluation["live"]]
