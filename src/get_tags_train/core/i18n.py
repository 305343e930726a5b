"""The language that people read: Romanian or English, by gettext; numbers, durations and sizes as it writes them.

Keys of JSON output, log files and model cards stay English: they are for programs and for those who look after them.
"""

import gettext
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
_DISPLAY_NAMES = {
    "undecodable": N_("undecodable"),
    "too_long": N_("too long"),
    "no_text": N_("without text"),
    "no_tags": N_("without tags"),
    "duplicate": N_("with the same text as another"),
    "boilerplate": N_("with boilerplate for text"),
    "read": N_("reading"),
    "clean": N_("cleaning"),
    "tokenise": N_("tokenising"),
    "take": N_("reusing"),
    "join": N_("joining"),
    "write": N_("writing"),
    "came": N_("added"),
    "went": N_("removed"),
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
    "test samples judged by people": N_("test samples judged by people"),
    "documents": N_("documents"),
    "steps": N_("steps"),
    "folds": N_("folds"),
    "random": N_("at random"),
    "rare": N_("rare"),
    "middle": N_("middle"),
    "frequent": N_("frequent"),
    "right": N_("right"),
    "wrong": N_("wrong"),
    "unknown": N_("don't know"),
    "deploy": N_("deployed"),
    "rollback": N_("rolled back"),
    "undo": N_("undone"),
}


class Command:
    """A command of ours that a message names: Command("data", "remove", name).

    Logs show it plainly, `get-tags data remove NAME`; people read it as it can be typed where they are: see
    `set_command_style`.
    """

    def __init__(self, *words: str) -> None:
        self.words = words

    def __str__(self) -> str:
        return shlex.join(["get-tags", *self.words])


class _Message(str):
    """A message in the reader's language that also knows its English, for the log."""

    english: str


class _Reader:
    """Who reads: in which language, and how a command is written for them.

    One for the whole process, as gettext's own: the threads of `serve` speak as the command line does, which a context
    variable would not give them.
    """

    def __init__(self) -> None:
        self.language = ""  # unknown until the first message, unless it is chosen before
        self.catalogue: gettext.NullTranslations = gettext.NullTranslations()
        self.write_command: Callable[[Command], str] = str

    def speak(self, language: str) -> None:
        self.language = language
        if language == "en":
            self.catalogue = gettext.NullTranslations()
        else:
            self.catalogue = gettext.translation(DOMAIN, LOCALE_DIR, [language], fallback=True)

    def known(self) -> "_Reader":
        if not self.language:
            self.speak(system_language())
        return self


_reader = _Reader()


class _Formatter(Formatter):
    """Fills in a message; numbers are written as the language writes them: 170,000 and 0.95, or 170.000 and 0,95."""

    def __init__(self, language: str, write_command: Callable[[Command], str]) -> None:
        self._language, self._write_command = language, write_command

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Command):
            return self._write_command(value)
        if self._language == "en" and isinstance(value, str):
            value = english(value)
        text: str = super().format_field(value, format_spec)
        return text.translate(_SEPARATORS) if self._language == "ro" and _is_number(value) else text


def set_language(language: str) -> None:
    """Use a language from here on: ro, en, or auto for the system's."""
    _reader.speak(system_language() if language == "auto" else language)


def set_command_style(write_command: Callable[[Command], str]) -> None:
    """Write commands in messages this way from here on; `str` is the plain one."""
    _reader.write_command = write_command


def current_language() -> str:
    """The language in use: ro or en."""
    return _reader.known().language


def _(message: str, /, **values: Any) -> str:
    """A message in the reader's language, its {placeholders} filled in."""
    return _filled(_reader.known(), _reader.catalogue.gettext(message), message, values)


def translator(language: str) -> Callable[..., str]:
    """`_` in this language, ro or en, whatever the process speaks: for readers far away, each with their own."""
    reader = _Reader()
    reader.speak(language)

    def translate(message: str, /, **values: Any) -> str:
        return _filled(reader, reader.catalogue.gettext(message), message, values)

    return translate


def _n(singular: str, plural: str, count: int, /, **values: Any) -> str:
    """A message about `count` things, which is one of its placeholders; Romanian has three forms: 1, 2 to 19, 20 on."""
    translated = _reader.known().catalogue.ngettext(singular, plural, count)
    return _filled(_reader, translated, singular if count == 1 else plural, {"count": count, **values})


def _filled(reader: _Reader, translated: str, message: str, values: Mapping[str, Any]) -> str:
    formatter = _Formatter(reader.language, reader.write_command)
    filled = _Message(formatter.vformat(translated, (), values) if values else translated)
    filled.english = _Formatter("en", str).vformat(message, (), values) if values else message
    return filled


def display_name(code: str) -> str:
    """A code of a result as people read it: no_text is "without text"; an unknown one stays as it is."""
    return _(_DISPLAY_NAMES[code]) if code in _DISPLAY_NAMES else code.replace("_", " ")


def documents(count: int) -> str:
    """So many documents."""
    return _n("{count:,} document", "{count:,} documents", count)


