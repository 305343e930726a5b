"""Thousands of awkward files against everything that reads one.

    python benchmarks/awkward.py [--each 400] [--only PART]

Each file of a home (CSV files, settings, prepared data, models, checkpoints, what is live) is exchanged for damaged,
forged and absurd ones, and read as the commands read it. A defect is a traceback, a crash, more than 30 s, or a file
written outside the home. Every target runs in a process of its own, so that a crash is seen and the next one starts.
Prints one JSON object.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

import awkward


def work(number: int, box: Path, first: int, last: int, told: Connection) -> None:
    """Try one target, and say after each file what came of it."""
    os.chdir(box)
    target = awkward.targets()[number]
    for name, outcome in awkward.trials(target, box / "home", range(first, last)):
        told.send((name, outcome.refused, outcome.defect))


def try_target(number: int, template: Path, each: int) -> dict[str, object]:
    """All files of one target; after a crash, the rest of them in a new process."""
    tried, refused, defects, first = 0, 0, dict[str, list[str]](), 0
    while first < each:
        with tempfile.TemporaryDirectory() as folder:
            box = Path(folder)
            shutil.copytree(template, box / "home")
            for path in [box, *box.rglob("*")]:
                path.chmod(0o777)  # for the one that is read as nobody
            heard, told = multiprocessing.Pipe(duplex=False)
            worker = multiprocessing.Process(target=work, args=(number, box, first, each, told))
            worker.start()
            told.close()
            done = 0
            try:
                while True:
                    name, was_refused, defect = heard.recv()
                    tried, refused, done = tried + 1, refused + was_refused, done + name.isdecimal()
                    if stray := awkward.strays(box, box / "home"):
                        defect = f"written outside the home: {stray}"
                    if defect:
                        defects.setdefault(defect[:90], []).append(f"{name}: {defect}")
            except EOFError:
                worker.join()
            if first + done < each:
                tried += 1
                defects.setdefault("a crash", []).append(f"{first + done}: exit code {worker.exitcode}")
            first += done + 1
    return {"tried": tried, "refused": refused, "defects": {kind: [len(m), m[0]] for kind, m in defects.items()}}


def main() -> None:
    """Try all targets and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--template", type=Path, help="a small home, as the tests make it; default: made anew")
    chosen = parser.parse_args()
    multiprocessing.set_start_method("fork")
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "home"
        awkward.make_home(template, small_home(Path(folder)))
        found = {}
        for number, target in enumerate(awkward.targets()):
            if chosen.only in target.name:
                found[target.name] = try_target(number, template, chosen.each)
                print(target.name, json.dumps(found[target.name], ensure_ascii=True), file=sys.stderr, flush=True)
    total = {key: sum(int(str(one[key])) for one in found.values()) for key in ("tried", "refused")}
    print(json.dumps({**total, "defects": sum(len(dict(one["defects"])) for one in found.values())}))  # type: ignore[call-overload]


def small_home(folder: Path) -> Path:
    """A home with 60 documents and a model of them."""
    import numpy as np
    from databases import prepare_small, settings_for, silent

    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.demo.write import write_demo
    from get_tags_train.text.tokenizer import load_tokenizer
    from get_tags_train.training.train import train

    demo, home = folder / "demo", folder / "small"
    write_demo(demo)
    data = PreparedData(prepare_small(home, demo, demo / "demo_bert"))
    base_model = str(demo / "demo_bert")
    settings = settings_for(home, training={"base_model": base_model, "epochs": 1, "context_length": 48})
    left_out = np.zeros(data.manifest.documents_kept, bool)
    train(settings, data, left_out, tokenizer=load_tokenizer(base_model), device="cpu", on_event=silent)
    return home


if __name__ == "__main__":
    main()
