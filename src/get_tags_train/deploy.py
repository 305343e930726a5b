"""Make a model live, and go back to the one before."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from time import perf_counter

from get_tags_train.dataset import file_sha256
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.events import Notice, OnEvent, StageFinished, StageStarted
from get_tags_train.folders import copy_folder, locked, remove_folder, rename, write_text
from get_tags_train.home import live_model
from get_tags_train.model import TagModel
from get_tags_train.modelfacts import read_facts

HISTORY = "history.jsonl"
PLAIN = "get_tags"
_PROBE = "Contractul se încheie între părți în conformitate cu legea."


def deploy(model_folder: Path, live_dir: Path, *, keep_versions: int, on_event: OnEvent) -> Path:
    """Copy a model under versions, check it there, and make it live; returns the live folder.

    Raises GetTagsError where the model does not work; the one that is live stays live.
    """
    started = perf_counter()
    on_event(StageStarted("deploy"))
    with _exclusive(live_dir):
        version = _version_for(model_folder, live_dir)
        if not version.exists():
            copy_folder(model_folder, version)
        try:
            TagModel(version).predict([_PROBE], top_n=1)
        except GetTagsError:
            if version.name not in _deployed(live_dir):
                remove_folder(version)
            raise
        _keep_foreign(live_dir, on_event)
        _make_live(live_dir, version.name, action="deploy")
        _remove_old(live_dir, keep_versions)
    on_event(StageFinished("deploy", perf_counter() - started))
    return version


def rollback(live_dir: Path) -> Path:
    """Make the version before the live one live again. Raises InputError where there is none."""
    with _exclusive(live_dir):
        before = [name for name in _deployed(live_dir)[:-1] if (live_dir / "versions" / name).is_dir()]
        if not before:
            raise InputError(f"There is no version before the live one in {live_dir}.", "Deploy one: get-tags deploy.")
        version = live_dir / "versions" / before[-1]
        if read_facts(version):  # what was live before get-tags came need not load here
            TagModel(version)
        _make_live(live_dir, version.name, action="rollback")
    return version


def _version_for(model_folder: Path, live_dir: Path) -> Path:
    """Where this model goes: a name of its own, also where another model of the same name was deployed."""
    version = live_dir / "versions" / model_folder.name
    if version.exists() and not _equal_weights(model_folder, version):
        return version.with_name(f"{version.name}-{datetime.now():%Y%m%d-%H%M%S}")
    return version


def _equal_weights(one: Path, other: Path) -> bool:
    files = [(folder / "model.safetensors", folder / "config.json") for folder in (one, other)]
    return all(path.is_file() for pair in files for path in pair) and all(
        file_sha256(mine) == file_sha256(theirs) for mine, theirs in zip(*files, strict=True)
    )


def _make_live(live_dir: Path, name: str, *, action: str) -> None:
    """One atomic replacement of `current`; the plain folder for readers of a fixed place follows it."""
    _note(live_dir, action, name)  # first: a line too many is seen through, a live model without one is not
    write_text(live_dir / "current", name + "\n")
    plain, previous, following = (live_dir / n for n in (PLAIN, f"{PLAIN}.previous", f"{PLAIN}.next"))
    remove_folder(following)
    copy_folder(live_dir / "versions" / name, following)
    remove_folder(previous)
    if plain.exists():
        rename(plain, previous)
    rename(following, plain)
    remove_folder(previous)


def _note(live_dir: Path, action: str, name: str) -> None:
    line = {"time": datetime.now().astimezone().isoformat(timespec="seconds"), "action": action, "name": name}
    with (live_dir / HISTORY).open("ab+") as history:
        if history.tell():
            history.seek(-1, os.SEEK_END)
            if history.read() != b"\n":
                history.write(b"\n")  # what a kill cut short must not swallow this line too
        history.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def _deployed(live_dir: Path) -> list[str]:
    """Versions as they were deployed, the live one last; a rollback takes the last one off."""
    names: list[str] = []
    try:
        lines = (live_dir / HISTORY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return names
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # a line that a kill cut short
        if entry["action"] == "rollback":
            while names and names[-1] != entry["name"]:
                names.pop()
        else:
            names = [name for name in names if name != entry["name"]] + [entry["name"]]
    with suppress(InputError, ValueError):  # beyond the live one stands only what an interrupted deploy noted
        names = names[: names.index(live_model(live_dir).name) + 1]
    return names


def _keep_foreign(live_dir: Path, on_event: OnEvent) -> None:
    """A folder of somebody else where the live model goes becomes the version before ours."""
    plain = live_dir / PLAIN
    if not plain.exists() or (live_dir / "current").exists():
        return
    name = f"before-{datetime.now():%Y%m%d-%H%M%S-%f}"
    copy_folder(plain, live_dir / "versions" / name)  # a copy: it stays in use until ours takes its place
    _note(live_dir, "deploy", name)
    on_event(Notice(f"{plain} was there before get-tags: kept as the version {name}; get-tags rollback returns to it."))


def _remove_old(live_dir: Path, keep_versions: int) -> None:
    kept = set(_deployed(live_dir)[-keep_versions:])
    for version in (live_dir / "versions").iterdir():
        if version.name not in kept:
            remove_folder(version)


@contextmanager
def _exclusive(live_dir: Path) -> Iterator[None]:
    busy = GetTagsError(f"Another deploy or rollback is at work in {live_dir}.", "Wait for it and try again.")
    with locked(live_dir / "deploy.lock", lambda: busy):
        yield
