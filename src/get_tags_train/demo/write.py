"""The embedded example: a database of Romanian documents, CSV files, settings and a small BERT.

The documents are drawn from one seed (corpus.py), the BERT lies beside this file. No network is needed.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from get_tags_train.core.bootstrap import SITE_FILE
from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.files import atomic_write, locked, read_json, remove_folder, rename, write_json, write_text
from get_tags_train.core.home import PARTIAL, locks_dir
from get_tags_train.core.i18n import _
from get_tags_train.demo.corpus import Corpus, draw_corpus
from get_tags_train.text.clean import join_title

LIST_FILE = "demo.json"
# scripts/demo_base.py has made it.
BASE_MODEL_DIR = Path(__file__).with_name("bert")

_LOCK_TIMEOUT_SECONDS = 120

# What the site file below says, for showing a run before the example is written.
SETTINGS: dict[str, dict[str, Any]] = {
    "database": {"url": "sqlite:///demo.db"},
    "training": {"base_model": "demo_bert"},
    "evaluation": {"top_k": 2},
}

_SITE_SETTINGS = """\
# The settings of the example. A line here overrides the shipped defaults; the rest is as for a real home.

[database]
# The example's documents. A real site has its server here, such as mssql+pyodbc://user@server/database?driver=...
url = "sqlite:///demo.db"

[training]
# A small BERT that only knows which words go together; it learns the rest from these documents, in about a minute.
base_model = "demo_bert"
# Nothing is trained that large steps could spoil; a real base model wants a small fraction of this.
learning_rate = 2e-3
head_learning_rate = 2e-3

[evaluation]
# Most documents have one or two tags.
top_k = 2
# Of few documents, a larger share is needed to measure by.
held_out = 0.2
"""


def write_demo(home: Path, *, seed: int = 7) -> None:
    """Write the example into a home folder: what is there of it stays as it is, what is missing is written.

    A home that was begun with another seed keeps that one. Raises InputError where a file that the example
    did not write has one of its names.
    """
    _refuse_foreign_files(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = _("Give --home a folder that you may write to.")
        raise InputError(
            _("The folder {home} cannot be made: {reason}.", home=home, reason=error.strerror), hint
        ) from error
    busy = InputError(
        _("Another process is writing the example into {home}.", home=home), _("Wait until it has finished.")
    )
    with locked(locks_dir(home) / "demo.lock", lambda: busy, _LOCK_TIMEOUT_SECONDS):
        begun = _refuse_foreign_files(home)
        listed, seed = begun or ([], seed)
        if listed != list(_WRITERS):
            write_json(home / LIST_FILE, {"seed": seed, "files": list(_WRITERS)})
        missing = [name for name in _WRITERS if not (home / name).exists()]
        if missing:
            corpus = draw_corpus(seed)
            for name in missing:
                _WRITERS[name](home / name, corpus)


def _refuse_foreign_files(home: Path) -> tuple[list[str], int] | None:
    """The names and the seed in the home's list (None: no list), when no other file has a name of ours."""
    list_path = home / LIST_FILE
    hint = _("The example overwrites nothing: give --home another folder.")
    try:
        content = read_json(list_path)
        listed, seed = content["files"], content["seed"]
        if not isinstance(listed, list) or not isinstance(seed, int):
            raise TypeError
    except FileNotFoundError:
        listed, seed = [], None
    except OSError as error:
        raise InputError(
            _("{list_path} cannot be read: {reason}.", list_path=list_path, reason=error.strerror), hint
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(_("{list_path} was not written by the example.", list_path=list_path), hint) from error
    for name in _WRITERS:
        if name not in listed and (home / name).exists():
            raise InputError(_("{home} already exists and was not made by the example.", home=home / name), hint)
    return None if seed is None else (listed, seed)


def _write_database(path: Path, corpus: Corpus) -> None:
    names = sorted({tag for document in corpus.documents.values() for tag in document.tags})
    tag_ids = {name: number for number, name in enumerate(names, start=1)}
    pairs = [(i, tag_ids[tag]) for i, document in corpus.documents.items() for tag in document.tags]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(
            """
            CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT, text TEXT);
            CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
            CREATE TABLE document_tags (
                document_id INTEGER NOT NULL REFERENCES documents (id),
                tag_id INTEGER NOT NULL REFERENCES tags (id)
            );
            CREATE INDEX document_tags_by_document ON document_tags (document_id);
            """
        )
        rows = ((i, document.title, document.text) for i, document in corpus.documents.items())
        connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", rows)
        connection.executemany("INSERT INTO tags (name, id) VALUES (?, ?)", tag_ids.items())
        connection.executemany("INSERT INTO document_tags VALUES (?, ?)", pairs)
        connection.commit()
        with atomic_write(path) as stream:
            stream.write(connection.serialize())


def _write_ids(path: Path, corpus: Corpus) -> None:
    write_csv(path, [["id"], *([i] for i in corpus.ids)])


def _write_samples(path: Path, corpus: Corpus) -> None:
    rows = ([join_title(sample.title, sample.text), ";".join(sample.tags)] for sample in corpus.samples)
    write_csv(path, [["text", "labels"], *rows])


def _write_base_model(folder: Path, _: Corpus) -> None:
    staging = folder.with_name(folder.name + PARTIAL)
    remove_folder(staging)
    staging.mkdir()
    for path in BASE_MODEL_DIR.iterdir():
        shutil.copyfile(path, staging / path.name)
    rename(staging, folder)


def _write_settings(path: Path, _: Corpus) -> None:
    write_text(path, _SITE_SETTINGS)


# In the order of writing; the settings come last, so a home that has them has all the rest.
_WRITERS: dict[str, Callable[[Path, Corpus], None]] = {
    "demo.db": _write_database,
    "ids.csv": _write_ids,
    "test_samples_tags.csv": _write_samples,
    "demo_bert": _write_base_model,
    SITE_FILE: _write_settings,
}
