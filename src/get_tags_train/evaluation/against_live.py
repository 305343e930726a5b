"""The evaluation that is shown before a model goes live: the model beside the one that is live now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.data.input_files import read_tags_map
from get_tags_train.evaluation import evaluate
from get_tags_train.model.device import choose_device
from get_tags_train.model.metadata import read_metadata
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.test_samples import Samples


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
        references=evaluate.References(live=live),
    ).as_json()
