"""get-tags predict beside transformers.pipeline, over the same texts with the same model.

    python benchmarks/prediction.py MODEL_FOLDER TEXTS.jsonl [--documents 10000] [--parts ours fp32 pipeline batched]

TEXTS.jsonl holds an object with a text on each line. Each part is a process of its own: `ours` is `get-tags predict`
as shipped, `fp32` the same with precision = "fp32", `pipeline` plain transformers.pipeline over the list, `batched` the
same with batch_size=16. Seconds are the whole process's, start and loading included; CPU seconds do not grow when other
programs take their share. Prints one JSON object, with how the tags agree with plain transformers.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PLAIN = """
import json, sys
from transformers import pipeline
model, source, target, batch_size = sys.argv[1:]
texts = [json.loads(line)["text"] for line in open(source, encoding="utf-8")]
name_tags = pipeline("text-classification", model, top_k=5)
with open(target, "w", encoding="utf-8") as out:
    for tags in name_tags(texts, truncation=True, batch_size=int(batch_size)):
        out.write(json.dumps({"tags": [{"tag": t["label"], "score": t["score"]} for t in tags]}) + "\\n")
"""


def run(command: list[str], **environment: str) -> dict[str, float]:
    """Seconds, CPU seconds and peak memory of a process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    running = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(used.ru_maxrss / 1024)}


def agreement(one: Path, other: Path) -> dict[str, Any]:
    """How the five tags of each text agree."""
    same = differing = 0
    largest = 0.0
    with one.open(encoding="utf-8") as first, other.open(encoding="utf-8") as second:
        for left, right in zip(first, second, strict=True):
            scores = [{t["tag"]: t["score"] for t in json.loads(line)["tags"]} for line in (left, right)]
            same += scores[0].keys() == scores[1].keys()
            differing += scores[0].keys() != scores[1].keys()
            both = scores[0].keys() & scores[1].keys()
            largest = max([largest, *(abs(scores[0][tag] - scores[1][tag]) for tag in both)])
    return {"same_five_tags": round(same / (same + differing), 4), "largest_difference": round(largest, 5)}


def main() -> None:
    """Run the parts and print their figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--parts", nargs="+", default=["ours", "fp32", "pipeline", "batched"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        lines = options.texts.read_text(encoding="utf-8").splitlines()[: options.documents]
        source.write_text("\n".join(lines), encoding="utf-8")
        targets = {part: Path(folder) / f"{part}.jsonl" for part in options.parts}
        figures: dict[str, Any] = {"documents": len(lines)}
        for part, target in targets.items():
            if part in ("ours", "fp32"):
                command = [sys.executable, "-m", "get_tags_train", "predict", "--home", folder]
                command += ["--model", str(options.model), "--file", str(source), "--out", str(target)]
                precision = {"GET_TAGS_TRAINING_PRECISION": "fp32"} if part == "fp32" else {}
                figures[part] = run(command, **precision)
            else:
                batch_size = "16" if part == "batched" else "1"
                figures[part] = run(
                    [sys.executable, "-c", PLAIN, str(options.model), str(source), str(target), batch_size]
                )
        plain = next((part for part in ("pipeline", "batched") if part in targets), None)
        for part in ("ours", "fp32"):
            if plain and part in targets:
                figures[part] |= agreement(targets[part], targets[plain])
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
