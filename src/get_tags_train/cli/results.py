"""How a model scored and what became of it, as people read it: in short after a run, in full on request."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from get_tags_train.cli.tables import Line, Listing, data_entries, facts
from get_tags_train.core.i18n import (
    N_,
    _,
    _n,
    display_name,
    documents,
    english,
    first_of,
    format_duration,
    interval_text,
    number,
)
from get_tags_train.evaluation.verdict import Verdict, judge, on_examples

# Of fewer examples a line says all there is to know.
_FEWEST_OF_A_TABLE = 30
_SHOWN_TAGS = 20
_RIVALS = {"live": N_("live model"), "baseline": N_("linear baseline")}
_FURTHER = {
    "held_out": "held-out documents",
    "newest": "newest held-out documents",
    "rare": "test samples chosen for rare tags",
    "judged": "test samples judged by people",
}


def outcome_lines(evaluation: Mapping[str, Any], report_path: Path | None = None) -> list[Line]:
    """What to do with a model and the few figures that carry it; the rest is in the report and `evaluation_lines`."""
    verdict = judge(evaluation)
    lines: list[Line] = [*verdict_lines(verdict), *_tag_change_lines(evaluation)]
    for figures, name in _named_sets(evaluation):
        is_small = figures["examples"] < _FEWEST_OF_A_TABLE or name not in {evaluation["set"], _FURTHER["held_out"]}
        lines.append(_brief(figures, name) if is_small else _carrying_figures(figures, name))
    if report_path is not None:
        lines.append(_("Report: {path}", path=report_path))
    return lines


def verdict_lines(verdict: Verdict) -> list[str]:
    """The sentence, what else speaks against the model, and the remark."""
    also = [_("Also: {concern}.", concern=concern) for concern in verdict.concerns[1:]]
    return [verdict.sentence, *also, *filter(None, [verdict.remark])]


def evaluation_lines(evaluation: Mapping[str, Any]) -> list[Line]:
    """An evaluation in full; report.html has plots and examples too."""
    lines: list[Line] = [*_tag_change_lines(evaluation)]
    for figures, name in _named_sets(evaluation):
        if figures["examples"] < _FEWEST_OF_A_TABLE:
            lines.append(_brief(figures, name))
        else:
            lines += _set_lines(figures, name)
    return lines + _comparison_lines(evaluation)


def run_facts(result: Mapping[str, Any]) -> Line:
    """The end of a training: data, model, whether it is live, and how long each part took."""
    data, model, evaluation = result["data"], result["model"], result["evaluation"]
    entries = data_entries(data) | {
        _("Model"): model["name"],
        _("Model folder"): model["path"],
        _("Report"): report_path(result),
        _("Trained on"): _(
            "{documents}, {epochs}, {device}, {precision}",
            documents=documents(model["examples"]),
            epochs=_n("{count} epoch", "{count} epochs", model["epochs"]),
            device=model["device"],
            precision=model["precision"],
        ),
        _("Live"): result["live"] if result["deployed"] else _("no"),
        _("Time"): _(
            "data {data}, training {training}, evaluation {evaluation}, all {all}",
            data=format_duration(data["seconds"]),
            training=format_duration(model["seconds"]),
            evaluation=format_duration(evaluation["seconds"]),
            all=format_duration(result["seconds"]),
        ),
    }
    return facts(_("Done"), entries)


def report_path(result: Mapping[str, Any]) -> Path:
    """The report of the model that a run trained."""
    return Path(result["model"]["path"]) / "report.html"


def decision(result: Mapping[str, Any]) -> str:
    """Whether the model of a run went live."""
    return _("{name} is live now.", name=result["model"]["name"]) if result["deployed"] else _("It was not deployed.")


def log_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """What came of an evaluation, for its log: the verdict and the figures that carry it."""
    return [
        *verdict_lines(judge(evaluation)),
        *(_brief(figures, name) for figures, name in _named_sets(evaluation)),
        *map(english, _comparison_lines(evaluation)),
    ]


def run_log_lines(result: Mapping[str, Any]) -> list[str]:
    """What came of a run, for its log: verdict, figures, decision, names."""
    return [
        *log_lines(result["evaluation"]),
        decision(result),
        _("Model: {folder}", folder=result["model"]["path"]),
        _("Data: {name}, checksum {checksum}", name=result["data"]["name"], checksum=result["data"]["checksum"]),
        _("Report: {path}", path=report_path(result)),
    ]


def _named_sets(evaluation: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The figures of each set with its name; the leading one first."""
    yield evaluation, evaluation["set"]
    yield from ((evaluation[key], name) for key, name in _FURTHER.items() if evaluation.get(key))


