"""What a GPU does: training beside Trainer, number formats, memory that ends, resume, prediction beside the pipeline.

    python benchmarks/gpu.py [--out FOLDER] [--steps 1000] [--parts ...]

Under ten minutes on one card, without a network: a BERT of the base shape with random weights over random tokens, whose
lengths are log-normal around 330 and cut at 512. Each part is a process of its own; the parts of speed run one after
the other, those of behaviour side by side at the end. Writes FOLDER/gpu.jsonl and prints a table.

`limit`     the best square bf16 product of the card
`ours`      the training step of get-tags in bf16; `fp16`, `fp32` (TF32) in those; `bf16-64` with batches of 64
`trainer`   transformers' Trainer: bf16, grouped by length, fused AdamW; `compiled` the same with torch.compile
`predict`   TagModel in bf16 and fp32; `pipeline` transformers' pipeline in both, batch size 64
`memory`    a gradient where memory is short equals that where it is not, and training goes on after it ended
`resume`    a training that is interrupted and continued, twice run, and undisturbed: the same weights, bit by bit
`formats`   the demo trained in bf16, fp16 and fp32: precision@k
`two`       two processes on one card, beside one
`waits`     operations of a training step that wait for the card
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TAGS, CONTEXT, BATCH, MEAN_TOKENS, SPREAD = 1_000, 512, 16, 330, 0.6
DOCUMENTS, EPOCHS = 170_000, 5


def make_lengths(count: int) -> Any:
    """(documents,) tokens of each, cut at the context."""
    drawn = np.exp(np.random.default_rng(0).normal(np.log(MEAN_TOKENS), SPREAD, count)).astype(int)
    return np.clip(drawn, 8, CONTEXT)


def make_model(**config: Any) -> Any:
    """A BERT of the base shape with random weights."""
    from transformers import BertConfig, BertForSequenceClassification

    wanted = BertConfig(num_labels=TAGS, problem_type="multi_label_classification", **config)
    return BertForSequenceClassification(wanted)


def make_step(count: int, batch: int = BATCH, **settings: Any) -> tuple[Any, Any]:
    """A training step over random documents, and their schedule."""
    import pyarrow as pa

    from get_tags_train.core.config import load_settings
    from get_tags_train.splits.training_set import TrainingSet
    from get_tags_train.training.batches import Documents, _Lists
    from get_tags_train.training.distributed import ProcessGroup
    from get_tags_train.training.schedule import Schedule
    from get_tags_train.training.step import TrainingStep

    chance = np.random.default_rng(1)
    lengths, rows = make_lengths(count), np.arange(count)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    ids = pa.ListArray.from_arrays(offsets, pa.array(chance.integers(5, 30_000, int(lengths.sum())).astype(np.int32)))
    three = pa.array(np.arange(0, 3 * count + 1, 3).astype(np.int32))
    tags = pa.ListArray.from_arrays(three, pa.array(chance.integers(0, TAGS, 3 * count).astype(np.int32)))
    examples = TrainingSet(rows, [str(n) for n in range(TAGS)], [1] * TAGS, np.arange(TAGS))
    documents = Documents(_Lists([tags]), _Lists([ids]), examples, pad_token_id=0, context_length=CONTEXT)
    values = {"epochs": 1, "batch_size": batch, "context_length": CONTEXT, **settings}
    training = load_settings(Path(tempfile.gettempdir()), overrides={"training": values}, environ={}).training
    step = TrainingStep(make_model(), documents, training, ProcessGroup("cuda"), "cuda")
    return step, Schedule(rows, rows[:0], documents.lengths, training, batch, 5)


def useful_flops(lengths: Any) -> float:
    """FLOP of the matrix products of forward and backward, without padding, embeddings and head."""
    lengths = lengths.astype(float)
    per_token = 2 * (4 * 768 * 768 + 2 * 768 * 3072) + 4 * lengths * 768
    return float(3 * 12 * (per_token * lengths).sum())


def limit() -> dict[str, Any]:
    """TFLOP/s of the best square bf16 product."""
    import torch

    best = 0.0
    for size in (4096, 8192):
        a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        for _ in range(3):
            a @ b
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(20):
            a @ b
        torch.cuda.synchronize()
        best = max(best, 40 * size**3 / (time.perf_counter() - started) / 1e12)
    return {"limit_tflops": best, "card": torch.cuda.get_device_name(), "torch": torch.__version__}


def _speed(lengths: Any, seconds: float) -> dict[str, Any]:
    tokens = int(lengths.sum())
    whole = DOCUMENTS * EPOCHS * float(make_lengths(20_000).mean())
    return {
        "tokens_s": tokens / seconds,
        "useful_tflops": useful_flops(lengths) / seconds / 1e12,
        "minutes_170000x5": whole / (tokens / seconds) / 60,
    }


def ours(steps: int, batch: int = BATCH, **settings: Any) -> dict[str, Any]:
    """The training step over `steps` batches, after some to warm up."""
    import torch

    from get_tags_train.model.device import prepared_device

    warm = 40
    step, schedule = make_step((steps + warm) * batch, batch, **settings)
    batches = list(schedule.batches(0))
    skipped = 0
    with prepared_device("cuda", deterministic=False):
        for number, rows in enumerate(batches):
            if number == warm:
                torch.cuda.synchronize()
                started = time.perf_counter()
            skipped += step.step(number, rows, schedule.learning_rate_share(number)).is_skipped
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    timed = np.concatenate(batches[warm:])
    peak = torch.cuda.max_memory_allocated() / 2**30
    return {**_speed(schedule.lengths[timed], seconds), "peak_gb": peak, "skipped": skipped}


def trainer(steps: int, *, compiled: bool) -> dict[str, Any]:
    """Trainer over as many documents; compiled: after the first fifth, when most shapes are compiled."""
    import datasets
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    lengths = make_lengths(steps * BATCH)
    chance = np.random.default_rng(1)
    columns = {"input_ids": [chance.integers(5, 30_000, n).tolist() for n in lengths], "length": lengths.tolist()}
    columns["tags"] = chance.integers(0, TAGS, (len(lengths), 3)).tolist()
    warm = steps // 5
    state: dict[str, Any] = {"tokens": []}

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        width = max(len(row["input_ids"]) for row in rows)
        ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
        labels = torch.zeros(len(rows), TAGS)
        for n, row in enumerate(rows):
            ids[n, : len(row["input_ids"])] = torch.tensor(row["input_ids"])
            mask[n, : len(row["input_ids"])] = 1
            labels[n, row["tags"]] = 1
        state["tokens"].append([len(row["input_ids"]) for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, trainer_state: Any, control: Any, **kwargs: Any) -> None:
            if trainer_state.global_step == warm:
                torch.cuda.synchronize()
                state["started"] = time.perf_counter()

    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            bf16=True,
            tf32=True,
            optim="adamw_torch_fused",
            train_sampling_strategy="group_by_length",
            torch_compile=compiled,
            dataloader_num_workers=4,
            remove_unused_columns=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        peer = Trainer(
            model=make_model(), args=arguments, train_dataset=datasets.Dataset.from_dict(columns), data_collator=collate
        )
        peer.add_callback(Clock())
        peer.train()
        torch.cuda.synchronize()
    seconds = time.perf_counter() - state["started"]
    # The order of the sampler is not that of the workers' answers; the mean of all stands for those that were timed.
    share = (steps - warm) / steps
    tokens = int(lengths.sum()) * share
    whole = DOCUMENTS * EPOCHS * float(make_lengths(20_000).mean())
    return {
        "tokens_s": tokens / seconds,
        "useful_tflops": useful_flops(lengths) * share / seconds / 1e12,
        "minutes_170000x5": whole / (tokens / seconds) / 60,
        "peak_gb": torch.cuda.max_memory_allocated() / 2**30,
    }


def _saved_model(folder: str) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{n}" for n in range(20_000))])}
    plain = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.model_max_length = CONTEXT
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    model = make_model()
    model.config.id2label = {n: f"tag {n}" for n in range(TAGS)}
    model.config.label2id = {f"tag {n}": n for n in range(TAGS)}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def predict(documents: int = 4_000) -> dict[str, Any]:
    """Texts of 320 tokens in the mean: TagModel and the pipeline, in both formats, one model after the other."""
    import torch
    from transformers import pipeline

    from get_tags_train.model.tagger import TagModel

    chance = np.random.default_rng(2)
    texts = [" ".join(f"w{n}" for n in chance.integers(0, 20_000, length)) for length in make_lengths(documents)]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        _saved_model(folder)
        scores = {}
        for precision in ("fp32", "bf16"):
            model = TagModel.load(folder, device="cuda", precision=precision)
            model.scores(texts[:200])
            started = time.perf_counter()
            model.predict(texts, 5)
            found[f"ours_{precision}_texts_s"] = documents / (time.perf_counter() - started)
            scores[precision] = model.scores(texts[:200])
        cpu = TagModel.load(folder).scores(texts[:40])
        found["cuda_against_cpu"] = float(np.abs(cpu - scores["fp32"][:40]).max())
        found["bf16_against_fp32"] = float(np.abs(scores["bf16"] - scores["fp32"]).max())
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            ask = pipeline("text-classification", folder, top_k=5, device="cuda", dtype=dtype, batch_size=64)
            ask(texts[:200], truncation=True)
            started = time.perf_counter()
            ask(texts[:2_000], truncation=True)
            found[f"pipeline_{precision}_texts_s"] = 2_000 / (time.perf_counter() - started)
    return found


def memory() -> dict[str, Any]:
    """A step where memory ends, against one where it does not: the same gradient, in smaller micro-batches."""
    import torch

    step, schedule = make_step(640, 256, deterministic=True)
    rows = next(iter(schedule.batches(0)))
    for module in step._model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    gradients, tokens = [], []
    for share in (1.0, 0.0):
        if share == 0.0:
            torch.cuda.empty_cache()
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 4 * 2**30) / total)
        step.gradient(0, rows)
        gradients.append(torch.cat([p.grad.flatten() for p in step._parameters]).clone())
        tokens.append(step.micro_batch_tokens)
        step.zero_grad()
    logits = step.logits(np.arange(640))[0]
    difference = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    return {"micro_batch_tokens": tokens, "gradient_difference": difference, "scored_after": len(logits)}


def _cli(home: str, *arguments: str, processes: int = 1, **environment: str) -> dict[str, Any]:
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command += ["get_tags_train", "train", "--home", home, "--json", "--yes", "--device", "cuda", *arguments]
    environ = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, env=environ, text=True, timeout=300)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"error": (done.stdout + done.stderr)[-1500:]}


def _weights(folder: str) -> bytes:
    import hashlib

    return hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).digest()


def _made(home: str) -> list[str]:
    first = _cli(home, "--demo", "--epochs", "1")
    return [] if "model" in first else [str(first)]


def resume() -> dict[str, Any]:
    """The demo trained without a break, and interrupted and continued; with `deterministic`, bit by bit the same."""
    with tempfile.TemporaryDirectory() as home:
        if failed := _made(home):
            return {"error": failed}
        cached = ["--source", "cached", "--epochs", "3"]
        environment = {"GET_TAGS_TRAINING_DETERMINISTIC": "true", "GET_TAGS_TRAINING_SEED": "7"}
        whole = _cli(home, *cached, **environment)
        found: dict[str, Any] = {"seconds": whole.get("model", {}).get("seconds"), "device": whole.get("model")}
        again = _cli(home, *cached, **environment)
        command = [sys.executable, "-m", "get_tags_train", "train", "--home", home, "--json", "--yes"]
        command += ["--device", "cuda", *cached]
        broken = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        checkpoints = None
        while broken.poll() is None and not checkpoints:
            time.sleep(0.05)
            checkpoints = list(Path(home).glob("_models/*.partial/checkpoints/*"))
        broken.kill()
        broken.wait()
        continued = _cli(home, *cached, **environment)
        models = [result.get("model", result) for result in (whole, again, continued)]
        if not all("path" in model for model in models):
            return {"error": models}
        same = [_weights(model["path"]) == _weights(models[0]["path"]) for model in models[1:]]
        return found | {"again_is_same": same[0], "continued": models[2]["resumed"], "continued_is_same": same[1]}


def formats() -> dict[str, Any]:
    """precision@k of the demo in each number format."""
    with tempfile.TemporaryDirectory() as home:
        if failed := _made(home):
            return {"error": failed}
        found = {}
        for precision in ("bf16", "fp16", "fp32"):
            result = _cli(home, "--source", "cached", "--epochs", "5", GET_TAGS_TRAINING_PRECISION=precision)
            found[precision] = result.get("evaluation", result).get("precision_at_k", str(result)[-600:])
        return found


def two() -> dict[str, Any]:
    """Two processes on one card."""
    with tempfile.TemporaryDirectory() as home:
        if failed := _made(home):
            return {"error": failed}
        result = _cli(home, "--source", "cached", "--epochs", "2", processes=2)
        return {"result": result.get("model", result)}


def waits() -> dict[str, Any]:
    """How often a training step waits for the card, and where from."""
    import torch

    step, schedule = make_step(320)
    batches = list(schedule.batches(0))
    for number, rows in enumerate(batches[:5]):
        step.step(number, rows, 0.5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        for number, rows in enumerate(batches[5:7]):
            step.step(number, rows, 0.5)
        torch.cuda.set_sync_debug_mode("default")
    places: dict[str, int] = {}
    for warning in caught:
        place = f"{Path(warning.filename).name}:{warning.lineno}"
        places[place] = places.get(place, 0) + 1
    host, card = [], []
    for number, rows in enumerate(batches[7:17]):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        began = time.perf_counter()
        start.record()
        step.accumulate(number, rows)
        host.append(time.perf_counter() - began)
        end.record()
        torch.cuda.synchronize()
        card.append(start.elapsed_time(end))
        step.zero_grad()
    return {"waits": places, "host_ms": 1e3 * float(np.median(host)), "card_ms": float(np.median(card))}


SPEED = {
    "limit": lambda steps: limit(),
    "ours": lambda steps: ours(steps),
    "trainer": lambda steps: trainer(steps, compiled=False),
    "ours-again": lambda steps: ours(steps),
    "bf16-64": lambda steps: ours(steps // 4, 64),
    "fp16": lambda steps: ours(steps // 3, precision="fp16"),
    "fp32": lambda steps: ours(steps // 5, precision="fp32"),
    "waits": lambda steps: waits(),
    "predict": lambda steps: predict(),
    "compiled": lambda steps: trainer(steps, compiled=True),
}
BEHAVIOUR = {"memory": memory, "resume": resume, "formats": formats, "two": two}


def start(part: str, steps: int) -> "subprocess.Popen[str]":
    """A part in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, "--part", part, "--steps", str(steps)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environ, start_new_session=True, **pipes)


