"""The embedded example: a database of Romanian documents, CSV files, settings and a small untrained BERT.

All of it is drawn from one seed and needs no network. A topic's vocabulary (demo_topics.py) is what tells its
tag: documents also share sentences, speak in passing of what they are not tagged with, and some lack a tag.
"""

import functools
import html
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from get_tags_train.csvfiles import write_csv
from get_tags_train.demo_topics import (
    ACTS,
    BOILERPLATE,
    FRAMES,
    GENERAL,
    MONTHS,
    TERMS,
    TITLES,
    TOPICS,
    TOWNS,
    Topic,
)
from get_tags_train.errors import InputError
from get_tags_train.folders import locked, read_json, remove_folder, rename, replacing, write_json, write_text
from get_tags_train.home import PARTIAL, locks_dir
from get_tags_train.startup import SITE_FILE
from get_tags_train.text import CEDILLA_TO_COMMA, join_title
from get_tags_train.words import _

LIST_FILE = "demo.json"

_DOCUMENTS, _UNTAGGED, _DUPLICATES, _IDS, _SAMPLES = 1555, 15, 25, 400, 120
_EMPTY_TEXTS = (None, "", "   ", "<p>&nbsp;</p>", "<div><br></div>") * 4
_MIN_WORDS, _MEDIAN_WORDS, _MAX_WORDS = 30, 95, 430
_VOCABULARY = 4000
_SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_COMMA_TO_CEDILLA = str.maketrans({comma: cedilla for cedilla, comma in CEDILLA_TO_COMMA.items()})
_LOCK_TIMEOUT_SECONDS = 120

# What the site file below says, for showing a run before the example is written.
SETTINGS = {"database": {"url": "sqlite:///demo.db"}, "training": {"base_model": "demo_bert"}}

_SITE_SETTINGS = """\
# The settings of the example. A line here overrides the shipped defaults; the rest is as for a real home.

[database]
# The example's documents. A real site has its server here, such as mssql+pyodbc://user@server/database?driver=...
url = "sqlite:///demo.db"

[training]
# A small BERT whose weights are random: it learns all it knows from these documents, in about a minute.
base_model = "demo_bert"
# Nothing is pretrained that large steps could spoil; a real base model wants about a tenth of this.
learning_rate = 1e-3
head_learning_rate = 1e-3
"""


class _Document(NamedTuple):
    title: str | None
    text: str | None
    tags: tuple[str, ...]


class _Corpus(NamedTuple):
    """Documents by id, some of these ids, and samples that are not among the documents."""

    documents: dict[int, _Document]
    ids: list[int]
    samples: list[_Document]
    seed: int


def write_demo(home: Path, *, seed: int = 7) -> None:
    """Write the example into a home folder: what is there of it stays as it is, what is missing is written.

    A home that was begun with another seed keeps that one. Raises InputError where a file that the example
    did not write has one of its names.
    """
    _refuse_foreign_files(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "Give --home a folder that you may write to."
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
            corpus = _draw_corpus(seed)
            for name in missing:
                _WRITERS[name](home / name, corpus)


def _refuse_foreign_files(home: Path) -> tuple[list[str], int] | None:
    """The names and the seed in the home's list (None: no list), when no other file has a name of ours."""
    list_path = home / LIST_FILE
    hint = "The example overwrites nothing: give --home another folder."
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
            raise InputError(_("{home} is there already and is not the example's.", home=home / name), hint)
    return None if seed is None else (listed, seed)


# --- the texts ---


@functools.cache
def _phrases(joined: str) -> tuple[str, ...]:
    return tuple(" ".join(joined.split()).split(" | "))


def _fill(rng: random.Random, template: str, topic: Topic) -> str:
    """A template with its slots filled: a topic's phrases, references, dates, sums."""

    def value(slot: re.Match[str]) -> str:
        name = slot[1]
        if name.lower() in Topic._fields:
            chosen = _fill(rng, rng.choice(_phrases(getattr(topic, name.lower()))), topic)
            return chosen[0].upper() + chosen[1:] if name[0].isupper() else chosen
        return _VALUES[name](rng)

    return re.sub(r"\{(\w+)\}", value, template)


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2004, 2025)
    return f"{day:02d}.{month:02d}.{year}" if rng.random() < 0.6 else f"{day} {MONTHS[month - 1]} {year}"


def _period(rng: random.Random) -> str:
    first, last = sorted(rng.sample(range(2004, 2026), 2))
    day, month = rng.randint(1, 28), rng.randint(1, 12)
    return f"{day:02d}.{month:02d}.{first} și {rng.randint(1, 28):02d}.{rng.randint(1, 12):02d}.{last}"


