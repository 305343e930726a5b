"""Extraction side by side with its limit, with the way people write it, and from every kind of source.

    python benchmarks/extraction.py [--documents 170000] [--runs 3] [--parts limit ours naive ...]

Makes, once, a database of long Romanian legal texts and a WordPiece tokenizer of 30,000 entries, then runs the parts
in turn, each in a process of its own:

    limit       the bare Rust encoder over the clean texts already in memory, cut as we cut them
    ours        get-tags extract from SQLite
    naive       the same as people write it: pandas by chunks of ids, BeautifulSoup, datasets.map with padding
    ids         get-tags extract of an ids.csv that names all documents
    postgresql  from a private PostgreSQL over loopback, through psycopg
    mariadb     from a private MariaDB over loopback, through pyodbc
    long        court decisions of 20 KB on average, half of them HTML; a twentieth as many
    again       a second extraction, by a column version, after 2% of the documents changed, beside a first one of the
                same documents: equal checksums, the ratio of their seconds; from SQLite
    again-postgresql, again-mariadb
                the same from these servers
    again-hash  the same from PostgreSQL, its version an MD5 of the text that the server computes
    again-slow  the same from an SQLite that gives the texts of 500 documents a second; the slow first extraction, of
                about six minutes, is timed once and serves all runs: from the second run on, the first extraction that
                has to have the same checksum is not slowed

Wants the data and tools that lie beside the checkout in shared/, beautifulsoup4 for `naive`, and the servers as the
tests do.
"""

import argparse
import html
import json
import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
sys.path[:0] = [str(ROOT / "tests"), str(SHARED / "tools")]
LIMIT, OURS, NAIVE = "limit", "ours", "naive"
AGAIN = ["again", "again-postgresql", "again-mariadb", "again-hash", "again-slow"]
PARTS = [LIMIT, OURS, NAIVE, "ids", "postgresql", "mariadb", "long", *AGAIN]
PAGE = 500
CHANGED_PERCENT = 2
LONG_MEDIAN_WORDS = 2_000
# The command on a database that needs so long for the texts of each page.
SLOW_DOCUMENTS_A_SECOND = 500
SLOW_COMMAND = f"""
import time
from get_tags_train.cli import main
from get_tags_train.data.source import DocumentSource
page = DocumentSource.page
def slow(self, ids):
    time.sleep(len(ids) / {SLOW_DOCUMENTS_A_SECOND})
    return page(self, ids)
DocumentSource.page = slow
main.app()
"""

Measures = dict[str, float]


# --- what is measured on ---


def make(path: Path, write: Callable[[Path], None]) -> Path:
    """The file, written if it is not there yet; an interrupted making leaves none."""
    if not path.exists():
        making = path.with_name(f"making-{path.name}")
        making.unlink(missing_ok=True)
        write(making)
        making.rename(path)
    return path


def load_scale(url: str, documents: int) -> None:
    """Fill a database with the scale set."""
    loader = SHARED / "tools" / "load_db.py"
    subprocess.run([sys.executable, loader, "--scale", str(documents), "--url", url], check=True, stdout=sys.stderr)


def number_versions(url: str) -> None:
    """Give all documents a version."""
    run_sql(url, "ALTER TABLE documents ADD COLUMN version BIGINT DEFAULT 1 NOT NULL")


def change(url: str, run: int) -> None:
    """Change the texts of 2% of the documents, take a few away, and change the tags of some."""
    every = 100 // CHANGED_PERCENT
    run_sql(
        url,
        f"UPDATE documents SET text = SUBSTR(text, 10), version = version + 1 WHERE MOD(id, {every}) = {run % every}",
        f"DELETE FROM document_tags WHERE MOD(document_id, {every * 10}) = {every + run}",
        f"DELETE FROM documents WHERE MOD(id, {every * 10}) = {every + run}",
        f"DELETE FROM document_tags WHERE MOD(document_id, {every * 10}) = {2 * every + run} AND MOD(tag_id, 2) = 0",
    )


def run_sql(url: str, *statements: str) -> None:
    """Run statements in one transaction."""
    from sqlalchemy import create_engine

    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def fill_long(path: Path, documents: int) -> None:
    """Court decisions: half of them plain, half as a word processor exports HTML."""
    import load_db

    def rows() -> Iterator[tuple[int, str, list[str]]]:
        rng = random.Random(1)
        for number, text, tags in load_db.make_scale(documents, seed=1, median_words=LONG_MEDIAN_WORDS):
            yield number, as_html(text, rng) if number % 2 else text, tags

    load_db.load(rows(), f"sqlite:///{path}")


