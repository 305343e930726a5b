"""Training and predicting side by side with the ways people do it, and with what this machine can compute at most.

    python benchmarks/training.py --model FOLDER [--runs 3] [--medians 100 320 1500] [--parts ...]

FOLDER is a BERT with its vocabulary, such as all-MiniLM-L6-v2. Each part runs in a process of its own, one after the
other, over the same documents of made-up words, whose lengths are log-normal around the median (in tokens, before the
cut at 512). Every training takes one epoch of 16 documents a step:

`ours`      the training step of get-tags, as `get-tags train` drives it
`example`   transformers' Trainer as its run_classification example: padded to the maximum, fp32
`trainer`   Trainer well set up: grouped by length, padded to the longest of a batch, bf16
`simple`    simpletransformers' MultiLabelClassificationModel, where that is installed
`predict`   the scores of get-tags; `pipeline1`, `pipeline16` transformers' pipeline with that batch size

Documents are those of every n-th batch of a corpus sorted by length: so few documents have the padding of a whole
corpus then, for all who group by length.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TAGS, BATCH, CONTEXT, CORPUS = 200, 16, 512, 800
SPREAD = 0.6
BUSY = "GET_TAGS_TEST_BUSY"


def clock() -> float:
    """Seconds: of the clock, or those this process has had of each of its processors."""
    if BUSY not in os.environ:
        return time.perf_counter()
    import torch

    return time.process_time() / torch.get_num_threads()


def make_texts(tokenizer: Any, median: int, batches: int) -> list[str]:
    """Texts of words that are one token each, in batches of documents of similar length."""
    chance = np.random.default_rng(median)
    lengths = np.sort(np.exp(chance.normal(np.log(median), SPREAD, CORPUS)).astype(int) + 3)
    places = ((np.arange(batches) + 0.5) * (CORPUS // BATCH) / batches).astype(int)
    groups = lengths.reshape(-1, BATCH)[places]
    words = sorted(word for word in tokenizer.get_vocab() if word.isalpha() and word.islower() and word.isascii())
    return [" ".join(chance.choice(words, length)) for length in chance.permutation(groups.ravel())]


def make_labels(count: int) -> np.ndarray:
    """(documents, tags): about three tags each."""
    return (np.random.default_rng(1).random((count, TAGS)) < 3 / TAGS).astype(np.float32)


def matrix_limit() -> float:
    """FLOP/s of the best square bf16 product on all cores."""
    import torch

    best = 0.0
    for size in (1024, 2048, 4096):
        a, b = (torch.randn(size, size).bfloat16() for _ in range(2))
        torch.mm(a, b)
        for _ in range(4):
            started, count = clock(), 0
            while clock() - started < 0.3:
                torch.mm(a, b)
                count += 1
            best = max(best, 2 * size**3 * count / (clock() - started))
    return best


def useful_flops(config: Any, lengths: np.ndarray) -> float:
    """FLOP of the matrix products of forward and backward over the documents, padding, embeddings and head left out."""
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    per_token = 2 * (4 * hidden * hidden + 2 * hidden * inner) + 4 * lengths * hidden
    return float(3 * layers * (per_token * lengths).sum())


def load(folder: str, **config: Any) -> Any:
    """The peers' model: a multi-label head on the base model in float32."""
    import torch
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=TAGS, problem_type="multi_label_classification", dtype=torch.float32, **config
    )


