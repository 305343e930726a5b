"""One text: cleaned, and the hash that says that two texts are the same."""

import hashlib
import html
import re
import unicodedata

from selectolax.lexbor import LexborHTMLParser

# Changes to the rules below must raise this number: data prepared by other rules are not continued.
RULES_VERSION = 2

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
_BLOCK = (
    "address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|"
    "header|hr|html|li|main|nav|ol|p|pre|section|table|tbody|tfoot|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|b|big|cite|code|col|colgroup|del|em|font|head|i|iframe|img|input|ins|label|link|mark|meta|"
    "noscript|o:p|object|option|q|s|script|select|small|span|strike|strong|style|sub|sup|td|template|th|tt|u|var"
)
_TAG = re.compile(rf"<(?:/?(?:{_BLOCK}|{_INLINE})(?=[\s/>])|!--|!doctype\s)[^<>]*>", re.IGNORECASE)
_LINE_BREAK = re.compile(rf"(?=</?(?:{_BLOCK})[\s/>])", re.IGNORECASE)
_CELL_BREAK = re.compile(r"(?=<t[dh][\s/>])", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NESTED_AMPERSAND = re.compile(r"&(?:(?:amp|#0*38|#[xX]0*26);)+")
_CEDILLAS = re.compile("\u0327{2,}")
_UNREAD = ["script", "style", "head", "template", "noscript"]
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
        plain = _tidy(_without_markup(text))
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


def _without_markup(text: str) -> str:
    if "&" in text:
        text = _NESTED_AMPERSAND.sub("&", text)
    if "<" in text and _TAG.search(text):
        text = _CELL_BREAK.sub(" ", _LINE_BREAK.sub("\n", text))
        tree = LexborHTMLParser(text)
        tree.strip_tags(_UNREAD, recursive=True)
        return tree.text(separator="")
    if "&" in text:
        return _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return text


def _tidy(text: str) -> str:
    text = _with_commas(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _with_commas(text: str) -> str:
    """Comma-below letters in place of those with a cedilla; a second cedilla would make one anew, again and again."""
    commas = text
    for cedilla, comma in CEDILLA_TO_COMMA.items():
        commas = commas.replace(cedilla, comma)
    if commas == text or "\u0327" not in commas:
        return commas
    return _with_commas(unicodedata.normalize("NFC", _CEDILLAS.sub("\u0327", commas)))
