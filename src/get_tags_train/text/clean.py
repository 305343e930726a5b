"""One text: cleaned, and the hash that says that two texts are the same."""

import hashlib
import html
import re
import unicodedata
from bisect import bisect_left

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
_BLOCK = (
    "address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|"
    "header|hr|html|li|main|nav|ol|p|pre|section|table|tbody|tfoot|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|b|big|cite|code|col|colgroup|del|em|font|head|i|iframe|img|input|ins|label|link|mark|meta|"
    "noscript|o:p|object|option|q|s|script|select|small|span|strike|strong|style|sub|sup|td|template|th|tt|u|var"
)
# Says that a text is HTML: a tag that we know, a comment, or a document type.
_KNOWN_TAG = re.compile(rf"<(?:/?(?:{_BLOCK}|{_INLINE})(?=[\s/>])|!--|!doctype\s)[^<>]*>", re.IGNORECASE)
# Any tag of such a text, known or not: without attributes, with one bare word (nowrap), or with one that has a value.
# So "420 <q ≤ 840, dar > 20" is no tag. A > inside quotes ends none. Nothing reaches over the next <: the time is that
# of reading once, and a tag that is never closed takes no text with it.
_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[a-z][a-z0-9:_.-]*+)
        (?:\s*+/?+> | \s++[a-z-]++\s*+/?+>
        | (?=[\s/])(?=[^<>=]*+=)(?:(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>|[^<>]*+>))
        | <[!?][a-z\[/-][^<>]*+>""",
    re.IGNORECASE | re.VERBOSE,
)
_BREAKS_LINE = re.compile(_BLOCK, re.IGNORECASE)
_CELLS = {"td", "th"}
# What begins and ends a part that is not to be read (CDATA: whose content is to be read as it is).
_UNREAD = re.compile(
    r"<!--+>|(?P<comment><!--)|(?P<cdata><!\[CDATA\[)|(?P<comment_end>-->)|(?P<cdata_end>\]\]>)"
    r"|<(?P<end>/?)(?P<name>script|style|template|noscript)(?=[\s/>])[^<>]*+>",
    re.IGNORECASE,
)
# Only where a document begins: anywhere else a head is a word that somebody wrote between < and >.
_HEAD = re.compile(
    r"\A(?:\s|<!doctype\s[^<>]*+>|<\?[^<>]*+>|<html(?=[\s>])[^<>]*+>)*+<head(?=[\s>])[^<>]*+>.*?</head\s*>",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# As browsers read it: without a semicolon too, with zeros in front. More digits are no character's number.
_HTML_ENTITY = re.compile(r"&(?:#0*+\d{0,7}(?!\d)|#[xX]0*+[0-9a-fA-F]{0,6}(?![0-9a-fA-F])|[A-Za-z][A-Za-z0-9]{1,31});?")
_NESTED_AMPERSAND = re.compile(r"&(?:(?:amp|#0*38|#[xX]0*26);)+")
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
    if "<" in text and _KNOWN_TAG.search(text):
        return _HTML_ENTITY.sub(_unescaped, _TAG.sub(_in_place_of, _without_unread(text)))
    if "&" in text:
        return _ENTITY.sub(_unescaped, text)
    return text


def _unescaped(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])


def _in_place_of(tag: re.Match[str]) -> str:
    """What separates the words on both sides of a tag."""
    name = (tag["name"] or "").lower()
    if _BREAKS_LINE.fullmatch(name):
        return "\n"
    return " " if name in _CELLS and not tag["end"] else ""


def _without_unread(text: str) -> str:
    """Without comments, scripts, styles and the head; of one that is never closed only its mark goes, not what follows.

    Of a CDATA section only the marks go: its content is text.
    """
    marks = list(_UNREAD.finditer(text))
    ends: dict[str, list[re.Match[str]]] = {}
    for mark in marks:
        if ended := _ended_by(mark):
            ends.setdefault(ended, []).append(mark)
    kept, done = [], 0
    for mark in marks:
        if mark.start() < done or _ended_by(mark):
            continue
        kept.append(text[done : mark.start()])
        begun = (mark["name"] or mark.lastgroup or "").lower()
        later = ends.get(begun, [])
        place = bisect_left(later, mark.end(), key=re.Match.start)
        done = mark.end()
        if place < len(later):
            kept.append(text[done : later[place].start()] if begun == "cdata" else "")
            done = later[place].end()
    return _HEAD.sub("", "".join([*kept, text[done:]]))


def _ended_by(mark: re.Match[str]) -> str:
    """What a mark of _UNREAD is the end of; '' for one that begins something."""
    if mark["end"]:
        return str(mark["name"]).lower()
    return "comment" if mark["comment_end"] else "cdata" if mark["cdata_end"] else ""


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
