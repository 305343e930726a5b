"""The whole chain over many documents with many tags: seconds and peak memory of each stage.

    python benchmarks/many_tags.py [--documents 170000] [--tags 20000] [--words 60] [--stages extract train ...]

Draws a library catalogue (words and tags by Zipf's law, a tag's own words among a document's, two to eight tags a
document) into SQLite, writes the example's tiny BERT as base model, and runs `get-tags extract`, `train` (one epoch),
`evaluate` and `predict` on it, each in a process of its own. Prints a Markdown table; sizes of what is written below.
"""

import argparse
import csv
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ZIPF, WORDS, OWN_WORDS, SAMPLES, AT_ONCE = 1.3, 60_000, 4, 500, 5_000


def draw(documents: int, tags: int, words: int, first: int) -> Iterator[tuple[int, str, list[int]]]:
    """Documents of about so many words: (id, text, its tags)."""
    chance = np.random.default_rng([tags, first])
    counts = chance.integers(2, 9, documents)
    drawn = np.minimum(chance.zipf(ZIPF, counts.sum()) - 1, tags - 1)
    spread = chance.random(counts.sum()) < 0.3  # so that all tags occur, as in a catalogue
    drawn[spread] = chance.integers(0, tags, int(spread.sum()))
    of_documents = np.split(drawn, np.cumsum(counts)[:-1])
    for place, own in enumerate(of_documents):
        own = np.unique(own)
        of_tags = (own[:, None] * 7919 + chance.integers(0, OWN_WORDS, (len(own), 3))) % WORDS
        common = np.minimum(chance.zipf(1.2, max(words - of_tags.size, 5)), WORDS - 1)
        mixed = chance.permutation(np.concatenate([of_tags.ravel(), common]))
        yield first + place, " ".join(f"c{number:x}" for number in mixed.tolist()), own.tolist()


def write(path: Path, documents: int, tags: int, words: int) -> None:
    """The database, without the documents that become test samples."""
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT, text TEXT);"
            "CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE document_tags (document_id INTEGER, tag_id INTEGER);"
            "CREATE INDEX of_document ON document_tags (document_id);"
        )
        database.executemany("INSERT INTO tags VALUES (?, ?)", ((n, f"subject {n}") for n in range(tags)))
        for first in range(0, documents, AT_ONCE):
            rows = list(draw(min(AT_ONCE, documents - first), tags, words, first))
            database.executemany("INSERT INTO documents VALUES (?, NULL, ?)", ((own, text) for own, text, _ in rows))
            pairs = ((own, tag) for own, _, tags_of in rows for tag in tags_of)
            database.executemany("INSERT INTO document_tags VALUES (?, ?)", pairs)


def write_home(home: Path, documents: int, tags: int, words: int) -> None:
    """Base model, settings, database and test samples."""
    from get_tags_train.demo.write import write_demo

    write_demo(home)
    for name in ("demo.db", "ids.csv", "test_samples_tags.csv", "demo.json"):
        (home / name).unlink(missing_ok=True)
    write(home / "catalogue.db", documents, tags, words)
    (home / "get-tags.toml").write_text(
        '[database]\nurl = "sqlite:///catalogue.db"\n[training]\nbase_model = "demo_bert"\ncontext_length = 128\n'
        "learning_rate = 1e-3\nhead_learning_rate = 1e-3\n",
        encoding="utf-8",
    )
    with (home / "test_samples_tags.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["text", "labels"])
        for _, text, own in draw(SAMPLES, tags, words, 10**9):
            table.writerow([text, ";".join(f"subject {tag}" for tag in own)])


def measure(words: list[str]) -> tuple[float, float, float, int]:
    """Seconds by the clock and of the processors, peak memory in GB and exit code of a command of get-tags."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "get_tags_train", *words], stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, process.returncode


def main() -> None:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--tags", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--stages", nargs="+", default=["extract", "train", "evaluate", "predict"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_home(home, args.documents, args.tags, args.words)
        samples = str(home / "test_samples_tags.csv")
        commands = {
            "extract": ["extract", "--source", "database", "--yes"],
            "train": ["train", "--source", "cached", "--yes", "--no-deploy", "--epochs", "1"],
            "evaluate": ["evaluate"],
            "predict": ["predict", "--file", samples, "--model", "{model}", "--out", str(home / "out.csv")],
        }
        print(f"{args.documents:,} documents, {args.tags:,} tags\n")
        print("| stage | seconds | CPU seconds | peak memory, GB | exit code |\n| --- | --- | --- | --- | --- |")
        for stage in args.stages:
            model = next(iter(sorted(path.name for path in home.glob("_models/*"))), "")
            words = [word.format(model=model) for word in commands[stage]]
            seconds, cpu, memory, code = measure([*words, "--home", str(home)])
            print(f"| {stage} | {seconds:,.0f} | {cpu:,.0f} | {memory:.2f} | {code} |", flush=True)
        print()
        for path in sorted([*home.glob("_models/*/*"), *home.glob("_cache/_data/*/*")]):
            if path.is_file() and path.stat().st_size > 500_000:
                print(f"{path.relative_to(home)}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
