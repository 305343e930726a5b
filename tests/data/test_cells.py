"""Cells: what becomes a text, a tag or a switch by a stated rule, and that all else is refused by the column's name."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from get_tags_train.core.errors import GetTagsError
from get_tags_train.data.cells import read_date, read_switch, read_tags, read_text

GUID = "0f1e2d3c-0000-4000-8000-00000000000a"
REFUSED = [
    (b"abc", "bytes"),
    (bytearray(b"abc"), "bytes"),
    (memoryview(b"abc"), "bytes"),
    (True, "bool"),
    (1.5, "float"),
    (2.0, "float"),
    (Decimal("1.50"), "Decimal"),
    (Decimal("NaN"), "Decimal"),
    (Decimal("Infinity"), "Decimal"),
    (datetime(2026, 11, 24), "datetime"),
    (date(2026, 11, 24), "date"),
    ({"a": 1}, "dict"),
    (["a"], "list"),
]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("Drept civil", "Drept civil"),
        (7, "7"),
        (2**70, str(2**70)),
        (Decimal("7.00"), "7"),
        (Decimal("1E+2"), "100"),
        (UUID(GUID), GUID),
    ],
)
def test_what_is_a_text(value: object, text: str | None) -> None:
    assert read_text(value, "tag", "tags_query") == text


@pytest.mark.parametrize(("value", "kind"), REFUSED)
def test_what_is_no_text_is_refused_by_name(value: object, kind: str) -> None:
    with pytest.raises(GetTagsError) as caught:
        read_text(value, "tag", "tags_query")
    assert caught.value.message == f"The column tag of tags_query holds {kind}, not text."
    assert "CAST(tag AS varchar(200))" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (None, []),
        ("a;b", ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        (["a", None, " b ", 5, "a"], ["a", "b", "5"]),  # text[] and JSON columns of PostgreSQL
        (12, ["12"]),
    ],
)
def test_what_is_a_list_of_tags(value: object, tags: list[str]) -> None:
    assert read_tags(value, "tags", "documents_query") == tags


@pytest.mark.parametrize("value", [[b"a"], [["a"]], [1.5], {"a": 1}, b"a;b", True])
def test_what_is_no_list_of_tags_is_refused_by_name(value: object) -> None:
    with pytest.raises(GetTagsError, match="The column tags of documents_query holds"):
        read_tags(value, "tags", "documents_query")


@pytest.mark.parametrize("value", [0, "0", " False ", "f", b"\x00", bytearray(b"\0\0"), False, 0.0, Decimal("0.0")])
def test_what_switches_a_tag_off(value: object) -> None:
    assert not read_switch(value, "active", "tags_query")


@pytest.mark.parametrize("value", [None, 1, "1", "true", b"\x01", True, 1.0, Decimal(1), -1])
def test_what_leaves_a_tag_on(value: object) -> None:
    assert read_switch(value, "active", "tags_query")


def test_a_switch_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(GetTagsError, match="The column active of tags_query holds date"):
        read_switch(date(2026, 1, 1), "active", "tags_query")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 24, 14, 3), date(2026, 11, 24)),
        (date(2026, 11, 24), date(2026, 11, 24)),
        ("2026-11-24T14:03:00Z", date(2026, 11, 24)),
        ("24.11.2026", date(2026, 11, 24)),
        ("4/1/2026 10:00", date(2026, 1, 4)),
        ("2026-02-30", None),
        ("20261124", None),
        ("24.11.20261", None),
        ("nedatat", None),
        (None, None),
        (20261124, None),
        (b"2026-11-24", None),
    ],
)
def test_what_is_a_date(value: Any, expected: date | None) -> None:
    assert read_date(value) == expected
