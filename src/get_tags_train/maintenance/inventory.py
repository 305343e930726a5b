"""What prepared data and models there are, finished or not, as plain entries; their check and removal."""

import gc
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import folder_bytes, locked, remove_folder, rename, try_lock
from get_tags_train.core.home import (
    PARTIAL,
    REMOVING,
    data_dir,
    data_names,
    live_model,
    locks_dir,
    model_names,
    models_dir,
    unfinished,
)
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.workspace import PLAN, read_plan
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.shards import read_ids, shard_metadata, shard_paths
from get_tags_train.model.evaluation_record import EvaluationRecord
from get_tags_train.model.metadata import ModelMetadata, read_metadata

_HASH_LETTERS = 7  # of a test set's hash: enough to tell one from another


class Unfinished(NamedTuple):
    """An extraction or a training that has not finished: what it is about, since when, and whether a run is at it."""

    folder: Path
    plan: dict[str, Any]
    begun: datetime
    is_running: bool

    @property
    def name(self) -> str:
        """The name that the finished folder will have."""
        return self.folder.name.removesuffix(PARTIAL)

    def read_so_far(self) -> tuple[int, int]:
        """(ids worked through, ids listed) of an extraction; (0, 0) where none are listed, at its very beginning."""
        try:
            listed = len(read_ids(self.folder)[0].ids)
            pieces = shard_paths(self.folder)
            return (shard_metadata(pieces[-1])["stop"] if pieces else 0), listed
        except (FileNotFoundError, GetTagsError):
            return 0, 0


def list_data(home: Path) -> dict[str, Any]:
    """{"data": an entry for each tags_vX, newest first, "unfinished": names}."""
    return {
        "data": [_data_entry(data_dir(home) / name) for name in data_names(home)],
        "unfinished": [path.name for path in unfinished(data_dir(home))],
    }


def list_models(home: Path, live_dir: Path) -> dict[str, Any]:
    """{"models": an entry for each model, newest first, "unfinished": names}."""
    try:
        live = live_model(live_dir).name
    except InputError:
        live = None
    return {
        "models": [_model_entry(models_dir(home) / name, live) for name in model_names(home)],
        "unfinished": [path.name for path in unfinished(models_dir(home))],
    }


def unfinished_work(home: Path, parent: Path) -> list[Unfinished]:
    """The extractions or trainings in `parent` that have not finished and say what they are about, newest first."""
    return [
        Unfinished(folder, plan, datetime.fromtimestamp((folder / PLAN).stat().st_mtime), is_running(home, folder))
        for folder in unfinished(parent)
        if (plan := read_plan(folder))
    ]


def trainings_of(home: Path, data: PreparedData) -> list[Unfinished]:
    """The unfinished trainings of these data, newest first."""
    return [work for work in unfinished_work(home, models_dir(home)) if work.plan.get("data") == data.manifest.checksum]


def verify_data(home: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Read each of these tags_vX whole: {"name", "checksum"}, or {"name", "damaged", "hint"}."""
    entries: list[dict[str, Any]] = []
    for name in names:
        try:
            data = PreparedData(data_dir(home) / name)
            data.verify()
        except GetTagsError as error:
            entries.append({"name": name, "damaged": error.message, "hint": error.hint})
        else:
            entries.append({"name": name, "checksum": data.manifest.checksum})
    return entries


def find_removable(parent: Path, name: str) -> Path:
    """The folder `name` of prepared data or models, finished or not. Raises InputError where there is none."""
    folder = parent / name
    if folder.parent != parent or not (folder.is_dir() and name.startswith("tags_v")):
        raise InputError(
            _("There is no {name} in {parent}.", name=name, parent=parent),
            _("To list what there is: {data}, {models}", data=Command("data"), models=Command("models")),
        )
    return folder


def refuse_live(folder: Path, live_dir: Path) -> None:
    """Raise GetTagsError where this model is live, or what is live is read from its folder."""
    try:
        live = live_model(live_dir)
    except InputError:
        return
    read = (live, live_dir / "get_tags")
    if live.name == folder.name or any(path.resolve().is_relative_to(folder.resolve()) for path in read):
        raise GetTagsError(
            _("{name} is the live model.", name=folder.name),
            _("Deploy another one first: {deploy}", deploy=Command("deploy", "NAME")),
        )


def refuse_needed(home: Path, folder: Path) -> None:
    """Raise GetTagsError where an unfinished training needs these prepared data."""
    try:
        data = PreparedData(folder)
    except GetTagsError:
        return  # nobody can train on them
    for training in trainings_of(home, data):
        if training.is_running:
            raise GetTagsError(
                _("{name} is being trained on {data}.", name=training.folder.name, data=folder.name),
                _("Wait for it, or stop it."),
            )
        raise GetTagsError(
            _(
                "The unfinished training {name} needs {data} to be continued.",
                name=training.folder.name,
                data=folder.name,
            ),
            _(
                "Finish it: {train}\nOr remove it first: {remove}",
                train=Command("train", "--data", folder.name),
                remove=Command("models", "remove", training.folder.name),
            ),
        )


def remove(home: Path, folder: Path) -> None:
    """Remove it for good, unless a run is at work in it: all of it, or nothing where a program holds a file of it."""
    busy = GetTagsError(_("A run is at work in {folder}.", folder=folder), _("Wait for it, or stop it with Ctrl-C."))
    with locked(locks_dir(home) / f"{folder.name}.lock", lambda: busy):
        going = folder.with_name(folder.name + REMOVING)
        remove_folder(going)
        gc.collect()  # Windows keeps what this process has mapped into memory, until nobody holds it any more
        rename(folder, going)  # so that a removal that is cut off leaves nothing that looks whole
        remove_folder(going)


def clear_removed(parent: Path) -> None:
    """Finish the removals in `parent` that were cut off."""
    for going in parent.glob(f"tags_v*{REMOVING}"):
        remove_folder(going)


def is_running(home: Path, folder: Path) -> bool:
    """Whether a run is at work in a folder."""
    lock = try_lock(locks_dir(home) / f"{folder.name}.lock")
    if lock is not None:
        lock.release()
    return lock is None


def _data_entry(folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": folder.name, "bytes": folder_bytes(folder)}
    try:
        manifest = PreparedData(folder).manifest
    except GetTagsError as error:
        return {**entry, "damaged": error.message}
    return {
        **entry,
        "created": manifest.created,
        "source": manifest.source.get("kind"),
        "documents": manifest.documents_kept,
        "tags": manifest.tags,
    }


def _model_entry(folder: Path, live: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": folder.name, "bytes": folder_bytes(folder), "live": folder.name == live}
    try:
        metadata = read_metadata(folder) or ModelMetadata()
    except GetTagsError as error:
        return {**entry, "damaged": error.message}
    evaluation = metadata.evaluation or EvaluationRecord()
    return {
        **entry,
        "created": metadata.created,
        "data": metadata.data.name,
        "precision_at_k": evaluation.precision_at_k,
        "intervals": evaluation.intervals.get("precision_at_k", {}),
        "examples": evaluation.examples if metadata.evaluation else None,
        "test_set": (evaluation.samples_sha256 or "")[:_HASH_LETTERS] or None,
    }
