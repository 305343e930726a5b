"""Near-duplicates: all pairs above the threshold, none below, among few texts and among documents."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepared import changed, prepared, texts_of

from get_tags_train.data import near_duplicates
from get_tags_train.data.near_duplicates import SIMILAR, Finder, find_near_duplicates, group_documents, group_texts
from get_tags_train.text.shingles import shingle

WORDS = st.lists(st.sampled_from("abcdef"), max_size=12).map(" ".join)


def pairs_by_hand(texts: list[str], examples: list[str]) -> set[tuple[int, int]]:
    """Every pair compared."""
    sets = [[set(zip(own, [*own[1:], ""], strict=False)) for own in map(str.split, part)] for part in (texts, examples)]
    return {
        (t, e)
        for t, own in enumerate(sets[0])
        for e, other in enumerate(sets[1])
        if own and len(own & other) >= SIMILAR * len(own | other)
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8))
def test_the_pairs_are_those_that_comparing_all_finds(texts: list[str], examples: list[str]) -> None:
    found = Finder(shingle(examples)).find(shingle(texts))
    assert set(zip(found.documents.tolist(), found.examples.tolist(), strict=True)) == pairs_by_hand(texts, examples)


def test_counting_a_few_texts_at_once_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [changed(text, every) for text in texts_of(6) for every in (8, 10, 20)]
    whole = Finder(shingle(texts)).find(shingle(texts))
    monkeypatch.setattr(near_duplicates, "_TEXTS_AT_ONCE", 2)
    parts = Finder(shingle(texts)).find(shingle(texts))
    assert all((one == other).all() for one, other in zip(whole, parts, strict=True))


def test_near_duplicates_among_documents_with_their_similarity(tmp_path: Path) -> None:
    texts = texts_of(5)
    data = prepared(tmp_path / "tags_v1", [(n, text, ["a"]) for n, text in enumerate([*texts, changed(texts[1])])])
    found = find_near_duplicates(shingle([texts[1].upper(), "nimic din toate acestea"]), data)
    assert found.documents.tolist() == [1, 5]
    assert found.examples.tolist() == [0, 0]
    # 40 words, so 40 shingles; 4 words changed take 8 of them: 32 in common, 48 in all.
    assert found.similarity.tolist() == pytest.approx([1, 32 / 48])


def test_no_examples_have_no_near_duplicates(tmp_path: Path) -> None:
    data = prepared(tmp_path / "tags_v1", [(1, "unu doi", ["a"])])
    assert not len(find_near_duplicates(shingle([]), data).documents)
    assert not len(find_near_duplicates(shingle(["!"]), data).documents)


def test_groups_of_texts_are_chains_of_near_duplicates() -> None:
    one, other = texts_of(2)
    near, nearer = changed(one, 8), changed(changed(one, 8), 7)
    texts = shingle([other, one, near, nearer])
    assert 3 not in Finder(texts).find(shingle([one])).examples
    assert group_texts(texts).tolist() == [0, 1, 1, 1]


def test_groups_of_documents(tmp_path: Path) -> None:
    plain = texts_of(60)
    near = [changed(text) for text in plain[:20]]
    documents = [(n, text, ["a"]) for n, text in enumerate([*plain, *near, "", "!", "singur"])]
    groups = group_documents(prepared(tmp_path / "tags_v1", documents))
    expected = [*range(60), *range(20), 80, 81, 82]
    assert groups.tolist() == expected


def test_documents_without_words_are_no_group(tmp_path: Path) -> None:
    data = prepared(tmp_path / "tags_v1", [(n, "?" * n, ["a"]) for n in range(1, 6)])
    assert np.unique(group_documents(data)).tolist() == [0, 1, 2, 3, 4]
