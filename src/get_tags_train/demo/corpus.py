"""The texts of the embedded example: documents with their tags, drawn from one seed.

A topic's phrases (topics.toml) tell its tag, but not alone: a document also names what it is not about, in sentences
whose order of words says so. Documents share sentences, too, and some lack a tag.
"""

import html
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from get_tags_train.demo.topics import (
    ACTS,
    ASIDES,
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
from get_tags_train.text.clean import CEDILLA_TO_COMMA, join_title

_DOCUMENTS, _UNTAGGED, _DUPLICATES, _IDS, _SAMPLES = 2355, 15, 25, 400, 300
_EMPTY_TEXTS = (None, "", "   ", "<p>&nbsp;</p>", "<div><br></div>") * 4
_MIN_WORDS, _MEDIAN_WORDS, _MAX_WORDS = 30, 60, 430
_COMMA_TO_CEDILLA = str.maketrans({comma: cedilla for cedilla, comma in CEDILLA_TO_COMMA.items()})


class Document(NamedTuple):
    """A document as a database has it."""

    title: str | None
    text: str | None
    tags: tuple[str, ...]


class Corpus(NamedTuple):
    """Documents by id, some of these ids, and samples that are not among the documents."""

    documents: dict[int, Document]
    ids: list[int]
    samples: list[Document]
    seed: int


def _fill(rng: random.Random, template: str, topic: Topic, other: Topic = GENERAL) -> str:
    """A template with its slots filled: phrases of a topic and of another one, references, dates, sums."""

    def value(slot: re.Match[str]) -> str:
        name = slot[1].removeprefix("other_")
        if name.lower() in Topic._fields:
            phrases: tuple[str, ...] = getattr(topic if name == slot[1] else other, name.lower())
            chosen = _fill(rng, rng.choice(phrases), topic)
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
    wanted = min(rng.choices((1, 2, 3, 4, 5), (35, 33, 19, 9, 4))[0], 1 + words // 25)
    tags = [_draw_tag(rng)]
    while len(tags) < wanted:
        another = rng.choice(TOPICS[tags[0]].near) if rng.random() < 0.6 else _draw_tag(rng)
        if another not in tags:
            tags.append(another)
        elif rng.random() < 0.1:
            break
    return tags


def _draw_other(rng: random.Random, tags: list[str]) -> str:
    """A tag that is not among these, half of the time one that often stands beside the main one."""
    near = [tag for tag in TOPICS[tags[0]].near if tag not in tags]
    if near and rng.random() < 0.5:
        return rng.choice(near)
    while (other := _draw_tag(rng)) in tags:
        pass
    return other


def draw_document(rng: random.Random) -> Document:
    """A document in plain text with comma-below letters, its paragraphs on lines of their own."""
    words = min(max(round(rng.lognormvariate(0, 0.6) * _MEDIAN_WORDS), _MIN_WORDS), _MAX_WORDS)
    tags = _draw_tags(rng, words)
    other = TOPICS[_draw_other(rng, tags)]
    sentences = [_fill(rng, rng.choice(FRAMES), TOPICS[tag]) for tag in tags]
    length = sum(len(sentence.split()) for sentence in sentences)
    while length < words:
        kind = rng.random()
        if kind < 0.20:
            sentence = _fill(rng, rng.choice(BOILERPLATE), GENERAL)
        elif kind < 0.40:
            sentence = _fill(rng, rng.choice(FRAMES), GENERAL)
        else:
            tag = tags[0] if rng.random() < 0.4 else rng.choice(tags)
            sentence = _fill(rng, rng.choice(ASIDES if kind < 0.75 else FRAMES), TOPICS[tag], other)
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
    return Document(title, "\n".join(paragraphs), tuple(kept))


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


def _as_stored(rng: random.Random, document: Document) -> Document:
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
    return Document(title, text, tags)


def draw_corpus(seed: int) -> Corpus:
    rng = random.Random(f"documents {seed}")
    unique = list(_unlike(set(), _DOCUMENTS, rng))
    stored = [_as_stored(rng, document) for document in unique]
    for at in rng.sample(range(_DOCUMENTS), _UNTAGGED):
        stored[at] = stored[at]._replace(tags=())
    for document in rng.sample(stored, _DUPLICATES):
        again = document._replace(tags=(_draw_tag(rng),)) if rng.random() < 0.3 else document
        stored.append(again)
    stored += [Document(None, text, (_draw_tag(rng),)) for text in _EMPTY_TEXTS]
    rng.shuffle(stored)
    ids = sorted(rng.sample(range(1000, 9000), len(stored)))
    taken = {_key(document) for document in unique}
    return Corpus(
        documents=dict(zip(ids, stored, strict=True)),
        ids=rng.sample(ids, _IDS),
        samples=list(_unlike(taken, _SAMPLES, random.Random(f"samples {seed}"))),
        seed=seed,
    )


def _key(document: Document) -> str:
    return join_title(None, document.text)


def _unlike(taken: set[str], count: int, rng: random.Random) -> Iterator[Document]:
    """So many documents whose texts differ from each other and from those taken already, titles apart."""
    taken = set(taken)
    while count:
        document = draw_document(rng)
        if (key := _key(document)) not in taken:
            taken.add(key)
            count -= 1
            yield document
