"""Writes old_home.zip: a home as get-tags left it before the modules moved into folders.

It was run once, with that code: `git worktree add OLD c82058a`, then
`PYTHONPATH=OLD/src python tests/make_old_home.py`. What the program of that day wrote is what today's has to open.
"""

import csv
import json
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from get_tags_train import demo, prepare  # type: ignore[attr-defined]
from get_tags_train.cli import app  # type: ignore[attr-defined]

DOCUMENTS, SAMPLES, PAGES_READ = 60, 25, 5
VOCABULARY, HIDDEN, POSITIONS = 500, 16, 64
TEXTS = ["Angajatorul a desfăcut contractul de muncă fără preaviz.", "Şedinţa publică a instanţei", "impozit"]
SETTINGS = """\
[database]
url = "sqlite:///demo.db"
page_size = 10
[training]
base_model = "demo_bert"
context_length = 48
epochs = 1
batch_size = 8
learning_rate = 1e-2
head_learning_rate = 1e-2
device = "cpu"
precision = "fp32"
[evaluation]
held_out = 0.2
"""
TARGET = Path(__file__).with_name("old_home.zip")


def run(home: Path, *line: str) -> str:
    """What a command prints."""
    with redirect_stdout(StringIO()) as printed:
        try:
            app(args=[*line, "--home", str(home)], prog_name="get-tags")
        except SystemExit as end:
            assert not end.code, (line, end.code)
    return printed.getvalue()


def shrink(home: Path) -> None:
    """Keep a few documents and samples of the example, and a base model of some 50 KB."""
    with closing(sqlite3.connect(home / "demo.db", isolation_level=None)) as connection:
        ids = [i for (i,) in connection.execute("SELECT id FROM documents ORDER BY id LIMIT ?", [DOCUMENTS])]
        connection.execute("DELETE FROM documents WHERE id > ?", [ids[-1]])
        connection.execute("DELETE FROM document_tags WHERE document_id > ?", [ids[-1]])
        connection.execute("VACUUM")
    (home / "ids.csv").write_text("\n".join(["id", *map(str, ids)]), encoding="utf-8")
    with (home / "test_samples_tags.csv").open(newline="", encoding="utf-8-sig") as stream:
        samples = list(csv.reader(stream))[: SAMPLES + 1]
    with (home / "test_samples_tags.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(samples)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=POSITIONS,
        initializer_range=0.3,
    )
    config.architectures = ["BertModel"]
    config.save_pretrained(home / "demo_bert")
    torch.manual_seed(1)
    save_file(BertModel(config).state_dict(), home / "demo_bert" / "model.safetensors", metadata={"format": "pt"})
    (home / "get-tags.toml").write_text(SETTINGS, encoding="utf-8")


def interrupted_extraction(home: Path) -> None:
    """Stop an extraction of the whole database after a few pages."""
    pages = 0
    of_page = prepare.DocumentSource.page

    def page(source: object, ids: object) -> object:
        nonlocal pages
        pages += 1
        if pages > PAGES_READ:
            raise KeyboardInterrupt
        return of_page(source, ids)

    with mock.patch.object(prepare, "PIECE_DOCUMENTS", 10), mock.patch.object(prepare.DocumentSource, "page", page):
        try:
            app(args=["extract", "--source", "database", "--yes", "--home", str(home)], prog_name="get-tags")
        except SystemExit as end:
            assert end.code == 130, end.code


def main() -> None:
    """Write the home and pack it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        demo._VOCABULARY = VOCABULARY
        demo.write_demo(home)
        shrink(home)
        run(home, "extract", "--source", "ids", "--ids", str(home / "ids.csv"), "--yes")
        run(home, "train", "--source", "cached", "--yes", "--deploy")
        recorded = {
            "texts": TEXTS,
            "predictions": [json.loads(run(home, "predict", text, "--json"))[0]["tags"] for text in TEXTS],
            "data": json.loads(run(home, "data", "show", "--json")),
            "models": json.loads(run(home, "models", "--json")),
            "history": json.loads(run(home, "history", "--json")),
            "evaluation": json.loads(run(home, "evaluate", "--json")),
        }
        interrupted_extraction(home)
        shutil.rmtree(home / "_logs")
        (home / "recorded.json").write_text(json.dumps(recorded, indent=1, ensure_ascii=False), encoding="utf-8")
        with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for path in sorted(home.rglob("*")):
                packed.write(path, path.relative_to(home))


if __name__ == "__main__":
    main()
