"""The words of the embedded example, as topics.toml has them."""

import tomllib
from pathlib import Path
from typing import NamedTuple


class Topic(NamedTuple):
    """The phrases of one tag, by the slots of a frame; `near` are tags that often stand on the same document."""

    near: tuple[str, ...]
    who: tuple[str, ...]
    must: tuple[str, ...]
    about: tuple[str, ...]
    fact: tuple[str, ...]

    @classmethod
    def of(cls, phrases: dict[str, list[str]]) -> "Topic":
        """The topic that a table of topics.toml describes."""
        return cls(*(tuple(phrases[field]) for field in cls._fields))


_WORDS = tomllib.loads(Path(__file__).with_name("topics.toml").read_text(encoding="utf-8"))

TOPICS: dict[str, Topic] = {tag: Topic.of(phrases) for tag, phrases in _WORDS["topics"].items()}
GENERAL = Topic.of(_WORDS["general"])
FRAMES, ASIDES, BOILERPLATE, TITLES, TOWNS, MONTHS, ACTS, TERMS = (
    tuple(_WORDS[name]) for name in ("frames", "asides", "boilerplate", "titles", "towns", "months", "acts", "terms")
)