def tags_of(count: int) -> str:
    """So many tags."""
    return _n("{count:,} tag", "{count:,} tags", count)


def counted(count: int, unit: str) -> str:
    """So many of what a stage counts: documents, tags, steps or folds."""
    forms: dict[str, Callable[[int], str]] = {
        "documents": documents,
        "tags": tags_of,
        "steps": lambda steps: _n("{count:,} step", "{count:,} steps", steps),
        "folds": lambda folds: _n("{count:,} fold", "{count:,} folds", folds),
    }
    return forms[unit](count)


def ignored_ids(*, repeated: int, nulls: int, missing: int = 0) -> str:
    """How many ids led to no document of their own, and why; nothing is said of what there is none of."""
    counted = [
        (missing, _("{count:,} not in the database", count=missing)),
        (repeated, _("{count:,} repeated", count=repeated)),
        (nulls, _("{count:,} NULL", count=nulls)),
    ]
    return ", ".join(said for count, said in counted if count) or _("none")


def first_of(listed: Sequence[object], count: int | None = None, *, shown: int = 5, joined: str = "; ") -> str:
    """The first few, and how many more there are; `count` in all."""
    said = joined.join(map(str, listed[:shown]))
    more = (len(listed) if count is None else count) - len(listed[:shown])
    return _("{listed} and {more:,} more", listed=said, more=more) if listed and more else said


def interval_text(low: float, high: float) -> str:
    """An interval."""
    return _("{low:.3f} to {high:.3f}", low=low, high=high)


def number(value: float, form: str = ",") -> str:
    """A number by a format specification, as the language in use writes it."""
    return _Formatter(current_language(), str).format_field(value, form)


def format_duration(seconds: float) -> str:
    """Seconds as people read them: 3.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 59.95:  # above, one decimal would show 60.0 s
        return f"{number(seconds, '.1f')} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def format_minutes(seconds: float) -> str:
    """An estimate of seconds, in minutes at the finest: 4 min, 2 h 5 min."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def format_bytes(count: float) -> str:
    """A size in decimal units: 3.4 MB, 1.2 GB."""
    return f"{number(count / 1e9, ',.1f')} GB" if count >= 1e9 else f"{number(count / 1e6, ',.1f')} MB"


@contextmanager
def in_english() -> Iterator[None]:
    """Messages made inside `with` are English, whoever reads otherwise, and name commands plainly: for the log."""
    language, write_command = current_language(), _reader.write_command
    _reader.speak("en")
    _reader.write_command = str
    try:
        yield
    finally:
        _reader.speak(language)
        _reader.write_command = write_command


def english(text: str) -> str:
    """A message in English; text that is no message of ours stays as it is."""
    return text.english if isinstance(text, _Message) else text


def system_language(environ: Mapping[str, str] = os.environ) -> str:
    """ro where the system speaks Romanian, else en."""
    language = next((environ[key] for key in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG") if environ.get(key)), "")
    if not language and sys.platform == "win32":
        primary = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF
        return "ro" if primary == _ROMANIAN_ON_WINDOWS else "en"
    return "ro" if language.lower().startswith(("ro", "mo_")) else "en"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) or type(value).__module__ == "numpy"


_WHOLE_NUMBER, _NUMBER = N_("it should be a whole number"), N_("it should be a number")
_SECTION = N_("it should be a section: a line [name] with settings below it")
# By pydantic's type of an error; the limit is what its context holds.
_VALIDATION_MESSAGES = {
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": N_("it should be true or false"),
    "string_type": N_("it should be a text in quotes"),
    "string_unicode": N_("it is not UTF-8"),
    "model_type": _SECTION,
    "dict_type": _SECTION,
    "greater_than_equal": N_("it should be at least {limit}"),
    "less_than_equal": N_("it should be at most {limit}"),
    "greater_than": N_("it should be more than {limit}"),
    "less_than": N_("it should be less than {limit}"),
    "string_too_short": N_("it should not be empty"),
    "string_too_long": N_("it should have at most {limit} characters"),
    "too_long": N_("it should hold at most {limit}"),
    "too_short": N_("it should hold at least {limit}"),
    "missing": N_("it is missing"),
    "extra_forbidden": N_("there is no such field"),
    "json_invalid": N_("it is not JSON"),
    "model_attributes_type": N_("it should be a JSON object"),
    "literal_error": N_("it should be one of {limit}"),
}


def validation_message(problem: Mapping[str, Any], translate: Callable[..., str] = _) -> str:
    """Why pydantic refuses a value, in our words; in its own where we have none.

    problem: one of ValidationError.errors().
    """
    if message := _VALIDATION_MESSAGES.get(problem["type"]):
        told = list(problem.get("ctx", {}).values())
        limit = next((each for each in told if isinstance(each, int | float)), told[0] if told else "")
        if isinstance(limit, str):
            limit = limit.replace(" or ", ", ")
        elif isinstance(limit, float) and limit.is_integer():
            limit = int(limit)
        return translate(message, limit=limit)
    said = str(problem["msg"])
    return said[:1].lower() + said[1:]
