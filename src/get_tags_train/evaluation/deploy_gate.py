"""What is asked before a model goes live: how it compares with the live one, and what speaks against it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _, _n
from get_tags_train.core.settings import Settings
from get_tags_train.data.input_files import read_tags_map
from get_tags_train.evaluation import evaluate
from get_tags_train.model.device import choose_device
from get_tags_train.model.metadata import read_metadata
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.test_samples import Samples

_LISTED = 10


def evaluate_against_live(settings: Settings, folder: Path, on_event: OnEvent) -> Mapping[str, Any] | None:
    """The newest stored evaluation against the live model, else a new one.

    None where nothing else is live, or where there are no test samples.
    """
    live = evaluate.find_live(folder, settings.live_dir)
    if live is None:
        return None
    metadata = read_metadata(folder)
    for kept in reversed(metadata.evaluations if metadata else []):
        if kept.compares_with(live.name):
            return kept.model_dump()
    try:
        samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
        test_set = EvalSet.of_samples(samples)
    except InputError as error:
        on_event(Notice(_("The model is not compared with the live one. {message}", message=error.message), "warning"))
        return None
    return evaluate.evaluate(
        folder,
        test_set,
        top_k=settings.evaluation.top_k,
        device=choose_device(settings.training.device),
        on_event=on_event,
        references=evaluate.References(live=live, read_by=settings.deploy.read_by),
    ).as_json()


def deploy_concerns(evaluation: Mapping[str, Any]) -> list[str]:
    """What speaks against deploying a model: it is worse than the live one, or it drops tags."""
    sets = [evaluation, *([evaluation["held_out"]] if evaluation.get("held_out") else [])]
    compared = [entry for each in sets for entry in each.get("comparisons", []) if entry["rival"] == "live"]
    found = [entry["sentence"] for entry in compared if entry["verdict"] == "worse"]
    changes = evaluation.get("tag_changes") or {"gone": []}
    if gone := changes["gone"]:
        named = ", ".join(gone[:_LISTED])
        if len(gone) > _LISTED:
            named = _("{named} and {count} more", named=named, count=len(gone) - _LISTED)
        found.append(
            _n(
                "The new model no longer predicts: {named}.",
                "The new model no longer predicts {count} tags: {named}.",
                len(gone),
                named=named,
            )
        )
    return found