def train_ours(folder: str, texts: list[str]) -> dict[str, float]:
    """The training step over the batches of one epoch, and its share of the matrix limit."""
    import pyarrow as pa

    from get_tags_train.core.config import load_settings
    from get_tags_train.model.device import prepared_device
    from get_tags_train.splits.training_set import TrainingSet
    from get_tags_train.text.encoder import CleanTextEncoder
    from get_tags_train.text.tokenizer import load_tokenizer
    from get_tags_train.training.batches import Documents, _Lists
    from get_tags_train.training.distributed import ProcessGroup
    from get_tags_train.training.head import load_for_tags
    from get_tags_train.training.loop import Schedule
    from get_tags_train.training.step import TrainingStep

    values = {"base_model": folder, "batch_size": BATCH, "context_length": CONTEXT, "epochs": 1}
    training = load_settings(Path(tempfile.gettempdir()), overrides={"training": values}, environ={}).training
    tokenizer, labels = load_tokenizer(folder), make_labels(len(texts))
    rows = np.arange(len(texts))
    examples = TrainingSet(
        rows, [str(n) for n in range(TAGS)], labels.sum(axis=0).astype(int).tolist(), np.arange(TAGS)
    )
    tags = pa.array([np.flatnonzero(row).astype(np.int32) for row in labels], pa.list_(pa.int32()))
    documents = Documents(
        _Lists([tags]),
        _Lists([CleanTextEncoder(tokenizer)(pa.array(texts))]),
        examples,
        pad_token_id=tokenizer.pad_token_id,
        context_length=CONTEXT,
    )
    model = load_for_tags(folder, examples, training)
    training_step = TrainingStep(model, documents, training, ProcessGroup("cpu"), "cpu")
    schedule = Schedule(rows, rows[:0], documents.lengths, training, BATCH, 5)
    before = matrix_limit()
    computed = 0
    with prepared_device("cpu", deterministic=False):
        started = clock()
        for number, batch in enumerate(schedule.batches(0)):
            computed += training_step.step(number, batch, schedule.learning_rate_share(number)).computed_tokens
    seconds, tokens = clock() - started, int(documents.lengths.sum())
    limit = (before + matrix_limit()) / 2
    share = useful_flops(model.config, documents.lengths.astype(float)) / seconds / limit
    return {"tokens_s": tokens / seconds, "useful": tokens / computed, "limit_gflops": limit / 1e9, "of_limit": share}


def train_with_trainer(folder: str, texts: list[str], *, well_set_up: bool) -> dict[str, float]:
    """Trainer over the same documents."""
    import datasets
    import torch
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(folder)
    padding = False if well_set_up else "max_length"
    encoded = tokenizer(texts, truncation=True, max_length=CONTEXT, padding=padding)
    tokens = int(sum(map(sum, encoded["attention_mask"])))
    columns = {name: encoded[name] for name in ("input_ids", "attention_mask")} | {
        "labels": list(make_labels(len(texts)))
    }
    if well_set_up:
        columns["length"] = [len(row) for row in encoded["input_ids"]]
    padder = DataCollatorWithPadding(tokenizer)

    def collate(rows: list[dict[str, Any]]) -> Any:
        labels = torch.tensor(np.array([row.pop("labels") for row in rows]), dtype=torch.float32)
        return {**padder([{k: v for k, v in row.items() if k != "length"} for row in rows]), "labels": labels}

    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            use_cpu=True,
            bf16=well_set_up,
            train_sampling_strategy="group_by_length" if well_set_up else "random",
            remove_unused_columns=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=load(folder), args=arguments, train_dataset=datasets.Dataset.from_dict(columns), data_collator=collate
        )
        started = clock()
        trainer.train()
    return {"tokens_s": tokens / (clock() - started)}


def train_simple(folder: str, texts: list[str]) -> dict[str, float]:
    """simpletransformers over the same documents; its own tokenising is in the time, as it is for who uses it."""
    import pandas as pd
    from simpletransformers.classification import MultiLabelClassificationModel
    from transformers import AutoTokenizer

    encoded = AutoTokenizer.from_pretrained(folder)(texts, truncation=True, max_length=CONTEXT)
    with tempfile.TemporaryDirectory() as output:
        options = {
            "num_train_epochs": 1,
            "train_batch_size": BATCH,
            "max_seq_length": CONTEXT,
            "output_dir": output,
            "cache_dir": output,
            "no_save": True,
            "no_cache": True,
            "silent": True,
            "use_multiprocessing": True,  # its other way breaks on datasets 5
            "process_count": 1,
            "dataloader_num_workers": 0,
        }
        model = MultiLabelClassificationModel("bert", folder, num_labels=TAGS, use_cuda=False, args=options)
        frame = pd.DataFrame({"text": texts, "labels": make_labels(len(texts)).astype(int).tolist()})
        started = clock()
        model.train_model(frame)
    return {"tokens_s": sum(map(len, encoded["input_ids"])) / (clock() - started)}