def _reference(rng: random.Random) -> str:
    article = f"art. {rng.randint(1, 250)}"
    if rng.random() < 0.6:
        article += f" alin. ({rng.randint(1, 6)})"
    return f"{article} {rng.choice(ACTS).format(n=rng.randint(1, 600), year=rng.randint(1990, 2024))}"


def _sum(rng: random.Random) -> str:
    amount = f"{round(rng.lognormvariate(9, 1.5)) + 100:,}".replace(",", ".")
    # A number wants "de" before the noun when its last two digits are 00 or above 19.
    joined = " de " if int(amount[-2:]) == 0 or int(amount[-2:]) > 19 else " "
    return amount + joined + rng.choice(("lei", "lei", "lei", "euro"))


_VALUES: dict[str, Callable[[random.Random], str]] = {
    "date": _date,
    "nr": lambda rng: f"{rng.randint(20, 99_999)}/{rng.randint(2004, 2025)}",
    "period": _period,
    "pct": lambda rng: f"{rng.choice(('0,1', '0,5', '2', '5', '10', '15', '25', '40'))}%",
    "ref": _reference,
    "sum": _sum,
    "term": lambda rng: rng.choice(TERMS),
    "town": lambda rng: rng.choice(TOWNS),
}


def _draw_tag(rng: random.Random) -> str:
    """A tag by its rank: few are common, most are rare."""
    return rng.choices(list(TOPICS), [(rank + 6) ** -1.6 for rank in range(len(TOPICS))])[0]


