"""One text: cleaned, and the hash that says that two texts are the same."""

import hashlib
import re
import unicodedata
from itertools import groupby

from get_tags_train.text.clean_markup import without_markup

# Changes to the rules below must raise this number: data prepared by other rules are not continued.
RULES_VERSION = 3

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
# Composing takes time by the square of the marks on one letter: of more than 200 of them 100 stay.
_MOST_MARKS, _KEPT_MARKS = 200, 100
_MANY_MARKS = re.compile(f"[\u0300-\U0010ffff]{{{_MOST_MARKS},}}")
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
    if any(map(unicodedata.combining, text[::_MOST_MARKS])):
        text = _MANY_MARKS.sub(_with_fewer_marks, text)
    text = _with_commas(unicodedata.normalize("NFC", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _with_fewer_marks(letters: re.Match[str]) -> str:
    runs = ("".join(run) for _, run in groupby(letters[0], lambda letter: unicodedata.combining(letter) > 0))
    return "".join(
        run[:_KEPT_MARKS] if len(run) >= _MOST_MARKS and unicodedata.combining(run[0]) else run for run in runs
    )


def _with_commas(text: str) -> str:
    """Comma-below letters in place of those with a cedilla; a second cedilla would make one anew, again and again."""
    commas = text
    for cedilla, comma in CEDILLA_TO_COMMA.items():
        commas = commas.replace(cedilla, comma)
    if commas == text or "\u0327" not in commas:
        return commas
    return _with_commas(unicodedata.normalize("NFC", _CEDILLAS.sub("\u0327", commas)))
