"""What stays beside a model: its evaluations, and two pages for people."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from markupsafe import Markup

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.files import write_text
from get_tags_train.core.i18n import N_, _, display_name, documents, interval_text, number, tags_of
from get_tags_train.core.pages import page_template
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.evaluation import charts
from get_tags_train.evaluation.evaluate import Evaluation
from get_tags_train.evaluation.verdict import judge, with_judgements
from get_tags_train.model.evaluation_record import FURTHER_SETS, EvaluationRecord
from get_tags_train.model.metadata import METADATA_FILE, ModelMetadata, read_metadata, write_metadata
from get_tags_train.splits.eval_set import HELD_OUT, JUDGED, NEWEST, RARE, SAMPLES

# The best of so many models on one test set looks better than it is.
MANY_EVALUATED = 10
_MODELS_SHOWN = 20
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_REFERENCES = {"live": N_("live model"), "baseline": N_("linear baseline")}


def record(folder: Path, evaluation: Evaluation, on_event: OnEvent) -> None:
    """Keep an evaluation in get_tags.json of the model, beside those before it, and on its pages."""
    metadata = read_metadata(folder)
    if metadata is None:
        return  # not a model of ours: nothing is written into foreign folders
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    write_metadata(folder, metadata.with_evaluation(EvaluationRecord.of(date, evaluation.as_json())))
    write_pages(folder)
    judged = _count_evaluated(folder.parent, evaluation.samples_sha256)
    if evaluation.set == SAMPLES and judged > MANY_EVALUATED:
        said = _(
            "{judged} models were evaluated on these {examples} test samples, so the best score is likely inflated. "
            "Replace some of the samples.",
            examples=evaluation.examples,
            judged=judged,
        )
        on_event(Notice(said))


def _count_evaluated(models_dir: Path, samples_sha256: str) -> int:
    """How many of the models there were evaluated on this test set."""
    return sum(
        any(each.samples_sha256 == samples_sha256 for each in metadata.evaluations) for metadata in _models(models_dir)
    )


def _models(models_dir: Path) -> Iterator[ModelMetadata]:
    """What the models there say of themselves, as far as it can be read."""
    for path in models_dir.glob(f"*/{METADATA_FILE}"):
        try:
            metadata = read_metadata(path.parent)
        except GetTagsError:
            continue
        if metadata is not None:
            yield metadata


def write_pages(folder: Path) -> None:
    """Write what people read of a model that get-tags made: README.md, its model card, and report.html."""
    report, card = _pages(read_metadata(folder) or ModelMetadata(), folder.parent)
    write_text(folder / "report.html", report)
    write_text(folder / "README.md", card)


def _pages(metadata: ModelMetadata, models_dir: Path) -> tuple[str, str]:
    facts = metadata.model_dump()  # with defaults for what an earlier version did not write
    evaluation: dict[str, Any] = facts["evaluations"][-1] if facts["evaluations"] else {}
    here = Path(__file__)
    page = page_template(
        here.with_name("report.html.jinja"),
        number=number,
        display_name=display_name,
        interval_text=interval_text,
        documents=documents,
        tags_of=tags_of,
    )
    report = page.render(
        facts=facts,
        evaluation=evaluation,
        verdict=judge(with_judgements(evaluation, metadata.judgements)) if evaluation else None,
        judgements=list(reversed(metadata.judgements)),
        sets=list(_sets(evaluation)),
        single=[display_name(name) for name, scorecard in _named_sets(evaluation) if scorecard["examples"] == 1],
        settings=list(_settings(facts["settings"])),
        on_set={SAMPLES: _("On the test samples"), HELD_OUT: _("On the held-out documents")},
        documents_of={entry.tag: entry.documents for entry in metadata.tags},
        plots=_plots(facts),
        history=_history(facts),
        over_time=_over_time(metadata, models_dir),
    )
    return report, _card(facts, evaluation, here.with_name("model_card.md.jinja").read_text(encoding="utf-8"))


def _settings(used: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The training's settings with their values as people write them, and what each means where it still exists."""
    for key, value in used.items():
        if isinstance(value, bool):
            value = _("yes") if value else _("no")
        elif isinstance(value, float):
            value = number(value, "g")
        field = TrainingSettings.model_fields.get(key)
        yield key, str(value), _(field.description) if field and field.description else ""


