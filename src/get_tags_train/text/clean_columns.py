"""Columns of documents, cleaned and hashed as text/clean.py does with single texts, and faster.

Most texts of a database are tidy already: one regular expression finds those that cleaning may change.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from get_tags_train.text.clean import digest, join_title

# Letters, signs and symbols that no rule changes, wherever they stand: without markup, cedillas, all composed.
EVERYDAY = (
    r" \n!-%'-;=-~\x{a1}-\x{ac}\x{ae}-\x{15d}\x{160}\x{161}\x{164}-\x{24f}\x{391}-\x{3a1}\x{3a3}-\x{3ce}\x{400}-\x{45f}"
    r"\x{2010}-\x{2027}\x{2030}-\x{205e}\x{20a0}-\x{20c0}\x{2190}-\x{2328}\x{232b}-\x{2adb}\x{2add}-\x{2bff}"
)
# Found in every text that cleaning changes, and in some that it does not.
_UNTIDY = rf"[^{EVERYDAY}]|^[ \n]|[ \n]$|[ \n][ \n]"


def clean_documents(documents: Sequence[tuple[str | None, str | None]]) -> pa.StringArray:
    """join_title of each (title, text)."""
    joined = ["\n".join(part for part in document if part) for document in documents]
    try:
        column = pa.array(joined, pa.string())
    except UnicodeEncodeError:  # lone surrogates
        return pa.array([join_title(*document) for document in documents], pa.string())
    untidy = pc.match_substring_regex(column, _UNTIDY)
    places = np.flatnonzero(untidy.to_numpy(zero_copy_only=False)).tolist()
    if not places:
        return column
    return pc.replace_with_mask(column, untidy, pa.array([join_title(*documents[n]) for n in places], pa.string()))


def source_hashes(documents: Sequence[tuple[str | None, str | None]]) -> pa.BinaryArray:
    """The hash of each (title, text) as it is: equal ones become equal clean texts."""
    joined = (f"{title or ''}\0{text or ''}".encode(errors="surrogatepass") for title, text in documents)
    return pa.array([digest(source) for source in joined], pa.binary())


def text_hashes(clean: pa.StringArray) -> pa.BinaryArray:
    """text_hash of each clean text."""
    return pa.array([digest(text) for text in letters(pc.replace_substring(clean, "\n", " "))], pa.binary())


def letters(texts: pa.StringArray) -> Iterator[memoryview]:
    """The UTF-8 of each text, as views of its memory."""
    offsets, content = np.frombuffer(texts.buffers()[1], np.int32), memoryview(texts.buffers()[2] or b"")
    bounds = offsets[texts.offset : texts.offset + len(texts) + 1].tolist()
    return (content[start:stop] for start, stop in pairwise(bounds))
