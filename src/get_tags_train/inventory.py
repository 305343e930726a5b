"""What prepared data and models there are, as plain entries, and their removal."""

from pathlib import Path
from typing import Any

from get_tags_train.dataset import PreparedData
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.folders import folder_bytes, locked, remove_folder
from get_tags_train.home import data_dir, data_names, live_model, locks_dir, model_names, models_dir, unfinished
from get_tags_train.modelfacts import read_facts


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


def find_removable(parent: Path, name: str) -> Path:
    """The folder `name` of prepared data or models, finished or not. Raises InputError where there is none."""
    folder = parent / name
    if folder.parent != parent or not (folder.is_dir() and name.startswith("tags_v")):
        raise InputError(f"There is no {name} in {parent}.", "See the list: get-tags data, get-tags models.")
    return folder


def remove(home: Path, folder: Path) -> None:
    """Remove it for good, unless a run is at work in it."""
    busy = GetTagsError(f"A run is at work in {folder}.", "Wait for it, or stop it with Ctrl-C.")
    with locked(locks_dir(home) / f"{folder.name}.lock", lambda: busy):
        remove_folder(folder)


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
        facts = read_facts(folder)
        evaluation = facts["evaluations"][-1] if facts["evaluations"] else {}
        return {
            **entry,
            "created": facts["created"],
            "data": facts["data"]["name"],
            "precision_at_k": evaluation.get("precision_at_k", {}),
            "examples": evaluation.get("examples"),
        }
    except (GetTagsError, KeyError, TypeError) as error:
        return {**entry, "damaged": f"get_tags.json cannot be read ({type(error).__name__})"}
