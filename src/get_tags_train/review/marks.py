"""The marks that people set in a sheet: right, wrong, don't know; in any language that we speak."""

import unicodedata
from collections.abc import Iterable
from typing import Literal, get_args

from get_tags_train.core.i18n import LANGUAGES, N_, _, translator

Mark = Literal["right", "wrong", "unknown"]
_WORDS: dict[Mark, str] = {"right": N_("right"), "wrong": N_("wrong"), "unknown": N_("don't know")}
_VALUES: dict[Mark, float] = {"right": 1.0, "wrong": 0.0, "unknown": 0.5}


def offered_marks() -> list[str]:
    """The words to choose from, in the reader's language."""
    return [_(_WORDS[mark]) for mark in get_args(Mark)]


def in_every_language(text: str) -> list[str]:
    """A translated text in all languages, as a file may have it that was made under another one."""
    return [translator(language)(text) for language in LANGUAGES]


def read_mark(cell: str) -> Mark | None:
    """The mark in a cell, None where it is empty. Raises ValueError for anything else."""
    found = plain(cell)
    if not found:
        return None
    for mark, word in _WORDS.items():
        if found in map(plain, in_every_language(word)):
            return mark
    raise ValueError(
        _("{cell!r} is not a mark; it is one of {words}", cell=cell[:40], words=", ".join(offered_marks()))
    )


def mean_value(marks: Iterable[Mark | None]) -> float | None:
    """What several people's marks of one thing come to: 1 right, 0 wrong, don't know a half; None without any."""
    values = [_VALUES[mark] for mark in marks if mark is not None]
    return sum(values) / len(values) if values else None


def plain(cell: str) -> str:
    """Letters alone, without case and accents: what people type and what programs make of an apostrophe."""
    spelled = unicodedata.normalize("NFKD", cell.casefold())
    return "".join(letter for letter in spelled if letter.isalnum())
