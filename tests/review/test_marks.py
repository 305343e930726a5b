"""What people type for right and wrong."""

import pytest

from get_tags_train.core.i18n import set_language
from get_tags_train.review.marks import mean_value, offered_marks, read_mark


@pytest.mark.parametrize(
    ("cell", "mark"),
    [
        ("right", "right"),
        (" Wrong ", "wrong"),
        ("don’t know", "unknown"),
        ("DONT KNOW", "unknown"),
        ("corect", "right"),
        ("Greșit", "wrong"),
        ("gresit", "wrong"),
        ("greşit", "wrong"),
        ("nu știu", "unknown"),
        ("", None),
        ("  ", None),
    ],
)
def test_a_mark_is_read_in_any_language_and_spelling(cell: str, mark: str | None) -> None:
    assert read_mark(cell) == mark


def test_anything_else_is_refused_with_the_words_there_are() -> None:
    with pytest.raises(ValueError, match="'maybe' is not a mark; it is one of right, wrong, don't know"):
        read_mark("maybe")


def test_the_words_offered_are_the_readers() -> None:
    set_language("ro")
    try:
        assert offered_marks() == ["corect", "greșit", "nu știu"]
    finally:
        set_language("en")


def test_what_several_marks_come_to() -> None:
    assert mean_value(["right", "wrong"]) == 0.5
    assert mean_value(["right", None]) == 1.0
    assert mean_value(["unknown"]) == 0.5
    assert mean_value([None, None]) is None