def _carrying_figures(figures: Mapping[str, Any], name: str) -> Listing:
    """precision@1 and @k of this model, its rivals and a perfect one, a row each."""
    places = list(dict.fromkeys(["1", str(figures["top_k"])]))
    intervals = figures.get("intervals", {}).get("precision_at_k", {})
    own = [_with_interval(figures["precision_at_k"][k], intervals.get(k)) for k in places]
    rivals = {_("BERT alone"): (figures.get("bert_alone") or {}).get("precision_at_k")}
    rivals |= {_rival(c): c["rival_precision_at_k"] for c in figures.get("comparisons", [])}
    rivals[_("best possible")] = figures.get("best_possible_precision_at_k")
    rows = [[title, *(number(values[k], ".3f") for k in places)] for title, values in rivals.items() if values]
    title = on_examples(figures["examples"], name).capitalize()
    return Listing(["", *(f"precision@{k}" for k in places)], [[_("this model"), *own], *rows], title)


def _set_lines(figures: Mapping[str, Any], name: str) -> list[Line]:
    intervals = figures.get("intervals", {})
    columns = {
        "precision@k": figures["precision_at_k"],
        "95 %": {k: _interval(*ends) for k, ends in intervals.get("precision_at_k", {}).items()},
        _("best possible"): figures.get("best_possible_precision_at_k"),
        _("BERT alone"): (figures.get("bert_alone") or {}).get("precision_at_k"),
        **{_rival(c): c["rival_precision_at_k"] for c in figures.get("comparisons", [])},
        _("always the most frequent"): figures["most_frequent_precision_at_k"],
    }
    shown = {title: values for title, values in columns.items() if values}
    rows = [
        [k, *(v[k] if isinstance(v[k], str) else number(v[k], ".3f") for v in shown.values())]
        for k in figures["precision_at_k"]
    ]
    title = _("Evaluation on {examples} {name}", examples=figures["examples"], name=display_name(name))
    lines: list[Line] = [Listing(["k", *shown], rows, title)]
    if intervals:
        lines.append(_other_figures(figures))
    if count := figures["examples_without_tags"]:
        said = _n(
            "{count} example has no labels and was left out.",
            "{count} examples have no labels and were left out.",
            count,
        )
        lines.append(said)
    if unknown := figures["unknown_tags"]:
        listed = first_of([f"{tag} ({count})" for tag, count in unknown.items()], shown=_SHOWN_TAGS, joined=", ")
        said = _n(
            "{count} true tag is not known to the model and counts as missed: {named}.",
            "{count} true tags are not known to the model and count as missed: {named}.",
            sum(unknown.values()),
            named=listed,
        )
        lines.append(said)
    return lines


def _brief(figures: Mapping[str, Any], name: str) -> str:
    intervals = figures.get("intervals", {}).get("precision_at_k", {})
    places = dict.fromkeys(["1", str(figures["top_k"])])
    found = "; ".join(f"precision@{k} {_with_interval(figures['precision_at_k'][k], intervals.get(k))}" for k in places)
    return f"{on_examples(figures['examples'], name).capitalize()}: {found}."


def _with_interval(value: float, ends: Sequence[float] | None) -> str:
    return number(value, ".3f") + (f" ({interval_text(*ends)})" if ends else "")


def _interval(low: float, high: float) -> str:
    """In a cell, where a line would be broken at a space."""
    return f"{number(low, '.3f')}–{number(high, '.3f')}"


def _rival(comparison: Mapping[str, Any]) -> str:
    kind = comparison["rival"]
    return _(_RIVALS[kind])


def _other_figures(figures: Mapping[str, Any]) -> str:
    k = str(figures["top_k"])
    values = {
        f"recall@{k}": figures["recall_at_k"][k],
        f"R-precision@{k}": figures["r_precision_at_k"][k],
        f"nDCG@{k}": figures["ndcg_at_k"][k],
        _("mean average precision"): figures["mean_average_precision"],
        _("micro F1"): figures["micro_f1"],
        _("macro F1"): figures["macro_f1"],
    }
    said = "; ".join(f"{name} {number(value, '.3f')}" for name, value in values.items())
    if alone := figures.get("bert_alone"):
        said += " " + _(
            "(BERT alone: micro F1 {micro}; macro F1 {macro})",
            micro=number(alone["micro_f1"], ".3f"),
            macro=number(alone["macro_f1"], ".3f"),
        )
    return said


def _comparison_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """How sure it is which model is better, on each set."""
    held_out = evaluation.get("held_out") or {}
    compared = [*evaluation.get("comparisons", []), *held_out.get("comparisons", [])]
    several = len({entry["set"] for entry in compared}) > 1
    return [
        _("On the {set}: {sentence}", set=display_name(entry["set"]), sentence=entry["sentence"])
        if several
        else entry["sentence"]
        for entry in compared
    ]


def _tag_change_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """What else changes for those who use the tags of the live model; tags that go are a concern of the verdict."""
    changes = evaluation.get("tag_changes") or {}
    listed = {
        _("Tags added, against the live model:"): changes.get("came"),
        _("Tags renamed, against the live model:"): [f"{was} → {now}" for was, now in changes.get("renamed", [])],
    }
    return [f"{what} {first_of(tags)}" for what, tags in listed.items() if tags]
