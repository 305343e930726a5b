"""The tags in a cell: in every form that people and programs write, and no other."""

import pytest

from get_tags_train.text.tags import parse_labels


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a;b", ["a", "b"]),
        ("a|b", ["a", "b"]),
        (" a ; b ;", ["a", "b"]),
        ("a, b", ["a, b"]),
        ("a;a;b", ["a", "b"]),
        ("taxă şi impozit;taxă și impozit", ["taxă și impozit"]),
        ('["a;b", "c"]', ["a;b", "c"]),
        ("['a', \"b\"]", ["a", "b"]),
        ("[1, 2]", ["1", "2"]),
        ("('a', 'b')", ["a", "b"]),
        ("(UE) 2016/679, art. 5", ["(UE) 2016/679, art. 5"]),
        ("[]", []),
        ("", []),
        ("   ", []),
    ],
)
def test_labels_in_every_form(cell: str, labels: list[str]) -> None:
    assert parse_labels(cell) == labels


@pytest.mark.parametrize(
    "cell",
    [
        "[",
        "['a'",
        '["a" "b"',
        "[a, b]",
        "[None]",
        "[['a']]",
        "[" * 5000,
        "[1]['a'",
        "[0] + [1]",
        "[1, 2.5]",
        '["a", null]',
        "[true]",
        "[NaN]",
        "['a' 'b']",
        "['a'\n 'b']",
        "{'a', 'b'}",
        '{"a": 1}',
        "{drept civil,taxe}",
        "[b'a']",
        "['a', ('b',)]",
    ],
)
def test_a_broken_list_of_labels_is_an_error(cell: str) -> None:
    with pytest.raises(ValueError, match="a list"):
        parse_labels(cell)
