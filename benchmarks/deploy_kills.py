"""kill -9 at random moments of deploy and rollback, while a reader polls what is live.

    python benchmarks/deploy_kills.py MODEL_FOLDER [--kills 200] [--seed 1]

The model is copied twice with another number in its config, so that three models take turns. One process deploys and
rolls back without a pause, as `get-tags deploy` and `get-tags rollback` do; it is killed at a random moment and started
again. The reader, a process of its own, goes through `_live/current` to the version it names and compares every file
with the checksums of the model that it claims to be; another looks at the plain folder `_live/get_tags`. Prints one
JSON object.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import torch

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.home import live_model
from get_tags_train.deployment.deploy import deploy, rollback
from get_tags_train.deployment.history import read_history
from get_tags_train.model.metadata import METADATA_FILE


def make_models(source: Path, folder: Path) -> list[Path]:
    """Three models that differ in one number of their config; their facts know of it."""
    made = []
    for number in range(3):
        model = Path(shutil.copytree(source, folder / f"m{number}"))
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        write_json(model / "config.json", {**config, "number": number})
        facts = read_json(model / METADATA_FILE)
        facts["files"]["config.json"] = hashlib.sha256((model / "config.json").read_bytes()).hexdigest()
        write_json(model / METADATA_FILE, facts)
        made.append(model)
    return made


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def model_of(version: Path) -> str:
    """Which model a version is; one that was deployed while its name was taken has a date behind it."""
    return version.name.partition("-")[0]


def change_for_ever(models: list[Path], live: Path, seed: int) -> None:
    """Deploy and roll back, chosen by chance, until killed."""
    chance = random.Random(seed)
    while True:
        try:
            if chance.random() < 0.3:
                rollback(live)
            else:
                deploy(chance.choice(models), live, keep_versions=3, on_event=lambda _: None)
        except InputError:
            pass  # nothing to roll back to


def watch_current(live: Path, known: dict[str, dict[str, str]], stop: Event, found: Any) -> None:
    """Read as an API does, and count what is torn or missing."""
    seen = torn = missing = 0
    while not stop.is_set():
        try:
            folder = live_model(live)
            if checksums(folder) != known[model_of(folder)]:
                torn += 1
        except (InputError, FileNotFoundError):
            # as the API of get-tags does: a version may be old by the time it is read
            try:
                folder_again = live_model(live)
                torn += checksums(folder_again) != known[model_of(folder_again)]
            except (InputError, FileNotFoundError):
                missing += 1
        seen += 1
    found.put({"reads": seen, "torn": torn, "missing": missing})


def watch_plain(live: Path, stop: Event, found: Any) -> None:
    """Measure how long the plain folder is not there."""
    config = live / "get_tags" / "config.json"
    gaps: list[float] = []
    looks, left = 0, None
    while not stop.is_set():
        looks += 1
        there, now = config.exists(), time.perf_counter()
        if not there and left is None:
            left = now
        elif there and left is not None:
            gaps.append(now - left)
            left = None
        if left is None:
            time.sleep(50e-6)
    found.put(
        {
            "looks": looks,
            "gaps_seen": len(gaps),
            "longest_gap_ms": round(max(gaps, default=0) * 1e3, 3),
            "all_gaps_ms": round(sum(gaps) * 1e3, 3),
        }
    )


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)  # threads of a parent are not there in its forks
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        live = Path(folder) / "_live"
        models = make_models(options.model, Path(folder))
        known = {model.name: checksums(model) for model in models}
        started = time.perf_counter()
        for model in models:
            deploy(model, live, keep_versions=3, on_event=lambda _: None)
        seconds_of_one = (time.perf_counter() - started) / len(models)
        before = len(read_history(live))
        stop, found_current, found_plain = fork.Event(), fork.Queue(), fork.Queue()
        watchers = [
            fork.Process(target=watch_current, args=(live, known, stop, found_current)),
            fork.Process(target=watch_plain, args=(live, stop, found_plain)),
        ]
        for watcher in watchers:
            watcher.start()
        chance = random.Random(options.seed)
        interrupted = 0
        for number in range(options.kills):
            worker = fork.Process(target=change_for_ever, args=(models, live, options.seed + number))
            worker.start()
            time.sleep(chance.uniform(0, 1.5 * seconds_of_one))
            os.kill(worker.pid or 0, signal.SIGKILL)
            worker.join()
            interrupted += any(live.glob("get_tags.*")) or any((live / "versions").glob("*.partial"))
        stop.set()
        figures = {"current": found_current.get(), "plain_folder": found_plain.get()}
        for watcher in watchers:
            watcher.join()
        lost = count_lost(live, known)
        print(
            json.dumps(
                {
                    "kills": options.kills,
                    "left_something_behind": interrupted,
                    "seconds_of_a_deploy": round(seconds_of_one, 3),
                    "changes": len([line for line in read_history(live)[before:] if line.get("versions")]),
                    **figures,
                    "models_lost": lost,
                },
                indent=2,
            )
        )
        sys.exit(1 if lost or figures["current"]["torn"] or figures["current"]["missing"] else 0)


def count_lost(live: Path, known: dict[str, dict[str, str]]) -> int:
    """Versions that the history promises for a rollback and that are not there whole, after one last deploy."""
    lost = 0
    deploy(live_model(live), live, keep_versions=3, on_event=lambda _: None)
    try:
        while True:
            folder = live_model(live)
            lost += checksums(folder) != known[model_of(folder)]
            lost += checksums(live / "get_tags") != known[model_of(folder)]
            rollback(live)
    except InputError:
        return lost
    except GetTagsError:
        return lost + 1


if __name__ == "__main__":
    main()
