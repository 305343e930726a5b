"""Documents with equal text: one with the tags of all, or boilerplate; against a count by hand and plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from get_tags_train.data.duplicates import Merged, merge_duplicates


def merge(documents: list[tuple[int, set[int]]], boilerplate_copies: int = 0) -> Merged:
    """Documents are (text, tags); text 0 is none."""
    hashes = np.array([[text, text] for text, _ in documents], np.uint64).reshape(-1, 2)
    matrix = np.zeros((len(documents), 4), bool)
    for row, (_, tags) in enumerate(documents):
        matrix[row, list(tags)] = True
    has_text = np.array([text != 0 for text, _ in documents], bool)
    return merge_duplicates(hashes, has_text, csr_array(matrix), boilerplate_copies)


def test_the_first_of_equal_texts_is_kept_with_the_tags_of_all() -> None:
    merged = merge([(7, {2}), (0, {1}), (5, {0}), (7, {0}), (5, {0}), (9, set())])
    assert merged.kept.tolist() == [True, False, True, False, False, False]
    assert merged.duplicate.tolist() == [False, False, False, True, True, False]
    assert merged.tags.toarray().tolist() == [[True, False, True, False], [True, False, False, False]]
    assert merged.conflicts == 1


def test_boilerplate_is_equal_text_with_unequal_tags_often_enough() -> None:
    documents = [(7, {0}), (7, {1}), (7, {0}), (5, {3}), (5, {3}), (5, {3})]
    merged = merge(documents, boilerplate_copies=3)
    assert merged.boilerplate.tolist() == [True, True, True, False, False, False]
    assert merged.kept.tolist() == [False, False, False, True, False, False]
    assert merged.conflicts == 0
    assert merge(documents, boilerplate_copies=4).boilerplate.sum() == 0


DOCUMENTS = st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 3))), min_size=1, max_size=12)


@given(DOCUMENTS, st.sampled_from([0, 2, 3]))
def test_merging_is_what_plain_python_finds(documents: list[tuple[int, set[int]]], boilerplate_copies: int) -> None:
    merged = merge(documents, boilerplate_copies)
    usable = [bool(text and tags) for text, tags in documents]
    kept, conflicts = {}, 0
    for text in range(1, 5):
        rows = [row for row, (own, _) in enumerate(documents) if own == text and usable[row]]
        is_conflict = len({frozenset(documents[row][1]) for row in rows}) > 1
        is_boilerplate = bool(is_conflict and boilerplate_copies and len(rows) >= boilerplate_copies)
        assert [bool(merged.boilerplate[row]) for row in rows] == [is_boilerplate] * len(rows)
        if rows and not is_boilerplate:
            kept[rows[0]] = set().union(*(documents[row][1] for row in rows))
            conflicts += is_conflict
            assert [bool(merged.duplicate[row]) for row in rows] == [False] + [True] * (len(rows) - 1)
    assert np.flatnonzero(merged.kept).tolist() == sorted(kept)
    assert [set(np.flatnonzero(row).tolist()) for row in merged.tags.toarray()] == [kept[row] for row in sorted(kept)]
    assert merged.conflicts == conflicts
