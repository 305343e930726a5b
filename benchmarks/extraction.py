"""Extraction side by side with its limit and with the way people write it.

    python benchmarks/extraction.py [--documents 170000] [--runs 3]

Makes, once, an SQLite database of long Romanian legal texts and a WordPiece tokenizer of 30,000 entries, then runs
in turn, each in a process of its own: `limit`, the bare Rust encoder over the clean texts already in memory, cut as
we cut them; `ours`, get-tags extract; `naive`, pandas by chunks of ids, BeautifulSoup, datasets.map with padding.
Wants the data and tools that lie beside the checkout in shared/, and beautifulsoup4 for `naive`.
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

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def prepare(folder: Path, documents: int) -> None:
    """The database and the base model, if they are not there yet."""
    if not (folder / "scale.db").exists():
        making = folder / "making.db"
        making.unlink(missing_ok=True)
        loader = SHARED / "tools" / "load_db.py"
        subprocess.run([sys.executable, loader, "--scale", str(documents), "--url", f"sqlite:///{making}"], check=True)
        making.rename(folder / "scale.db")
    if not (folder / "bert").exists():
        make_base_model(folder / "bert")
    settings = '[database]\nurl = "sqlite:///scale.db"\n[training]\nbase_model = "bert"\n'
    (folder / "get-tags.toml").write_text(settings, encoding="utf-8")


def make_base_model(folder: Path) -> None:
    """A cased WordPiece tokenizer of 30,000 entries, trained on the legal text, with a small BERT beside it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=30_000, special_tokens=special, show_progress=False)
    tokenizer.train([str(SHARED / "data" / "legal_text_ro" / "text.txt")], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=30_000, hidden_size=64, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)


def run_limit(folder: Path) -> dict[str, float]:
    """Seconds of the encoder alone, over clean texts in memory."""
    import sqlite3

    import pyarrow as pa

    from get_tags_train.encoding import CleanTextEncoder
    from get_tags_train.text import join_title
    from get_tags_train.tokens import load_tokenizer

    encoder = CleanTextEncoder(load_tokenizer(str(folder / "bert")))
    rows = sqlite3.connect(folder / "scale.db").execute("SELECT title, text FROM documents")
    clean = (join_title(title, text) for title, text in rows)
    texts = encoder.beginnings(pa.array(clean, pa.large_string())).to_pylist()
    started = time.perf_counter()
    for start in range(0, len(texts), 500):
        encoder.backend.encode_batch_fast(texts[start : start + 500])
    return {"seconds": time.perf_counter() - started}


def run_ours(folder: Path) -> dict[str, float]:
    """Seconds of the whole command, as a person waits for it."""
    started = time.perf_counter()
    command = [sys.executable, "-P", "-m", "get_tags_train", "extract", "--yes", "--json", "--home", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    data = json.loads(done.stdout)["data"]
    manifest = json.loads((Path(data["path"]) / "manifest.json").read_text(encoding="utf-8"))
    command = [sys.executable, "-P", "-m", "get_tags_train", "data", "remove", data["name"], "--yes"]
    subprocess.run([*command, "--home", str(folder)], check=True, capture_output=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak, **{f"{k}_s": v for k, v in manifest["seconds"].items()}}


def run_naive(folder: Path) -> dict[str, float]:
    """Seconds of the same job as people write it."""
    import datasets
    import pandas as pd
    from bs4 import BeautifulSoup
    from sqlalchemy import create_engine, text
    from transformers import AutoTokenizer

    started = time.perf_counter()
    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(folder / "bert")
    engine = create_engine(f"sqlite:///{folder / 'scale.db'}")
    ids = pd.read_sql("SELECT id FROM documents ORDER BY id", engine)["id"].tolist()
    frames = []
    for start in range(0, len(ids), 500):
        listed = ",".join(map(str, ids[start : start + 500]))
        documents = pd.read_sql(text(f"SELECT id, text FROM documents WHERE id IN ({listed})"), engine)
        pairs = pd.read_sql(
            text(
                "SELECT dt.document_id AS id, t.name AS tag FROM document_tags dt JOIN tags t ON t.id = dt.tag_id "
                f"WHERE dt.document_id IN ({listed})"
            ),
            engine,
        )
        documents["text"] = [" ".join(BeautifulSoup(t, "html.parser").get_text(" ").split()) for t in documents["text"]]
        frames.append(documents.merge(pairs.groupby("id")["tag"].agg(list).reset_index(), on="id"))
    dataset = datasets.Dataset.from_pandas(pd.concat(frames, ignore_index=True))
    dataset = dataset.map(
        lambda batch: tokenizer(batch["text"], truncation=True, padding="max_length", max_length=512), batched=True
    )
    with tempfile.TemporaryDirectory(dir=folder) as saved:
        dataset.save_to_disk(saved)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.perf_counter() - started, "peak_mb": peak}


RUNS = {"limit": run_limit, "ours": run_ours, "naive": run_naive}


def main() -> None:
    """Run the parts in turn, each in a fresh process, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parts", nargs="+", default=["limit", "ours", "naive"], choices=RUNS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "get-tags-benchmark")
    parser.add_argument("--part", choices=RUNS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.folder / str(args.documents)
    if args.part:
        print(json.dumps(RUNS[args.part](folder)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder, args.documents)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    results: dict[str, list[dict[str, float]]] = {part: [] for part in args.parts}
    for _ in range(args.runs):
        for part in args.parts:
            command = [sys.executable, __file__, "--part", part, "--folder", str(args.folder)]
            command += ["--documents", str(args.documents)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
            results[part].append(json.loads(done.stdout))
            print(part, results[part][-1], flush=True)
    for part, measured in results.items():
        median = {key: statistics.median(m[key] for m in measured) for key in measured[0]}
        print(f"{part}: " + ", ".join(f"{key} {value:.1f}" for key, value in median.items()))
    if {"limit", "ours"} <= set(results):
        ratios = [o["seconds"] / m["seconds"] for o, m in zip(results["ours"], results["limit"], strict=True)]
        print(f"ours / limit: {statistics.median(ratios):.2f}")
    if {"naive", "ours"} <= set(results):
        ratios = [n["seconds"] / o["seconds"] for n, o in zip(results["naive"], results["ours"], strict=True)]
        print(f"naive / ours: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
