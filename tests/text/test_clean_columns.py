"""Columns of documents are cleaned and hashed as single texts are."""

import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from get_tags_train.text.clean import clean_text, join_title, text_hash
from get_tags_train.text.clean_columns import EVERYDAY, clean_documents, text_hashes

AWKWARD = [
    "ș", "ş", "Ţ", "s\u0327", "a", "b", "a\u0306", "\u0301", "<p>", "</p>", "<", "&amp;", "&", " ", "  ", "\n", "\r\n",
    "\t", "\xa0", "\xad", "\u200b", "\u2028", "\ufeff", "\x00", "\x85", "\u2126", "\u037e", "─", "≠", "漢", "…", "„",
]  # fmt: skip
texts = st.one_of(st.none(), st.text(max_size=30), st.lists(st.sampled_from(AWKWARD), max_size=12).map("".join))


@given(documents=st.lists(st.tuples(texts, texts), max_size=6))
@example(documents=[(None, "\ud800 surrogate"), ("Titlu", "text")])
@example(documents=[("Titlu ", "text"), ("Titlu", "\ntext"), ("", "text"), (None, None)])
def test_a_column_is_cleaned_as_its_documents_are(documents: list[tuple[str | None, str | None]]) -> None:
    assert clean_documents(documents).to_pylist() == [join_title(*document) for document in documents]


def test_cleaning_changes_no_everyday_letter_beside_any_other() -> None:
    pattern = re.compile(f"[{re.sub(r'x{([0-9a-f]+)}', lambda m: f'u{int(m[1], 16):04x}', EVERYDAY)}]")
    letters = [chr(code) for code in range(0x3000) if pattern.fullmatch(chr(code)) and not chr(code).isspace()]
    assert {"ț", "Ș", "A", "”", "─"} < set(letters) and not {"<", "&", "ş", "\xad", "\u0301"} & set(letters)
    assert clean_text("".join(letters)) == "".join(letters)
    assert clean_text("".join(reversed(letters))) == "".join(reversed(letters))


@given(documents=st.lists(st.text(max_size=30).map(clean_text), max_size=6), first=st.integers(0, 3))
@pytest.mark.parametrize("sliced", [False, True])
def test_a_column_is_hashed_as_its_texts_are(documents: list[str], first: int, sliced: bool) -> None:
    column = pa.array(documents, pa.string())
    column, documents = (column[first:], documents[first:]) if sliced else (column, documents)
    assert text_hashes(column).to_pylist() == [text_hash(text) for text in documents]
