"""One text: cleaned, and the hash that says that two texts are the same."""

import hashlib
import re
import unicodedata
from itertools import groupby

from get_tags_train.text.clean_markup import without_markup

# Changes to the rules below must raise this number: data prepared by other rules are not continued.
RULES_VERSION = 4

CEDILLA_TO_COMMA = {"ş": "ș", "ţ": "ț", "Ş": "Ș", "Ţ": "Ț"}
# Control and format characters (soft hyphen, zero-width space, byte order mark, ...) that are not white space,
# as the inside of a character class; text/tokenizer.py removes the same ones.
INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U00013438"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
_LONE_SURROGATES = "\ud800-\udfff"
_INVISIBLE = re.compile(f"[{INVISIBLE}{_LONE_SURROGATES}]")
# Composing sorts the marks on a letter, in time by the square of their number: so many are sorted before.
_MANY = 200
_MANY_MARKS = re.compile(f"[\u0300-\U0010ffff]{{{_MANY},}}")
_CEDILLAS = re.compile("\u0327{2,}")
# Text that was escaped twice is unescaped twice; no honest document needs more rounds than this, and one that
# does loses the characters that would begin more markup.
_MAX_MARKUP_ROUNDS = 8


def clean_text(text: str | None) -> str:
    """Plain, composed text (NFC, comma-below letters) without HTML and control characters.

    White space is one space, paragraphs stand on lines of their own; cleaning twice changes nothing more.
    """
    if not text:
        return ""
    if "<" not in text and "&" not in text:
        return _tidy(text)
    for _ in range(_MAX_MARKUP_ROUNDS):
        plain = _tidy(without_markup(text))
        if plain == text:
            return text
        text = plain
    return _tidy(text.translate({ord("<"): " ", ord("&"): " "}))


def join_title(title: str | None, text: str | None) -> str:
    """The clean text of a document: its title, where there is one, on the line before its text."""
    return "\n".join(part for part in (clean_text(title), clean_text(text)) if part)


def text_hash(clean: str) -> bytes:
    """16 bytes that are equal for clean texts with the same words, however they are spaced (BLAKE2b)."""
    return digest(" ".join(clean.split()).encode())


def digest(letters: bytes | memoryview) -> bytes:
    """16 bytes that are equal for equal letters."""
    return hashlib.blake2b(letters, digest_size=16).digest()


def _tidy(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    # A run so long has a mark at one of these places.
    if len(text) >= _MANY and any(map(_begins_with_mark, text[::_MANY])):
        text = _MANY_MARKS.sub(_with_sorted_marks, text)
    text = _with_commas(unicodedata.normalize("NFC", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _begins_with_mark(letter: str) -> bool:
    return unicodedata.combining(unicodedata.normalize("NFD", letter)[0]) > 0


def _with_sorted_marks(letters: re.Match[str]) -> str:
    """The letters decomposed, with their marks in canonical order: NFC makes the same of them, in linear time."""
    decomposed = (part for letter in letters[0] for part in unicodedata.normalize("NFD", letter))
    runs = groupby(decomposed, lambda part: unicodedata.combining(part) > 0)
    return "".join(part for _, run in runs for part in sorted(run, key=unicodedata.combining))


def _with_commas(text: str) -> str:
    """Comma-below letters in place of those with a cedilla; a second cedilla would make one anew, again and again."""
    commas = text
    for cedilla, comma in CEDILLA_TO_COMMA.items():
        commas = commas.replace(cedilla, comma)
    if commas == text or "\u0327" not in commas:
        return commas
    return _with_commas(unicodedata.normalize("NFC", _CEDILLAS.sub("\u0327", commas)))
