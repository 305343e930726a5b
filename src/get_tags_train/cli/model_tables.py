"""`get-tags models show` and `models compare`: how models were made and how they scored, as people read it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from get_tags_train.cli.results import evaluation_lines
from get_tags_train.cli.tables import Line, Listing, facts
from get_tags_train.core.i18n import (
    Command,
    _,
    _n,
    display_name,
    documents,
    first_of,
    format_duration,
    interval_text,
    number,
    tags_of,
)
from get_tags_train.evaluation.tag_changes import tag_changes
from get_tags_train.model.evaluation_record import EvaluationRecord, SetRecord
from get_tags_train.model.metadata import ModelMetadata

# Settings that have a row of their own.
_SHOWN = ("base_model", "epochs", "batch_size", "context_length", "precision", "device")


def model_lines(folder: Path, model: ModelMetadata) -> list[Line]:
    """`get-tags models show`."""
    lines: list[Line] = [facts(str(folder), _model_facts(model))]
    if any(epoch.precision_at_k for epoch in model.epochs):
        lines.append(_epochs(model))
    if model.evaluation is not None:
        lines += evaluation_lines(model.evaluation.model_dump())
    lines += [one.sentence for one in reversed(model.judgements)]
    if earlier := model.evaluations[:-1]:
        rows = [[_time(one.date), _test_set(one), _precision(one)] for one in reversed(earlier)]
        lines.append(Listing([_("When"), _("Test set"), "precision@k"], rows, _("Earlier evaluations")))
    return lines


def _model_facts(model: ModelMetadata) -> dict[str, object]:
    made = (
        _("{made}, continued after an interruption", made=_time(model.created))
        if model.resumed
        else _time(model.created)
    )
    settings = model.settings.model_dump()
    other = [f"{key} {_plain(value)}" for key, value in settings.items() if key not in _SHOWN]
    trained = _(
        "{documents}, {epochs}, {device}, {precision}",
        documents=documents(model.examples),
        epochs=_n("{count} epoch", "{count} epochs", len(model.epochs)),
        device=model.device,
        precision=model.precision,
    )
    entries: dict[str, object] = {
        _("Made"): made,
        _("Version"): model.version,
        _("Data"): _data(model),
        _("Base model"): model.base_model,
        _("Trained on"): trained,
        _("Left out"): documents(model.left_out) if model.left_out else "",
        _("Batch size"): model.settings.batch_size,
        _("Context length"): model.settings.context_length,
        _("Best epoch"): model.best_epoch or "",
        _("Other settings"): "; ".join(other),
        _("Tags"): tags_of(len(model.tags)),
        _("Speed"): _("{speed} tokens a second", speed=number(model.tokens_per_second, ",.0f"))
        if model.tokens_per_second
        else "",
        _("Training took"): format_duration(model.seconds),
    }
    return {name: value for name, value in entries.items() if value != ""}


def _epochs(model: ModelMetadata) -> Listing:
    """A row for each epoch: its loss, and precision@k on the validation documents."""
    most = max(len(epoch.precision_at_k or []) for epoch in model.epochs)
    rows = []
    for place, epoch in enumerate(model.epochs, start=1):
        scores = [number(value, ".3f") for value in epoch.precision_at_k or []]
        rows.append([place, number(epoch.loss, ".4f"), *(scores or [""] * most)])
    columns = [_("Epoch"), _("Loss"), *(f"P@{k}" for k in range(1, most + 1))]
    return Listing(columns, rows, _("Epochs, on the validation documents"))


def comparison(first: ModelMetadata, second: ModelMetadata) -> dict[str, Any]:
    """Two models side by side, as `--json` prints it: what differs, their figures, and tags that come and go."""
    changes = tag_changes(*([tag.model_dump() for tag in model.tags] for model in (first, second)))
    ours, theirs = (model.settings.model_dump() for model in (first, second))
    differing = {key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)}
    return {
        "models": [_summary(model) for model in (first, second)],
        "settings": {key: [ours.get(key), theirs.get(key)] for key in sorted(differing)},
        "same_data": first.data.checksum == second.data.checksum,
        "same_test_set": _same_test_set(first.evaluation, second.evaluation),
        "tag_changes": {"came": changes.came, "gone": changes.gone, "renamed": changes.renamed},
    }


def _summary(model: ModelMetadata) -> dict[str, Any]:
    sets = {"test samples": model.evaluation, "held-out documents": model.evaluation and model.evaluation.held_out}
    return {
        "name": model.name,
        "created": model.created,
        "data": model.data.name,
        "base_model": model.base_model,
        "examples": model.examples,
        "tags": len(model.tags),
        "seconds": model.seconds,
        "precision_at_k": {name: one.precision_at_k for name, one in sets.items() if one},
        "intervals": {name: one.intervals.get("precision_at_k", {}) for name, one in sets.items() if one},
        "comparisons": [one.sentence for one in model.evaluation.comparisons] if model.evaluation else [],
    }


def comparison_lines(compared: Mapping[str, Any]) -> list[Line]:
    """`get-tags models compare`."""
    models = compared["models"]
    rows = [
        [_("Made"), *(_time(model["created"]) for model in models)],
        [_("Data"), *(model["data"] for model in models)],
        [_("Trained on"), *(documents(model["examples"]) for model in models)],
        [_("Tags"), *(number(model["tags"]) for model in models)],
        [_("Training took"), *(format_duration(model["seconds"]) for model in models)],
        *([key, *map(_plain, values)] for key, values in compared["settings"].items()),
        *_figure_rows(models),
    ]
    lines: list[Line] = [Listing(["", *(model["name"] for model in models)], rows)]
    if not compared["same_test_set"]:
        lines.append(
            _(
                "They were not scored on the same test samples, so these figures do not compare. To score them again:\n"
                "{first}\n{second}",
                first=Command("evaluate", models[0]["name"]),
                second=Command("evaluate", models[1]["name"]),
            )
        )
    changes = compared["tag_changes"]
    listed = {
        _("Only the second predicts:"): changes["came"],
        _("Only the first predicts:"): changes["gone"],
        _("Renamed:"): [f"{was} → {now}" for was, now in changes["renamed"]],
    }
    return lines + [f"{what} {first_of(tags)}" for what, tags in listed.items() if tags]


def _figure_rows(models: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """precision@1 and @k of each set that any of them was scored on."""
    rows = []
    for name in ("test samples", "held-out documents"):
        figures = [model["precision_at_k"].get(name, {}) for model in models]
        shown = sorted({k for one in figures for k in one}, key=int)
        for k in dict.fromkeys([*shown[:1], *shown[-1:]]):
            cells = [_figure(model, name, k) for model in models]
            rows.append([f"precision@{k}, {display_name(name)}", *cells])
    return rows


def _figure(model: Mapping[str, Any], name: str, k: str) -> str:
    value = model["precision_at_k"].get(name, {}).get(k)
    if value is None:
        return "–"
    ends = model["intervals"].get(name, {}).get(k)
    return number(value, ".3f") + (f" ({interval_text(*ends)})" if ends else "")


def _same_test_set(first: EvaluationRecord | None, second: EvaluationRecord | None) -> bool:
    return bool(first and second and first.samples_sha256 and first.samples_sha256 == second.samples_sha256)


def _data(model: ModelMetadata) -> str:
    summary = model.data.summary
    return ", ".join(
        [model.data.name, *([documents(summary.documents_kept), tags_of(summary.tags)] if summary else [])]
    )


def _test_set(one: EvaluationRecord) -> str:
    return _n("{count} example", "{count} examples", one.examples)


def _precision(one: SetRecord) -> str:
    return " ".join(f"@{k} {number(value, '.3f')}" for k, value in one.precision_at_k.items())


def _time(iso: str) -> str:
    return iso[:16].replace("T", " ")


def _plain(value: Any) -> str:
    """A setting's value without Python's marks."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "–" if value is None else str(value)