def _draw_tags(rng: random.Random, words: int) -> list[str]:
    """One to five tags, the main one first; a short document has few."""
    wanted = min(rng.choices((1, 2, 3, 4, 5), (42, 30, 16, 8, 4))[0], 1 + words // 35)
    tags = [_draw_tag(rng)]
    while len(tags) < wanted:
        another = rng.choice(TOPICS[tags[0]].near) if rng.random() < 0.6 else _draw_tag(rng)
        if another not in tags:
            tags.append(another)
        elif rng.random() < 0.1:
            break
    return tags


def _example(rng: random.Random) -> _Document:
    """A document in plain text with comma-below letters, its paragraphs on lines of their own."""
    words = min(max(round(rng.lognormvariate(0, 0.6) * _MEDIAN_WORDS), _MIN_WORDS), _MAX_WORDS)
    tags = _draw_tags(rng, words)
    sentences = [_fill(rng, rng.choice(FRAMES), TOPICS[tag]) for tag in tags]
    length = sum(len(sentence.split()) for sentence in sentences)
    while length < words:
        kind = rng.random()
        if kind < 0.20:
            sentence = _fill(rng, rng.choice(BOILERPLATE), GENERAL)
        elif kind < 0.40:
            sentence = _fill(rng, rng.choice(FRAMES), GENERAL)
        elif kind < 0.50:
            sentence = _fill(rng, rng.choice(FRAMES), TOPICS[_draw_tag(rng)])
        else:
            tag = tags[0] if rng.random() < 0.4 else rng.choice(tags)
            sentence = _fill(rng, rng.choice(FRAMES), TOPICS[tag])
        sentences.append(sentence)
        length += len(sentence.split())
    rng.shuffle(sentences)
    paragraphs = []
    while sentences:
        size = rng.randint(2, 5)
        paragraphs.append(" ".join(sentences[:size]))
        sentences = sentences[size:]
    title = None
    if rng.random() < 0.65:
        title = _fill(rng, rng.choice(TITLES), TOPICS[tags[0]] if rng.random() < 0.5 else GENERAL)
    # Whoever tags by hand forgets some.
    kept = [tag for tag in tags if tag == tags[0] or rng.random() < 0.9]
    return _Document(title, "\n".join(paragraphs), tuple(kept))


def _as_html(rng: random.Random, text: str) -> str:
    paragraphs = html.escape(text, quote=False).split("\n")
    if rng.random() < 0.3:
        return "<br>".join(paragraphs)
    marked = []
    for paragraph in paragraphs:
        words = paragraph.split(" ")
        at = rng.randrange(len(words))
        words[at] = f"<b>{words[at]}</b>"
        joined = " ".join(words).replace("art. ", "art.&nbsp;")
        marked.append(f"<p>{joined.replace('î', '&icirc;') if rng.random() < 0.3 else joined}</p>")
    return f'<div class="continut">\n{"".join(marked)}\n</div>' if rng.random() < 0.5 else "\n".join(marked)


def _as_stored(rng: random.Random, document: _Document) -> _Document:
    """The document as years of software have left it: some in HTML, some with cedillas for commas."""
    title, text, tags = document.title, document.text or "", document.tags
    if rng.random() < 0.2:
        text = _as_html(rng, text)
    spelling = rng.random()
    if spelling < 0.3:
        text = text.translate(_COMMA_TO_CEDILLA)
        title = title and title.translate(_COMMA_TO_CEDILLA)
    elif spelling < 0.4:
        words = text.split(" ")
        text = " ".join(word.translate(_COMMA_TO_CEDILLA) if rng.random() < 0.5 else word for word in words)
    if rng.random() < 0.3:
        tags = tuple(tag.translate(_COMMA_TO_CEDILLA) for tag in tags)
    return _Document(title, text, tags)


def _draw_corpus(seed: int) -> _Corpus:
    rng = random.Random(f"documents {seed}")
    unique = list(_unlike(set(), _DOCUMENTS, rng))
    stored = [_as_stored(rng, document) for document in unique]
    for at in rng.sample(range(_DOCUMENTS), _UNTAGGED):
        stored[at] = stored[at]._replace(tags=())
    for document in rng.sample(stored, _DUPLICATES):
        again = document._replace(tags=(_draw_tag(rng),)) if rng.random() < 0.3 else document
        stored.append(again)
    stored += [_Document(None, text, (_draw_tag(rng),)) for text in _EMPTY_TEXTS]
    rng.shuffle(stored)
    ids = sorted(rng.sample(range(1000, 9000), len(stored)))
    taken = {_key(document) for document in unique}
    return _Corpus(
        documents=dict(zip(ids, stored, strict=True)),
        ids=rng.sample(ids, _IDS),
        samples=list(_unlike(taken, _SAMPLES, random.Random(f"samples {seed}"))),
        seed=seed,
    )


def _key(document: _Document) -> str:
    return join_title(None, document.text)


def _unlike(taken: set[str], count: int, rng: random.Random) -> Iterator[_Document]:
    """So many documents whose texts differ from each other and from those taken already, titles apart."""
    taken = set(taken)
    while count:
        document = _example(rng)
        if (key := _key(document)) not in taken:
            taken.add(key)
            count -= 1
            yield document


# --- the files ---


def _write_database(path: Path, corpus: _Corpus) -> None:
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
        with replacing(path) as stream:
            stream.write(connection.serialize())


def _write_ids(path: Path, corpus: _Corpus) -> None:
    write_csv(path, [["id"], *([i] for i in corpus.ids)])


def _write_samples(path: Path, corpus: _Corpus) -> None:
    rows = ([join_title(sample.title, sample.text), ";".join(sample.tags)] for sample in corpus.samples)
    write_csv(path, [["text", "labels"], *rows])


def _write_base_model(folder: Path, corpus: _Corpus) -> None:
    staging = folder.with_name(folder.name + PARTIAL)
    remove_folder(staging)
    tokenizer = _trained_tokenizer([join_title(d.title, d.text) for d in corpus.documents.values()])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        model_max_length=512,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(staging)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=256,
        initializer_range=0.05,
        max_position_embeddings=512,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(corpus.seed)
        weights = BertModel(config).state_dict()
    config.architectures = ["BertModel"]
    config.save_pretrained(staging)
    # save_pretrained of the model would draw a progress bar.
    save_file(weights, staging / "model.safetensors", metadata={"format": "pt"})
    rename(staging, folder)


def _trained_tokenizer(texts: list[str]) -> Tokenizer:
    tokenizer = _bare_tokenizer(models.WordPiece(unk_token="[UNK]"))
    # The trainer numbers the letters inside words as it meets them, in another order each time, and breaks ties
    # by these numbers. Letters named beforehand keep theirs; in the tokenizer itself they are nothing special.
    letters = [f"##{letter}" for letter in sorted(set("".join(texts).lower()) - {" ", "\n"})]
    trainer = trainers.WordPieceTrainer(
        vocab_size=_VOCABULARY, min_frequency=2, special_tokens=_SPECIAL_TOKENS + letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer = _bare_tokenizer(models.WordPiece(tokenizer.get_vocab(), unk_token="[UNK]"))
    tokenizer.add_special_tokens(_SPECIAL_TOKENS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, _SPECIAL_TOKENS.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _bare_tokenizer(model: models.WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _write_settings(path: Path, _: _Corpus) -> None:
    write_text(path, _SITE_SETTINGS)


# In the order of writing; the settings come last, so a home that has them has all the rest.
_WRITERS: dict[str, Callable[[Path, _Corpus], None]] = {
    "demo.db": _write_database,
    "ids.csv": _write_ids,
    "test_samples_tags.csv": _write_samples,
    "demo_bert": _write_base_model,
    SITE_FILE: _write_settings,
}
