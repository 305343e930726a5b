"""Run estimate: how long a run takes, judged by earlier ones, and where its results will lie."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.home import data_dir, data_names, find_data, logs_dir, model_names, models_dir, next_data_name
from get_tags_train.core.settings import Settings, Source, TrainingSettings
from get_tags_train.data.extract import extraction_plan
from get_tags_train.data.input_files import read_ids
from get_tags_train.data.prepared import Manifest, PreparedData
from get_tags_train.data.reuse import has_versions, made_alike
from get_tags_train.model.device import choose_device
from get_tags_train.model.metadata import read_metadata
from get_tags_train.text.tokenizer import load_tokenizer

_DECIDES_SPEED = ("base_model", "context_length", "precision")


@dataclass(frozen=True)
class RunEstimate:
    """Seconds are estimates; None where no earlier run tells. `data_like` and `model_like` are the runs that told.

    changed_since: the prepared data from which unchanged documents are taken; '' where all are read.
    """

    documents: int | None
    data_seconds: float | None
    data_like: str
    changed_since: str
    training_seconds: float | None
    model_like: str
    data_path: Path
    models_path: Path
    logs_path: Path


def estimate_run(settings: Settings) -> RunEstimate:
    """Look ahead; reads manifests, the list of ids and the tokenizer, and asks no database."""
    home, source = settings.home, settings.source
    changed_since = "" if source.kind == "cached" else _changed_since(settings)
    count, data_seconds, data_like = _data(home, source, is_second=bool(changed_since))
    training_seconds, model_like = _training(home, settings.training, count)
    name = source.data_name or next(iter(data_names(home)), "")
    return RunEstimate(
        documents=count,
        data_seconds=data_seconds,
        data_like=data_like,
        changed_since=changed_since,
        training_seconds=training_seconds,
        model_like=model_like,
        data_path=data_dir(home) / (name if source.kind == "cached" else next_data_name(home)),
        models_path=models_dir(home),
        logs_path=logs_dir(home),
    )


def _changed_since(settings: Settings) -> str:
    """The prepared data from which an extraction would take unchanged documents; '' where it would read all."""
    if settings.source.reads_all or not any(map(has_versions, _earlier(settings.home))):
        return ""
    with suppress(GetTagsError):
        plan = extraction_plan(settings, load_tokenizer(settings.base_model))
        return next((data.name for data in made_alike(settings.home, plan, lambda event: None)), "")
    return ""


def _data(home: Path, source: Source, *, is_second: bool) -> tuple[int | None, float | None, str]:
    """How many documents there will be, the seconds to prepare them, and the earlier data that tell.

    is_second: whether unchanged documents are not read.
    """
    if source.kind == "cached":
        try:
            manifest = PreparedData(find_data(home, source.data_name)).manifest
        except GetTagsError:
            return None, None, ""
        return manifest.documents_kept, 0.0, ""
    earlier = _earlier(home)
    count = len(read_ids(source.ids_path)) if source.ids_path else None
    of_kind = [m for m in earlier if m.source.get("kind") == source.kind]
    if count is None and of_kind:
        count = of_kind[0].documents_read
    whole = [m for m in (of_kind if source.ids_path is None else earlier) if not m.resumed]
    alike = next((m for m in whole if (m.taken_from_earlier > m.documents_read / 2) == is_second), None)
    if alike is None or count is None:
        return count, None, ""
    # Reading and cleaning, tokenising and reusing, and writing run side by side; joining comes after.
    spent = defaultdict(float, alike.seconds)
    longest = max(spent["read"] + spent["clean"], spent["tokenise"] + spent["take"], spent["write"])
    seconds = longest * count / max(alike.documents_read, 1) + spent["join"]
    return count, seconds, alike.name


def _earlier(home: Path) -> list[Manifest]:
    """The manifests there are, newest first; damaged data tell nothing."""
    found = []
    for name in data_names(home):
        try:
            found.append(PreparedData(find_data(home, name)).manifest)
        except GetTagsError:
            continue
    return found


def _training(home: Path, training: TrainingSettings, count: int | None) -> tuple[float | None, str]:
    """Seconds of the training, and the earlier one of the same kind that tells."""
    if count is None:
        return None, ""
    device = choose_device(training.device)
    for name in model_names(home):
        with suppress(GetTagsError):
            earlier = read_metadata(models_dir(home) / name)
            if earlier is None:
                continue
            was = earlier.settings
            alike = all(getattr(was, key) == getattr(training, key) for key in _DECIDES_SPEED)
            work = earlier.examples * was.epochs
            if alike and earlier.device == device and not earlier.resumed and work:
                return earlier.seconds * count * training.epochs / work, name
    return None, ""