def predict(folder: str, texts: list[str], *, batch_size: int | None) -> dict[str, float]:
    """Scores of all tags by get-tags, or by transformers' pipeline with a batch size."""
    from transformers import AutoTokenizer, pipeline

    from get_tags_train.model.device import choose_precision
    from get_tags_train.model.tagger import TagModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = sum(map(len, tokenizer(texts, truncation=True, max_length=CONTEXT)["input_ids"]))
    with tempfile.TemporaryDirectory() as saved:
        load(folder).save_pretrained(saved)
        tokenizer.model_max_length = CONTEXT
        tokenizer.save_pretrained(saved)
        if batch_size is None:
            model = TagModel.load(saved, precision=choose_precision("auto", "cpu"))
            model.scores(texts[:1])
            started = clock()
            model.predict(texts, 5)
        else:
            name_tags = pipeline("text-classification", saved, top_k=5, device="cpu", batch_size=batch_size)
            name_tags(texts[:1], truncation=True)
            started = clock()
            name_tags(texts, truncation=True)
    return {"tokens_s": tokens / (clock() - started)}


PARTS = {
    "ours": train_ours,
    "example": lambda folder, texts: train_with_trainer(folder, texts, well_set_up=False),
    "trainer": lambda folder, texts: train_with_trainer(folder, texts, well_set_up=True),
    "simple": train_simple,
    "predict": lambda folder, texts: predict(folder, texts, batch_size=None),
    "pipeline1": lambda folder, texts: predict(folder, texts, batch_size=1),
    "pipeline16": lambda folder, texts: predict(folder, texts, batch_size=16),
}


def run_part(part: str, folder: str, median: int, batches: int) -> None:
    """Measure one part and print what came of it as JSON."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    texts = make_texts(AutoTokenizer.from_pretrained(folder), median, batches)
    measured = PARTS[part](folder, texts)
    print(json.dumps({**measured, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def summarise(results: dict[str, list[dict[str, float]]]) -> None:
    """Medians of each part, and the ratios of ours to the others."""
    for part, measured in results.items():
        median = {key: statistics.median(m[key] for m in measured) for key in measured[0]}
        print(f"  {part}: " + ", ".join(f"{key} {value:.3g}" for key, value in median.items()))
    for ours, others in (("ours", ("example", "trainer", "simple")), ("predict", ("pipeline1", "pipeline16"))):
        for other in others:
            if results.get(ours) and results.get(other):
                pairs = zip(results[ours], results[other], strict=True)
                print(f"  {ours} / {other}: {statistics.median(a['tokens_s'] / b['tokens_s'] for a, b in pairs):.2f}")


def main() -> None:
    """Run the parts in turn, each in a fresh process, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--medians", type=int, nargs="+", default=[100, 320, 1500])
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument(
        "--busy", action="store_true", help="one thread, by processor time: the machine does other work"
    )
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        run_part(args.part, args.model, args.medians[0], args.batches)
        return
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"}
    if args.busy:
        environment |= {BUSY: "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    for length in args.medians:
        print(f"median {length} tokens", flush=True)
        results: dict[str, list[dict[str, float]]] = {part: [] for part in args.parts}
        for _ in range(args.runs):
            for part in args.parts:
                command = [sys.executable, __file__, "--part", part, "--model", args.model, "--medians", str(length)]
                command += ["--batches", str(args.batches)]
                done = subprocess.run(command, capture_output=True, env=environment, text=True)
                if done.returncode:
                    print(f"  {part} did not run: {done.stderr.strip().splitlines()[-1]}", flush=True)
                    continue
                results[part].append(json.loads(done.stdout.splitlines()[-1]))
                print("   ", part, {k: round(v, 3) for k, v in results[part][-1].items()}, flush=True)
        summarise({part: measured for part, measured in results.items() if measured})


if __name__ == "__main__":
    main()
