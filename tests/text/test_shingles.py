"""Texts as sets of word pairs: what makes them equal, and what does not."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from get_tags_train.text.shingles import CHARACTERS, jaccard, shingle

TEXT = "Ordonanța Guvernului nr. 57/2019 privind Codul administrativ, în vigoare"


def similarity(one: str, other: str) -> float:
    shingles = shingle([one, other]).distinct()
    return jaccard(shingles[0], shingles[1])


@pytest.mark.parametrize(
    "other",
    [
        TEXT.upper(),
        TEXT.replace(" ", "  \n\t").replace(",", " ,"),
        "Ordonanta Guvernului nr. 57/2019 privind Codul administrativ, in vigoare",
        TEXT.replace("ț", "ţ"),
        "„Ordonanța Guvernului” nr 57 2019 — privind Codul administrativ în vigoare!",
    ],
)
def test_case_accents_spacing_and_punctuation_do_not_matter(other: str) -> None:
    assert shingle([TEXT])[0].tolist() == shingle([other])[0].tolist()


def test_similarity_by_hand() -> None:
    # a b, b c, c d, d   and   a b, b x, x d, d: 2 of 6 in both.
    assert similarity("a b c d", "a b x d") == pytest.approx(2 / 6)
    assert similarity("a b", "b a") == 0  # the order counts
    assert similarity("a b c", "a b c") == 1


def test_a_shingle_for_each_word_and_none_across_texts() -> None:
    shingles = shingle(["unu doi trei", "", "...", "unu doi", "trei"])
    assert np.diff(shingles.starts).tolist() == [3, 0, 0, 2, 1]
    assert shingles[0][2] == shingles[4][0]
    assert shingles[0][1] not in shingles[3]
    assert shingles.text_of.tolist() == [0, 0, 0, 3, 3, 4]


def test_repetitions_count_once() -> None:
    assert len(shingle(["ani ani ani ani"]).distinct()[0]) == 2
    assert similarity("ani ani ani", "ani ani ani ani ani") == 1


def test_only_the_beginning_counts() -> None:
    beginning = "cuvânt " * (CHARACTERS // 7)
    assert similarity(beginning + "x" * 10 + " unu", beginning + "x" * 10 + " altul " * 1000) > 0.5
    texts = shingle([("a" * CHARACTERS) + " unu", ("a" * CHARACTERS) + " doi"])
    assert texts[0].tolist() == texts[1].tolist()


def test_the_hashes_are_the_same_in_every_run() -> None:
    assert shingle(["Țara mea"])[0].tolist() == [12371843171279673251, 18148726778263325451]


def test_a_slice_of_a_column_is_only_that_slice() -> None:
    column = pa.array(["unu doi", "trei patru", "cinci"])
    assert shingle(column[1:2])[0].tolist() == shingle(["trei patru"])[0].tolist()


def folded_words(text: str) -> list[str]:
    """What a word is, said another way: letter by letter."""
    letters = []
    for character in text[:CHARACTERS]:
        is_letter = character.isalnum() or unicodedata.category(character).startswith("M")
        folded = unicodedata.normalize("NFKD", character.casefold())[0]
        letters.append(folded if is_letter and ord(character) < 0x10000 else " ")
    return "".join(letters).split(" ")


@given(st.lists(st.text(max_size=40), max_size=6))
def test_any_texts_have_the_words_that_reading_letter_by_letter_finds(texts: list[str]) -> None:
    words = [[word for word in folded_words(text) if word] for text in texts]
    shingles = shingle(texts)
    assert np.diff(shingles.starts).tolist() == [len(own) for own in words]
    pairs = [list(zip(own, [*own[1:], ""], strict=False)) for own in words]
    seen: dict[tuple[str, str], int] = {}
    for number, own in enumerate(pairs):
        for pair, found in zip(own, shingles[number].tolist(), strict=True):
            assert seen.setdefault(pair, found) == found
    assert len(set(seen.values())) == len(seen)