def as_html(text: str, rng: random.Random) -> str:
    """Paragraphs, spans and entities around the words."""
    words, paragraphs = html.escape(text).split(), []
    while words:
        count = rng.randint(20, 120)
        paragraph, words = words[:count], words[count:]
        paragraph[0] = f'<span style="font-size:12.0pt;font-family:&quot;Times New Roman&quot;">{paragraph[0]}</span>'
        paragraphs.append(f'<p class="MsoNormal" style="text-align:justify">{"&nbsp; ".join(paragraph[:2])} ')
        paragraphs.append(" ".join(paragraph[2:]) + "<o:p></o:p></p>")
    return f"<html><head><title>x</title></head><body>{chr(10).join(paragraphs)}</body></html>"


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


# --- the parts ---


def run_limit(folder: Path) -> Measures:
    """Seconds of the encoder alone, over clean texts in memory."""
    import pyarrow as pa

    from get_tags_train.text.clean import join_title
    from get_tags_train.text.encoder import CleanTextEncoder
    from get_tags_train.text.tokenizer import load_tokenizer

    encoder = CleanTextEncoder(load_tokenizer(str(folder / "bert")))
    rows = sqlite3.connect(folder / "scale.db").execute("SELECT title, text FROM documents")
    clean = (join_title(title, text) for title, text in rows)
    texts = encoder.beginnings(pa.array(clean, pa.large_string())).to_pylist()
    started = time.perf_counter()
    for start in range(0, len(texts), PAGE):
        encoder.backend.encode_batch_fast(texts[start : start + PAGE])
    return {"seconds": time.perf_counter() - started}


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


def get_tags(*arguments: str, is_slow: bool = False) -> tuple[str, Measures]:
    """What the command printed, its seconds as a person waits for it and of the processor, and its peak of memory."""
    started = time.perf_counter()
    program = ["-c", SLOW_COMMAND] if is_slow else ["-m", "get_tags_train"]
    command = [sys.executable, "-P", *program, *arguments]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        measures = {
            "seconds": time.perf_counter() - started,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss / 1024,
        }
        out.seek(0)
        said = out.read().decode()
    if status:
        sys.exit(said)
    return said, measures


def run_extract(home: Path, *flags: str) -> Measures:
    """get-tags extract in a home, its parts as the manifest has them; what it made is removed again."""
    data, measures = extract(home, *flags)
    shutil.rmtree(data["path"])
    return measures


def extract(home: Path, *flags: str, is_slow: bool = False) -> tuple[dict[str, Any], Measures]:
    """get-tags extract in a home: what it says of the data, and its parts as the manifest has them."""
    out, measures = get_tags("extract", "--yes", "--json", "--home", str(home), *flags, is_slow=is_slow)
    data = json.loads(out)["data"]
    manifest = json.loads((Path(data["path"]) / "manifest.json").read_text(encoding="utf-8"))
    measures |= {f"{part}_s": seconds for part, seconds in manifest["seconds"].items()}
    measures["documents_a_second"] = data["documents_read"] / measures["seconds"]
    return data, measures | {"reused": manifest["taken_from_earlier"]}


class Again:
    """A database that changes, a home with the data of what it was, and one with none."""

    def __init__(self, folder: Path, name: str, url: str, *, version: str = "version", is_slow: bool = False) -> None:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.rmtree(folder / f"{name}-first", ignore_errors=True)
        query = f"documents_query = 'SELECT id, title, text, {version} AS version FROM documents'\n"
        self._url, self._run, self._is_slow = url, 0, is_slow
        self._slow_first: Measures = {}
        self._kept, self._empty = make_home(folder, name, url, query), make_home(folder, f"{name}-first", url, query)
        self._data, _ = extract(self._kept)

    def run(self) -> Measures:
        """Change the database, and extract in both homes; their data must be the same."""
        self._run += 1
        change(self._url, self._run)
        earlier = self._data["path"]
        self._data, second = extract(self._kept, is_slow=self._is_slow)
        data, first = extract(self._empty, is_slow=self._is_slow and not self._slow_first)
        if self._is_slow:
            self._slow_first = first = self._slow_first or first
        if data["checksum"] != self._data["checksum"]:
            sys.exit(f"{self._kept.name}: the checksum is not that of a full extraction")
        shutil.rmtree(earlier)
        shutil.rmtree(data["path"])
        of_first = {f"first_{key}": first[key] for key in ("seconds", "cpu_s", "peak_mb")}
        return second | of_first | {"to_first": second["seconds"] / first["seconds"]}


