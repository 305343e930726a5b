"""Make a model live, and go back to the one before.

Every change is four steps, each whole or not at all: a line in the history, a copy of the version beside the plain
folder, `current`, and the swap of the plain folder. A kill between any two leaves what was live live, or the new one:

- before `current`: the line ends in a version that `current` does not name, so _stack passes over it.
- before the swap: the copy waits, and the last line ends in what `current` names; the next deploy or rollback swaps.

Everything that takes space on the disk is written before `current`, so a full disk changes nothing that is live.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from get_tags_train.dataset import file_sha256
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.events import Notice, OnEvent, StageFinished, StageStarted
from get_tags_train.folders import copy_folder, locked, remove_folder, rename, write_text
from get_tags_train.home import PARTIAL
from get_tags_train.model import TagModel
from get_tags_train.modelfacts import FACTS, read_facts, verify

HISTORY = "history.jsonl"
CURRENT = "current"
PLAIN = "get_tags"
_PROBE = "Contractul se încheie între părți în conformitate cu legea."


def deploy(model_folder: Path, live_dir: Path, *, keep_versions: int, on_event: OnEvent) -> Path:
    """Copy a model under versions, check it there, and make it live; returns the live folder.

    Raises GetTagsError where the model does not work; the one that is live stays live.
    """
    started = perf_counter()
    on_event(StageStarted("deploy"))
    with _exclusive(live_dir):
        _finish_interrupted(live_dir)
        version = _checked_copy(model_folder, live_dir)
        before = [name for name in _stack(live_dir) if name != version.name]
        before += _keep_foreign(live_dir, on_event)
        _make_live(live_dir, [*before, version.name][-keep_versions:], action="deploy")
        _remove_old(live_dir, on_event)
    on_event(StageFinished("deploy", perf_counter() - started))
    return version


def rollback(live_dir: Path, on_event: OnEvent = lambda _: None) -> Path:
    """Make the version before the live one live again. Raises InputError where there is none."""
    with _exclusive(live_dir):
        _finish_interrupted(live_dir)
        before = [name for name in _stack(live_dir)[:-1] if (live_dir / "versions" / name).is_dir()]
        if not before:
            raise InputError(f"There is no version before the live one in {live_dir}.", "Deploy one: get-tags deploy.")
        version = live_dir / "versions" / before.pop()
        if read_facts(version):  # what was live before get-tags came need not load here
            TagModel(version)
        _make_live(live_dir, [*before, *_keep_foreign(live_dir, on_event), version.name], action="rollback")
    return version


def _checked_copy(model_folder: Path, live_dir: Path) -> Path:
    """The version of this model, copied unless it is there already, and seen to work."""
    if not (model_folder / "config.json").is_file() or not any(model_folder.glob("*.safetensors")):
        what = "a config.json and weights (*.safetensors)"
        raise InputError(f"{model_folder} is no model folder: it needs {what}.", "Name a model: get-tags models.")
    if read_facts(model_folder):
        verify(model_folder)
    version = live_dir / "versions" / model_folder.name
    if version.exists() and not _same_model(model_folder, version):  # another model of this name
        version = version.with_name(f"{version.name}-{_now()}")
    is_new = not version.exists()
    if is_new:
        _note(live_dir, action="copy", name=version.name)  # first, so that what a kill leaves is known to be ours
        copy_folder(model_folder, version)
    try:
        TagModel(version).predict([_PROBE], top_n=1)
    except GetTagsError:
        if is_new:
            with suppress(OSError):  # the model's error matters more; _remove_old tries again
                remove_folder(version)
        raise
    return version


def _same_model(one: Path, other: Path) -> bool:
    return _checksums(one) == _checksums(other)


def _checksums(folder: Path) -> dict[str, str]:
    """Of the files that make a model, whoever made it; a Thumbs.db or a report beside them changes nothing."""
    suffixes = {".safetensors", ".bin", ".json", ".txt"}
    files = [path for path in folder.glob("*") if path.suffix in suffixes and path.name != FACTS and path.is_file()]
    return {path.name: file_sha256(path) for path in files}


def _keep_foreign(live_dir: Path, on_event: OnEvent) -> list[str]:
    """What somebody else put where the live model goes, as a version to stand before ours; usually nothing.

    A copy: the folder stays in use until ours takes its place. A kill before that leaves it there, to be kept anew.
    """
    plain, live = live_dir / PLAIN, _current(live_dir)
    if not plain.is_dir() or not any(plain.iterdir()) or (live and _same_model(plain, live_dir / "versions" / live)):
        return []
    name = f"before-{_now()}"
    _note(live_dir, action="keep", name=name)
    copy_folder(plain, live_dir / "versions" / name)
    on_event(Notice(f"{plain} was not put there by get-tags: kept as {name}; get-tags rollback returns to it."))
    return [name]


def _make_live(live_dir: Path, versions: list[str], *, action: str) -> None:
    """Make the last of these versions live; the others are what a rollback goes back to."""
    name = versions[-1]
    _note(live_dir, action=action, name=name, versions=versions)
    copy_folder(live_dir / "versions" / name, live_dir / f"{PLAIN}.next")
    write_text(live_dir / CURRENT, name + "\n")
    _swap_plain(live_dir)


def _swap_plain(live_dir: Path) -> None:
    """Put the waiting copy in place of the plain folder. Raises GetTagsError where a program holds that one."""
    plain, previous, following = (live_dir / name for name in (PLAIN, f"{PLAIN}.previous", f"{PLAIN}.next"))
    try:
        remove_folder(previous)
        if plain.exists():
            rename(plain, previous)
        try:
            rename(following, plain)
        except OSError:
            if previous.exists():
                rename(previous, plain)
            raise
    except OSError as error:
        held = isinstance(error, PermissionError)  # so Windows says it of a folder whose files are open
        raise GetTagsError(
            f"{_current(live_dir)} is live for readers of {live_dir / CURRENT}, but the plain folder {plain} "
            + ("is held by a program." if held else f"could not be replaced: {error}."),
            # not "rollback again", which would go one further back, nor "deploy", which takes the newest model
            "Stop the API and run get-tags deploy again: get-tags deploy live.",
        ) from error
    with suppress(OSError):  # in nobody's way; the next swap removes it
        remove_folder(previous)


def _finish_interrupted(live_dir: Path) -> None:
    """Swap where an earlier run was stopped after `current`; remove what one stopped before it left."""
    for torn in live_dir.glob(f"{CURRENT}.*.tmp"):
        torn.unlink()
    following, stacks = live_dir / f"{PLAIN}.next", _stacks(live_dir)
    if not following.exists():
        return
    if stacks and stacks[-1][-1] == _current(live_dir):  # the copy was made after the last line, so it is of its model
        _swap_plain(live_dir)
    else:
        remove_folder(following)


def _current(live_dir: Path) -> str:
    """What `current` names, whether it is there or not; empty where nothing is live."""
    try:
        return (live_dir / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _stack(live_dir: Path) -> list[str]:
    """The versions one can go back to, oldest first, and the live one last: the last line that ends in it."""
    live, stacks = _current(live_dir), _stacks(live_dir)
    if not live:
        return []
    put_there_by_hand = [*(stacks[-1] if stacks else []), live]
    return next((stack for stack in reversed(stacks) if stack[-1] == live), put_there_by_hand)


def _stacks(live_dir: Path) -> list[list[str]]:
    return [line["versions"] for line in _history(live_dir) if line.get("versions")]


def _history(live_dir: Path) -> list[dict[str, Any]]:
    lines = []
    with suppress(FileNotFoundError):
        for line in (live_dir / HISTORY).read_bytes().splitlines():
            with suppress(ValueError):  # a line that a kill cut short
                lines.append(json.loads(line))
    return lines


def _note(live_dir: Path, *, action: str, name: str, versions: Sequence[str] = ()) -> None:
    """Add a line; `versions` is the stack that holds from when `current` names its last one."""
    time = datetime.now().astimezone().isoformat(timespec="seconds")
    line = {"time": time, "action": action, "name": name} | ({"versions": versions} if versions else {})
    with (live_dir / HISTORY).open("ab+") as history:
        if history.tell():
            history.seek(-1, os.SEEK_END)
            if history.read() != b"\n":
                history.write(b"\n")  # what a kill cut short must not swallow this line too
        history.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def _remove_old(live_dir: Path, on_event: OnEvent) -> None:
    """Remove the versions that get-tags put there and no longer keeps, their torn copies too, and nothing else."""
    old = {line["name"] for line in _history(live_dir)} - set(_stack(live_dir))
    for version in (live_dir / "versions").iterdir():
        if version.name.removesuffix(PARTIAL) in old:
            try:
                remove_folder(version)
            except OSError as error:
                on_event(Notice(f"The old version {version} could not be removed: {error}.", "warning"))


def _now() -> str:
    return f"{datetime.now():%Y%m%d-%H%M%S-%f}"


@contextmanager
def _exclusive(live_dir: Path) -> Iterator[None]:
    """One deploy or rollback at a time; what the system refuses is said in words."""
    busy = GetTagsError(f"Another deploy or rollback is at work in {live_dir}.", "Wait for it and try again.")
    try:
        with locked(live_dir / "deploy.lock", lambda: busy):
            yield
    except OSError as error:  # the steps after `current` speak for themselves
        raise GetTagsError(
            f"The change in {live_dir} failed, what was live stays live: {error}.",
            "Mend that (space on the disk, rights, a lost share) and run it again.",
        ) from error
