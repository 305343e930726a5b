"""The words people read, in their language: Romanian or English, by gettext.

Keys of JSON output, log files and model cards stay English: they are for programs and for those who look after them.
"""

import gettext
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

if sys.platform == "win32":
    import ctypes

LANGUAGES = ("ro", "en")
DOMAIN = "get_tags_train"
LOCALE_DIR = Path(__file__).parents[1] / "locale"
_ROMANIAN_ON_WINDOWS = 0x18  # the primary language in the lower ten bits of a LANGID
_SEPARATORS = str.maketrans(",.", ".,")


def N_(message: str) -> str:
    """Mark a constant for translation; it is translated where it is shown."""
    return message


# Codes that results and files carry, as people read them.
_NAMES = {
    "undecodable": N_("undecodable"),
    "too_long": N_("too long"),
    "no_text": N_("without text"),
    "no_tags": N_("without tags"),
    "duplicate": N_("with a text that was there before"),
    "boilerplate": N_("with boilerplate for text"),
    "read": N_("reading"),
    "clean": N_("cleaning"),
    "tokenise": N_("tokenising"),
    "take": N_("taking over"),
    "join": N_("joining"),
    "write": N_("writing"),
    "came": N_("came"),
    "went": N_("went"),
    "renamed": N_("renamed"),
    "unchanged": N_("unchanged"),
    "text_changed": N_("text changed"),
    "tags_changed": N_("tags changed"),
    "text_and_tags_changed": N_("text and tags changed"),
    "documents_changed": N_("documents changed"),
    "same id": N_("same id"),
    "same text": N_("same text"),
    "nearly the same text": N_("nearly the same text"),
    "test samples": N_("test samples"),
    "held-out documents": N_("held-out documents"),
    "newest held-out documents": N_("newest held-out documents"),
    "test samples chosen for rare tags": N_("test samples chosen for rare tags"),
    "documents": N_("documents"),
    "steps": N_("steps"),
    "random": N_("by chance"),
    "rare": N_("rare"),
    "middle": N_("middle"),
    "frequent": N_("frequent"),
    "deploy": N_("deployed"),
    "rollback": N_("rolled back"),
    "undo": N_("undone"),
}


class _Said(str):
    """A message in the reader's language that still knows its English, for the log."""

    english: str


class _Filling(Formatter):
    """Fills in a message; numbers are written as the language writes them: 170,000 and 0.95, or 170.000 and 0,95."""

    def __init__(self, language: str) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if self.language == "en" and isinstance(value, str):
            value = english(value)
        text: str = super().format_field(value, format_spec)
        return text.translate(_SEPARATORS) if self.language == "ro" and _is_number(value) else text


class _Language:
    """The language in use; found out at the first message, unless it was chosen before."""

    def __init__(self) -> None:
        self.name = ""
        self.catalogue: gettext.NullTranslations = gettext.NullTranslations()

    def use(self, name: str) -> None:
        self.name = name
        found = (
            gettext.NullTranslations()
            if name == "en"
            else gettext.translation(DOMAIN, LOCALE_DIR, [name], fallback=True)
        )
        self.catalogue = found

    def known(self) -> "_Language":
        if not self.name:
            self.use(system_language())
        return self


_language = _Language()


def set_language(language: str) -> None:
    """Use a language from here on: ro, en, or auto for the system's."""
    _language.use(system_language() if language == "auto" else language)


def current_language() -> str:
    """The language in use: ro or en."""
    return _language.known().name


def _(message: str, /, **values: Any) -> str:
    """A message in the reader's language, its {placeholders} filled in."""
    return _filled(_language.known().catalogue.gettext(message), message, values)


def _n(singular: str, plural: str, count: int, /, **values: Any) -> str:
    """A message about `count` things, which is one of its placeholders; Romanian has three forms: 1, 2 to 19, 20 on."""
    said = _language.known().catalogue.ngettext(singular, plural, count)
    return _filled(said, singular if count == 1 else plural, {"count": count, **values})


def named(code: str) -> str:
    """A code of a result in words: no_text is "without text"; one that has no words stays as it is."""
    return _(_NAMES[code]) if code in _NAMES else code.replace("_", " ")


def documents(count: int) -> str:
    """So many documents."""
    return _n("{count:,} document", "{count:,} documents", count)


def tags_of(count: int) -> str:
    """So many tags."""
    return _n("{count:,} tag", "{count:,} tags", count)


def interval_text(low: float, high: float) -> str:
    """An interval."""
    return _("{low:.3f} to {high:.3f}", low=low, high=high)


def number(value: float, form: str = ",") -> str:
    """A number by a format specification, as the language in use writes it."""
    return _Filling(current_language()).format_field(value, form)


def english(text: str) -> str:
    """What a message says in English; text that is no message of ours stays as it is."""
    return text.english if isinstance(text, _Said) else text


def system_language(environ: Mapping[str, str] = os.environ) -> str:
    """ro where the system speaks Romanian, else en."""
    named = next((environ[key] for key in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG") if environ.get(key)), "")
    if not named and sys.platform == "win32":
        primary = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF
        return "ro" if primary == _ROMANIAN_ON_WINDOWS else "en"
    return "ro" if named.lower().startswith(("ro", "mo_")) else "en"


def _filled(translated: str, message: str, values: Mapping[str, Any]) -> str:
    said = _Said(_Filling(current_language()).vformat(translated, (), values) if values else translated)
    said.english = _Filling("en").vformat(message, (), values) if values else message
    return said


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) or type(value).__module__ == "numpy"


_REASONS = [
    (r"Input should be a valid integer.*", N_("it should be a whole number")),
    (r"Input should be a valid number.*", N_("it should be a number")),
    (r"Input should be a valid boolean.*", N_("it should be true or false")),
    (r"Input should be a valid string.*", N_("it should be a text in quotes")),
    (r"Input should be a valid dictionary.*", N_("it should be a section: a line [name] with settings below it")),
    (r"Input should be greater than or equal to (?P<limit>\S+)", N_("it should be at least {limit}")),
    (r"Input should be less than or equal to (?P<limit>\S+)", N_("it should be at most {limit}")),
    (r"Input should be greater than (?P<limit>\S+)", N_("it should be more than {limit}")),
    (r"Input should be less than (?P<limit>\S+)", N_("it should be less than {limit}")),
    (r"String should have at least 1 character", N_("it should not be empty")),
    (r"Value error, (?P<value>.*) is not one of (?P<choices>.*?)\.?", N_("{value} is not one of {choices}")),
    (r"Input should be (?P<first>'.*) or (?P<last>'.*')", N_("it should be {first} or {last}")),
    (r"Input should be (?P<only>'.*')", N_("it should be {only}")),
]


def validation_message(message: str) -> str:
    """What pydantic says of a value, in words for people; in its own where we have none."""
    for pattern, text in _REASONS:
        if found := re.fullmatch(pattern, message):
            return _(text, **found.groupdict())
    return message[:1].lower() + message[1:]