def _sets(evaluation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each set of an evaluation, with its name and its plots; a single example says nothing."""
    for name, scorecard in _named_sets(evaluation):
        if scorecard["intervals"] and scorecard["examples"] > 1:
            yield {
                "name": name,
                "leads": name in (SAMPLES, HELD_OUT),
                "scorecard": scorecard,
                "curve": _curve(scorecard),
                "intervals": charts.whiskers(_metrics(scorecard), title=_("Metrics with 95% confidence intervals")),
                "bands": _band_plot(scorecard),
                "alone": _alone(scorecard),
                "linear": _linear(scorecard),
                "reliability": _reliability_plot(scorecard),
            }


def _named_sets(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    names = {"held_out": HELD_OUT, "newest": NEWEST, "rare": RARE, "judged": JUDGED}
    if evaluation:
        yield evaluation["set"], evaluation
        yield from ((names[key], evaluation[key]) for key in FURTHER_SETS if evaluation.get(key))


def _curve(scorecard: Mapping[str, Any]) -> Markup:
    def values(by_k: Mapping[str, Any]) -> list[Any]:
        return list(by_k.values())

    lines = [charts.Line(_("best possible"), "best", values(scorecard["best_possible_precision_at_k"]))]
    if always := scorecard["most_frequent_precision_at_k"]:
        lines.append(charts.Line(_("most frequent"), "always", values(always)))
    compared = [c for c in scorecard["comparisons"] if c["rival_precision_at_k"]]
    lines += [charts.Line(_reference_name(c), c["rival"], values(c["rival_precision_at_k"])) for c in compared]
    intervals = values(scorecard["intervals"]["precision_at_k"])
    lines.append(charts.Line(_("this model"), "model", values(scorecard["precision_at_k"]), intervals))
    return charts.curves(lines, title="precision@k", x_title="k", highest=1.0)


def _reference_name(comparison: Mapping[str, Any]) -> str:
    kind = comparison["rival"]
    return _(_REFERENCES[kind])


def _metrics(scorecard: Mapping[str, Any]) -> list[tuple[str, float, list[float]]]:
    k, intervals = str(scorecard["top_k"]), scorecard["intervals"]
    by_k = {"precision": "precision_at_k", "recall": "recall_at_k", "R-precision": "r_precision_at_k"}
    by_k["nDCG"] = "ndcg_at_k"
    places = dict.fromkeys(["1", k])
    rows = [
        (f"{name}@{j}", scorecard[key][j], intervals[key][j])
        for name, key in by_k.items()
        for j in (places if name == "precision" else [k])
    ]
    single = {
        _("mean average precision"): "mean_average_precision",
        _("micro F1"): "micro_f1",
        _("macro F1"): "macro_f1",
    }
    return rows + [(name, scorecard[key], intervals[key]) for name, key in single.items()]


def _linear(scorecard: Mapping[str, Any]) -> Mapping[str, Any]:
    """The comparison with the linear baseline; empty where there is none."""
    return next((entry for entry in scorecard["comparisons"] if entry["rival"] == "baseline"), {})


def _alone(scorecard: Mapping[str, Any]) -> list[tuple[str, float, float, float | None]]:
    """Name, and the metric of the model, of its BERT alone, and of the linear baseline where that is known."""
    alone, linear = scorecard["bert_alone"], _linear(scorecard)
    if not alone:
        return []
    own, of_alone = scorecard["precision_at_k"], alone["precision_at_k"]
    of_linear = linear.get("rival_precision_at_k", {})
    rows = [(f"precision@{k}", own[k], of_alone[k], of_linear.get(k)) for k in own]
    names = {_("micro F1"): "micro_f1", _("macro F1"): "macro_f1"}
    return rows + [(name, scorecard[key], alone[key], linear.get(f"rival_{key}")) for name, key in names.items()]


def _band_plot(scorecard: Mapping[str, Any]) -> Markup | None:
    rows = [
        (f"{display_name(band['band'])} ({tags_of(band['tags'])})", band["recall_at_k"], band["interval"])
        for band in scorecard["bands"] or []
        if band["interval"]
    ]
    return charts.whiskers(rows, title=_("Share of true tags found, by how frequent the tag is")) if rows else None


def _reliability_plot(scorecard: Mapping[str, Any]) -> Markup | None:
    points = [(one["mean_score"], one["share_true"], one["interval"]) for one in scorecard["reliability"]]
    titles = (_("Scores as probabilities"), _("mean score"), _("share of true tags"))
    return charts.reliability(points, titles=titles) if points else None


def _over_time(metadata: ModelMetadata, models_dir: Path) -> Markup | None:
    """precision@k of this model and the others beside it on its newest test set, oldest first."""
    newest = metadata.evaluation
    if newest is None or newest.samples_sha256 is None:
        return None
    k = str(newest.top_k)
    rows = []
    for model in sorted(_models(models_dir), key=lambda model: model.created):
        on_same = [each for each in model.evaluations if each.samples_sha256 == newest.samples_sha256]
        intervals = on_same[-1].intervals.get("precision_at_k") if on_same else None
        if isinstance(intervals, dict) and k in intervals:
            rows.append((model.name, on_same[-1].precision_at_k[k], intervals[k]))
    return charts.whiskers(rows[-_MODELS_SHOWN:], title=f"precision@{k}") if len(rows) > 1 else None


def _plots(facts: Mapping[str, Any]) -> dict[str, Markup]:
    """Plots of the training and the data, as far as the model's facts have them."""
    drawn = {}
    if epochs := facts.get("epochs"):
        lines = [charts.Line(_("loss"), "model", [epoch["loss"] for epoch in epochs])]
        drawn["training"] = charts.curves(lines, title=_("Mean loss of each epoch"), x_title=_("epoch"))
        if all(epoch["precision_at_k"] for epoch in epochs):
            last = len(epochs[0]["precision_at_k"])
            lines = [
                charts.Line(f"precision@{k}", style, [epoch["precision_at_k"][k - 1] for epoch in epochs])
                for k, style in dict.fromkeys([(1, "live"), (last, "model")])
            ]
            drawn["selection"] = charts.curves(
                lines, title=_("precision while training"), x_title=_("epoch"), highest=1.0
            )
    if cost := facts.get("cut_cost"):
        lines = [
            charts.Line(_("what the BERT reads"), "live", cost["read"]),
            charts.Line(_("whole texts"), "model", cost["whole"]),
        ]
        drawn["cut_cost"] = charts.curves(lines, title="precision@k", x_title="k", highest=1.0)
    if summary := facts["data"].get("summary"):
        figures = summary["figures"]
        drawn["lengths"] = charts.bars(figures["documents_by_tokens"], title=_("Documents by their tokens"))
        drawn["tags"] = charts.bars(figures["tags_by_documents"], title=_("Tags by their documents"))
    return drawn


def _history(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Evaluations, newest first, with whether they are on the newest one's test set."""
    evaluations = list(reversed(facts["evaluations"]))
    return [
        {**entry, "is_comparable": entry.get("samples_sha256") == evaluations[0].get("samples_sha256")}
        for entry in evaluations
    ]


def _card(facts: Mapping[str, Any], evaluation: Mapping[str, Any], template: str) -> str:
    """A Hugging Face model card with the newest evaluation."""
    base_model = facts["base_model"]
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Multi-label text classification",
            dataset_type=f"get-tags/{name.replace(' ', '-')}",
            dataset_name=f"{name} ({scorecard['examples']} examples)",
            metric_type=metric,
            metric_name=metric.replace("_at_", "@").replace("_", " "),
            metric_value=value,
        )
        for name, scorecard in _named_sets(evaluation)
        for metric, value in _card_metrics(scorecard)
    ]
    data = ModelCardData(
        model_name=facts["name"],
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["multi-label-classification", "get-tags-train"],
        # A folder's name means nothing to the hub, and its checker refuses it.
        base_model=base_model if _HUB_NAME.fullmatch(base_model) and not Path(base_model).is_dir() else None,
        metrics=sorted({result.metric_type for result in results}) or None,
        eval_results=results or None,
    )
    card = ModelCard.from_template(data, template_str=template, facts=facts, evaluation=evaluation)
    return re.sub(r"\n{3,}", "\n\n", str(card)).rstrip() + "\n"


def _card_metrics(scorecard: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for k, value in scorecard["precision_at_k"].items():
        yield f"precision_at_{k}", value
    if scorecard["micro_f1"] is not None:
        k = str(scorecard["top_k"])
        yield f"recall_at_{k}", scorecard["recall_at_k"][k]
        yield f"ndcg_at_{k}", scorecard["ndcg_at_k"][k]
        yield "mean_average_precision", scorecard["mean_average_precision"]
        yield "f1_micro", scorecard["micro_f1"]
        yield "f1_macro", scorecard["macro_f1"]
