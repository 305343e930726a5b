"""Text files in whatever encoding they come: which one it is, found once, and their lines as a stream."""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import N_, _

_MAX_BYTES = 1 << 30
# A cell, or a line, that is longer is no text but a file of something else, or one whose quotes do not close.
MAX_CELL_CHARACTERS = 1 << 26
_CHUNK_BYTES = 1 << 20
# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHER_FILES = (
    (b"%PDF-", N_("a PDF file")),
    (b"PK\x03\x04", N_("a Word or Excel file, or another zip archive")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", N_("an old Word or Excel file, or one with a password")),
    (b"{\\rtf", N_("an RTF file")),
    (b"\x1f\x8b", N_("a gzip archive")),
    (b"SQLite format 3\0", N_("an SQLite database")),
)
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
_LATIN = re.compile("[\t\n\r -\u024f]")
_NOT_ASCII = re.compile("[^\0-\x7f]")
# What the error handler "surrogateescape" makes of bytes that are no UTF-8.
_ESCAPED = re.compile("[\udc80-\udcff]")


def find_encoding(path: Path, name: str = "", if_missing: str = "") -> str:
    """The codec of a text file: UTF-8, UTF-16 or UTF-32 with its mark or not, else cp1250.

    A file that begins with a mark, or is UTF-8 in most of its letters, must be so to its end. The codec adds and
    removes no mark. `name` is for messages, `if_missing` the hint where there is no such file. Raises InputError,
    naming the line of the first wrong byte.
    """
    name = name or str(path)
    with open_file(path, name, if_missing) as stream:
        start = stream.read(_CHUNK_BYTES)
        for magic, kind in _OTHER_FILES:
            if start.startswith(magic):
                raise InputError(
                    _("{name} is not a text file but {kind}.", name=name, kind=_(kind)),
                    _("Save what is in it as .csv, .xlsx or .txt."),
                )
        marked = next((codec for mark, codec in _MARKS if start.startswith(mark)), "") or _utf16_without_mark(start)
        if not marked and 100 * start.count(0) > len(start):  # a few are what some programs leave between texts
            raise InputError(
                _("{name} is not text in {encodings}: it has zero bytes.", name=name, encodings=_("UTF-8 or cp1250")),
                _("Save it as UTF-8; in Excel: CSV UTF-8."),
            )
        line = _wrong_line(stream, marked or "utf-8")
        if not line:
            return marked or "utf-8"
        if marked == "utf-8" or (not marked and _is_mostly_utf8(stream)):
            raise InputError(
                _("{name}, line {line}: a byte is not UTF-8, unlike the rest of the file.", name=name, line=line),
                _("Open the file, correct that line, and save it as UTF-8; in Excel: CSV UTF-8."),
            )
        if not marked and not (line := _wrong_line(stream, "cp1250")):
            return "cp1250"
    encodings = marked[:-3].upper() or _("UTF-8 or cp1250")
    raise InputError(
        _("{name} is not text in {encodings}: see line {line}.", name=name, encodings=encodings, line=line),
        _("Save it as UTF-8; in Excel: CSV UTF-8."),
    )


def read_text(path: Path, name: str = "") -> str:
    """A whole text file of at most 1 GB, without its mark and without halves of characters. Raises InputError."""
    name = name or str(path)
    with open_file(path, name) as stream:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(_("{path} is larger than 1 GB.", path=name), _("Check that it is the file you mean."))
        raw = stream.read()
    return whole_characters(raw.decode(find_encoding(path, name), "surrogatepass").lstrip("\ufeff"))


def text_lines(path: Path, encoding: str, name: str, newline: str = "") -> Iterator[str]:
    """The lines of a text file with their ends, without marks and halves of characters. Raises InputError.

    newline: as open() takes it.
    """
    with path.open(encoding=encoding, errors="surrogatepass", newline=newline) as stream:
        number = 0
        while line := stream.readline(MAX_CELL_CHARACTERS + 1):
            number += 1
            if len(line) > MAX_CELL_CHARACTERS:
                raise InputError(
                    _(
                        "{name}, line {line} is longer than {characters:,} characters.",
                        name=name,
                        line=number,
                        characters=MAX_CELL_CHARACTERS,
                    ),
                    _("Check that it is the file you mean."),
                )
            yield whole_characters(line.lstrip("\ufeff"))  # files joined to one have marks inside


def text_chunks(path: Path, encoding: str) -> Iterator[str]:
    """A text file piece by piece, as text_lines reads it."""
    with path.open(encoding=encoding, errors="surrogatepass", newline="") as stream:
        is_first = True
        while chunk := stream.read(_CHUNK_BYTES):
            yield whole_characters(chunk.lstrip("\ufeff") if is_first else chunk)
            is_first = False


def whole_characters(text: str) -> str:
    """The text without halves of characters, such as a program leaves that cuts an emoji in two."""
    return _LONE_SURROGATES.sub("", text)


@contextmanager
def open_file(path: Path, name: str, if_missing: str = "") -> Iterator[BinaryIO]:
    """A file to read. Raises InputError where it is not there or cannot be read."""
    try:
        with path.open("rb") as stream:
            yield stream
    except FileNotFoundError:
        hint = if_missing or _("Check its name and folder.")
        raise InputError(_("There is no file {path}.", path=name), hint) from None
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}.", path=name, reason=error.strerror), _("Check the path and its rights.")
        ) from error


def _utf16_without_mark(start: bytes) -> str:
    """UTF-16 is certain where there are zero bytes and more than half of the characters are Latin letters."""
    if b"\0" not in start:
        return ""
    whole = start[: len(start) // 2 * 2]
    texts = {codec: whole.decode(codec, "replace") for codec in ("utf-16-le", "utf-16-be")}
    latin = {codec: len(_LATIN.findall(text)) for codec, text in texts.items()}
    best = max(latin, key=lambda codec: latin[codec])
    return best if 2 * latin[best] > len(texts[best]) else ""


def _decoded(stream: BinaryIO, encoding: str, errors: str) -> Iterator[str]:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    while chunk := stream.read(_CHUNK_BYTES):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _wrong_line(stream: BinaryIO, encoding: str) -> int:
    """The line, from 1 on, of the first bytes that this encoding does not have; 0 where there are none."""
    line = 1
    try:
        for text in _decoded(stream, encoding, "surrogatepass"):
            line += text.count("\n")
    except UnicodeDecodeError as error:
        return line + error.object[: error.start].decode(encoding, "replace").count("\n")
    return 0


def _is_mostly_utf8(stream: BinaryIO) -> bool:
    """Whether more letters are UTF-8 than bytes are not; text in cp1250 has hardly any that are by chance."""
    right = wrong = 0
    for text in _decoded(stream, "utf-8", "surrogateescape"):
        escaped = len(_ESCAPED.findall(text))
        wrong += escaped
        right += len(_NOT_ASCII.findall(text)) - escaped
    return right > wrong
