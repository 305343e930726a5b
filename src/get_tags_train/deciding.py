"""Whether a model goes live: what people are shown before, and when they are asked twice."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from get_tags_train import evaluate, wizard
from get_tags_train.compare import concerns
from get_tags_train.csvfiles import read_tags_map
from get_tags_train.device import choose_device
from get_tags_train.errors import InputError
from get_tags_train.events import Notice, OnEvent
from get_tags_train.examples import ExampleSet
from get_tags_train.modelfacts import reading
from get_tags_train.samples import Samples
from get_tags_train.settings import Settings
from get_tags_train.words import N_, _

_HELD_BACK = N_("It is not made live. To do it all the same: get-tags deploy {name} --yes")


def agreed(evaluation: Mapping[str, Any], name: str, *, ask: bool, say: Callable[[str], None]) -> bool:
    """True where nothing speaks against making the model live, or somebody was asked again and wants it."""
    reasons = concerns(evaluation)
    if not reasons:
        return True
    for reason in reasons:
        say(reason)
    if ask and wizard.confirm_despite(name):
        return True
    say(_(_HELD_BACK, name=name))
    return False


def against_live(settings: Settings, folder: Path, on_event: OnEvent) -> Mapping[str, Any] | None:
    """The model's evaluation beside the one that is live now: the one that was kept, else a new one.

    None where nothing else is live, or where there are no test samples.
    """
    live = evaluate.find_live(folder, settings.live_dir)
    if live is None:
        return None
    with reading(folder) as facts:
        for kept in reversed(facts.get("evaluations", [])):
            rivals = [entry["rival_name"] for entry in kept.get("comparisons", []) if entry["rival"] == "live"]
            if live.name in rivals:
                found: Mapping[str, Any] = kept
                return found
    try:
        samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
        test_set = ExampleSet.of_samples(samples)
    except InputError as error:
        on_event(Notice(_("The model is not compared with the live one. {message}", message=error.message), "warning"))
        return None
    return evaluate.evaluate(
        folder,
        test_set,
        top_k=settings.evaluation.top_k,
        device=choose_device(settings.training.device),
        on_event=on_event,
        rivals=evaluate.Rivals(live=live),
    ).as_json()
