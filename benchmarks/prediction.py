"""Prediction beside transformers.pipeline: the same model, the same texts, in turn.

    python benchmarks/prediction.py MODEL_FOLDER TEXTS.jsonl [--documents 200] [--rounds 3] [--threads 2]
    python benchmarks/prediction.py MODEL_FOLDER TEXTS.jsonl --memory 100000

TEXTS.jsonl holds an object with a text on each line. `ours` is TagModel as `predict` and `serve` use it; `by torch` the
same without ONNX Runtime; `bf16` the same with precision = "bf16"; `pipeline N` plain transformers.pipeline with
batch_size=N. Each round computes all texts with each of them, so that whatever else the machine does falls on all.
Texts per second of processor time say what one would do alone: with --threads 1 nothing waits or spins in them.
`--memory` predicts that many texts, the given ones over and over with words left out, and prints the process's memory.
Prints one JSON object.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from transformers import pipeline

from get_tags_train.model.tagger import TagModel
from get_tags_train.model.torch_classifier import TorchClassifier

TOP_N = 5
Predict = Callable[[list[str]], list[dict[str, float]]]


def ours(model: TagModel) -> Predict:
    """The best tags of each text, with their scores."""
    return lambda texts: [dict(tags) for tags in model.predict(texts, TOP_N)]


def plain(folder: Path, batch_size: int) -> Predict:
    """The same by plain transformers."""
    asked = pipeline("text-classification", str(folder), top_k=TOP_N)

    def predict(texts: list[str]) -> list[dict[str, float]]:
        answers = asked(texts, truncation=True, batch_size=batch_size)
        return [{tag["label"]: tag["score"] for tag in answer} for answer in answers]

    return predict


def agreement(one: Sequence[dict[str, float]], other: Sequence[dict[str, float]]) -> dict[str, float]:
    """How many texts have the same best tags, and how far a score is from the other."""
    pairs = list(zip(one, other, strict=True))
    differences = [abs(left[tag] - right[tag]) for left, right in pairs for tag in left.keys() & right.keys()]
    same = sum(left.keys() == right.keys() for left, right in pairs) / len(pairs)
    return {"same_tags": round(same, 4), "largest_difference": float(f"{max(differences):.1e}")}


def compare(folder: Path, texts: list[str], rounds: int, batch_sizes: Sequence[int]) -> dict[str, Any]:
    """Texts per second of each, by the clock and by processor time, medians of the rounds; and how they agree."""
    parts: dict[str, Predict] = {
        "ours": ours(TagModel.load(folder)),
        "by torch": ours(TagModel(folder, classifier=TorchClassifier(folder, "cpu", "fp32"))),
        "bf16": ours(TagModel.load(folder, precision="bf16")),
        **{f"pipeline {size}": plain(folder, size) for size in batch_sizes},
    }
    answers = {name: predict(texts[: len(texts) // 10 + 1]) for name, predict in parts.items()}  # to warm up
    clock: dict[str, list[float]] = {name: [] for name in parts}
    processor: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, predict in parts.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            answers[name] = predict(texts)
            clock[name].append(len(texts) / (time.perf_counter() - began))
            processor[name].append(len(texts) / (time.process_time() - cpu_began))
    reference = answers[f"pipeline {batch_sizes[0]}"]
    return {
        name: {
            "per_second": round(statistics.median(clock[name]), 2),
            "per_cpu_second": round(statistics.median(processor[name]), 2),
            **agreement(answers[name], reference),
        }
        for name in parts
    }


def varied(texts: list[str], count: int) -> Iterator[str]:
    """So many texts of all lengths up to those of the given ones."""
    choose = random.Random(1)
    for number in range(count):
        words = texts[number % len(texts)].split()
        yield " ".join(words[: choose.randint(1, len(words))])


def memory(folder: Path, texts: list[str], count: int) -> dict[str, Any]:
    """MB of the process after each twentieth of so many texts."""
    process, found = psutil.Process(), []
    for number, _tags in enumerate(TagModel.load(folder).predict_each(varied(texts, count)), 1):
        if number % (count // 20) == 0:
            found.append(process.memory_info().rss >> 20)
    return {"texts": count, "memory_mb": found}


def main() -> None:
    """Run what was asked and print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--memory", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    every = [json.loads(line)["text"] for line in options.texts.read_text(encoding="utf-8").splitlines()]
    if options.memory:
        print(json.dumps(memory(options.model, every, options.memory)))
        return
    texts = [every[row] for row in np.random.default_rng(0).permutation(len(every))[: options.documents]]
    found = compare(options.model, texts, options.rounds, options.batch_sizes)
    print(json.dumps({"texts": len(texts), "threads": options.threads, **found}, indent=2))


if __name__ == "__main__":
    main()