def make_home(folder: Path, name: str, url: str, query: str = "") -> Path:
    """A home of its own for a part."""
    home = folder / name
    home.mkdir(exist_ok=True)
    settings = f"[database]\nurl = '{url}'\n{query}[training]\nbase_model = '{folder / 'bert'}'\n"
    (home / "get-tags.toml").write_text(settings, encoding="utf-8")
    return home


def make_runs(folder: Path, documents: int, parts: list[str], servers: ExitStack) -> dict[str, Callable[[], Measures]]:
    """Make what the parts need; returns what runs each of them."""
    scale = make(folder / "scale.db", lambda path: load_scale(f"sqlite:///{path}", documents))
    make(folder / "bert", make_base_model)
    ours = make_home(folder, OURS, f"sqlite:///{scale}")
    runs: dict[str, Callable[[], Measures]] = {
        LIMIT: lambda: in_new_process(LIMIT, folder),
        NAIVE: lambda: in_new_process(NAIVE, folder),
        OURS: lambda: run_extract(ours),
        "ids": lambda: run_extract(ours, "--source", "ids", "--ids", str(folder / "ids.csv")),
    }
    (folder / "ids.csv").write_text("".join(f"{i}\n" for i in range(1, documents + 1)), encoding="utf-8")
    if "long" in parts:
        long = make(folder / "long.db", lambda path: fill_long(path, documents // 20))
        long_home = make_home(folder, "long", f"sqlite:///{long}")
        runs["long"] = lambda: run_extract(long_home)
    for name in ("again", "again-slow"):
        if name in parts:
            own = folder / f"{name}.db"
            shutil.copy(scale, own)
            number_versions(f"sqlite:///{own}")
            runs[name] = Again(folder, name, f"sqlite:///{own}", is_slow=name == "again-slow").run
    for name in ("postgresql", "mariadb"):
        runs |= make_server_runs(folder, name, documents, parts, servers)
    return {part: runs[part] for part in parts}


def make_server_runs(
    folder: Path, name: str, documents: int, parts: list[str], servers: ExitStack
) -> dict[str, Callable[[], Measures]]:
    """Start a server if a part needs it, fill it, and return what runs these parts."""
    import databases

    again = [part for part in (f"again-{name}", "again-hash" if name == "postgresql" else "") if part in parts]
    if name not in parts and not again:
        return {}
    server = Path(servers.enter_context(tempfile.TemporaryDirectory()))
    url = servers.enter_context(getattr(databases, name)(server))
    load_scale(url, documents)
    home = make_home(folder, name, url)
    runs: dict[str, Callable[[], Measures]] = {name: lambda: run_extract(home)}
    if again:
        number_versions(url)
    for part in again:
        runs[part] = Again(folder, part, url, version="MD5(text)" if part == "again-hash" else "version").run
    return runs


def in_new_process(part: str, folder: Path) -> Measures:
    """Run a part of this file in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--part", part, str(folder)], check=True, stdout=subprocess.PIPE)
    measures: Measures = json.loads(done.stdout)
    return measures


def main() -> None:
    """Run the parts in turn and print medians, and ratios run by run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "get-tags-benchmark")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ |= {"PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    if args.part:
        part, of = args.part
        print(json.dumps({LIMIT: run_limit, NAIVE: run_naive}[part](Path(of))))
        return
    folder = args.folder / str(args.documents)
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[Measures]] = {part: [] for part in args.parts}
    with ExitStack() as servers:
        runs = make_runs(folder, args.documents, args.parts, servers)
        for _ in range(args.runs):
            for part, run in runs.items():
                results[part].append(run())
                print(part, {key: round(value, 2) for key, value in results[part][-1].items()}, flush=True)
    for part, measured in results.items():
        median = {key: statistics.median(m[key] for m in measured) for key in measured[0]}
        print(f"{part}: " + ", ".join(f"{key} {value:.1f}" for key, value in median.items()))
    for other in [part for part in results if part not in {OURS, "long", *AGAIN} and OURS in results]:
        ratios = [o["seconds"] / m["seconds"] for o, m in zip(results[other], results[OURS], strict=True)]
        print(f"{other} / ours: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
