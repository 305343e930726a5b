"""What is looked at before a model goes live by hand: its evaluation beside the live one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.data.input_files import read_tags_map
from get_tags_train.evaluation import evaluate
from get_tags_train.evaluation.verdict import as_of_today, with_judgements
from get_tags_train.model.device import choose_device
from get_tags_train.model.metadata import read_metadata
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.test_samples import Samples


def evaluation_to_judge(settings: Settings, folder: Path, on_event: OnEvent) -> Mapping[str, Any] | None:
    """The newest stored evaluation against what is live now, else a new one; None where there is nothing to go by.

    Where nothing else is live, the newest stored one is enough.
    """
    references = evaluate.References.of(settings, folder)
    metadata = read_metadata(folder)
    stored = list(reversed(metadata.evaluations)) if metadata else []
    judgements = metadata.judgements if metadata else []
    for kept in stored:
        if references.live is None or kept.compares_with(references.live.name):
            least = {"min_precision_at_k": references.min_precision_at_k}
            return as_of_today(kept.model_dump(), folder.name, references.live_name, judgements) | least
    if references.live is None:
        return None
    try:
        samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
        test_set = EvalSet.of_samples(samples)
    except InputError as error:
        on_event(Notice(_("The model is not compared with the live one. {message}", message=error.message), "warning"))
        return None
    evaluation = evaluate.evaluate(
        folder,
        test_set,
        top_k=settings.evaluation.top_k,
        device=choose_device(settings.training.device),
        on_event=on_event,
        references=references,
    )
    return with_judgements(evaluation.as_json(), judgements)
