"""Retention: prepared data and models that newer ones have replaced, and unfinished work; what is removed by itself."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.files import folder_bytes
from get_tags_train.core.home import (
    REMOVING,
    data_dir,
    data_names,
    live_model,
    live_name,
    model_names,
    models_dir,
    unfinished,
)
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.settings import KeepSettings
from get_tags_train.maintenance.inventory import clear_removed, is_running, refuse_live, refuse_needed, remove
from get_tags_train.model.metadata import read_metadata

Group = Literal["data", "models"]


class Unneeded(NamedTuple):
    """Something that nobody needs: of which group, its folder, its bytes, and whether it was never finished."""

    group: Group
    folder: Path
    bytes: int
    is_unfinished: bool

    @property
    def command(self) -> Command:
        """What removes it."""
        return Command(self.group, "remove", self.folder.name)


def find_unneeded(home: Path, live_dir: Path) -> list[Unneeded]:
    """All but the newest data and model, the live model and what a run needs; the largest first.

    Models only where one is live: until then, nobody has said which is the one to keep.
    """
    old_models = _old_models(home, live_dir, keep=1) if live_name(live_dir) else ()
    found = [
        *(Unneeded("data", folder, folder_bytes(folder), False) for folder in _old_data(home, live_dir, keep=1)),
        *(Unneeded("models", folder, folder_bytes(folder), False) for folder in old_models),
    ]
    parents: dict[Group, Path] = {"data": data_dir(home), "models": models_dir(home)}
    for group, parent in parents.items():
        left = [*unfinished(parent), *parent.glob(f"tags_v*{REMOVING}")]
        found += [Unneeded(group, path, folder_bytes(path), True) for path in left if not is_running(home, path)]
    return sorted(found, key=lambda one: one.bytes, reverse=True)


def keep_newest(home: Path, live_dir: Path, keep: KeepSettings, on_event: OnEvent) -> None:
    """Remove the prepared data and models beyond the newest that are to be kept; 0 keeps them all.

    What cannot be removed now stays, with a notice.
    """
    old_data = list(_old_data(home, live_dir, keep=keep.data)) if keep.data else []
    old_models = list(_old_models(home, live_dir, keep=keep.models)) if keep.models else []
    for folder in [*old_models, *old_data]:
        try:
            clear_removed(folder.parent)
            remove(home, folder)
        except (GetTagsError, OSError) as error:
            said = _("{folder} could not be removed: {reason}", folder=folder, reason=error)
            on_event(Notice(said, "warning"))
        else:
            on_event(Notice(_("{folder} was removed: [keep] says how many stay.", folder=folder)))


def _old_data(home: Path, live_dir: Path, *, keep: int) -> Iterator[Path]:
    """Complete prepared data beyond the newest, but for the live model's, and what an unfinished training needs."""
    of_live = _data_of_live(live_dir)
    for name in data_names(home)[keep:]:
        folder = data_dir(home) / name
        if name == of_live:  # newer documents are known by them
            continue
        try:
            refuse_needed(home, folder)
        except GetTagsError:
            continue
        yield folder


def _data_of_live(live_dir: Path) -> str:
    """The name of the data that the live model was trained on; '' where nothing says it."""
    with suppress(GetTagsError):
        metadata = read_metadata(live_model(live_dir))
        return metadata.data.name if metadata else ""
    return ""


def _old_models(home: Path, live_dir: Path, *, keep: int) -> Iterator[Path]:
    """Models beyond the newest, of those that get-tags named, but for the live one."""
    for name in model_names(home)[keep:]:
        folder = models_dir(home) / name
        try:
            refuse_live(folder, live_dir)
        except GetTagsError:
            continue
        if name.startswith("tags_v"):
            yield folder