def finish(part: str, running: "subprocess.Popen[str]", seconds: float) -> dict[str, Any]:
    """What a part printed; at its end or its limit."""
    try:
        out, err = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)  # with all that it has started
        out, err = running.communicate()
        err += f"\nlonger than {seconds:.0f} s"
    if running.returncode or not out.strip():
        return {"part": part, "error": err[-1500:]}
    return {"part": part, **json.loads(out.strip().splitlines()[-1])}


def main() -> None:
    """Run the parts, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--parts", nargs="+", default=[*SPEED, *BEHAVIOUR], choices=[*SPEED, *BEHAVIOUR])
    parser.add_argument("--part", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print(json.dumps(SPEED[args.part](args.steps) if args.part in SPEED else BEHAVIOUR[args.part]()))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()

    def keep(result: dict[str, Any]) -> None:
        result["at"] = round(time.perf_counter() - began)
        line = json.dumps(
            {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}
        )
        print(line, flush=True)
        with (args.out / "gpu.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    for part in args.parts:
        if part in SPEED:
            keep(finish(part, start(part, args.steps), 110))
    side_by_side = {part: start(part, args.steps) for part in args.parts if part in BEHAVIOUR}
    for part, running in side_by_side.items():
        keep(finish(part, running, 150))


if __name__ == "__main__":
    main()
