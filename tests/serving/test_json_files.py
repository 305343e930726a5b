"""JSON files of any size, value by value."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from get_tags_train.core import encoding
from get_tags_train.core.errors import InputError
from get_tags_train.serving.json_files import json_lines, json_values

OBJECTS = st.recursive(st.text(max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner))
VALUES = st.lists(st.dictionaries(st.text(max_size=3), OBJECTS) | st.text(max_size=40), max_size=6)


def values_of(content: str) -> list[tuple[int, object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_bytes(content.encode())
        return list(json_values(path, "utf-8", "x.json"))


@given(values=VALUES, indent=st.sampled_from([None, 2]), chunk_bytes=st.integers(1, 30))
def test_an_array_is_read_value_by_value(values: list[object], indent: int | None, chunk_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_CHUNK_BYTES", chunk_bytes)
        assert [value for _, value in values_of(json.dumps(values, indent=indent))] == values
        alone = "\n".join(json.dumps(value, indent=indent, ensure_ascii=False) for value in values)
        assert [value for _, value in values_of(alone)] == values


def test_each_value_has_the_line_that_it_begins_on() -> None:
    content = '[\n  {"text":\n "unu"},\n\n  "doi", "trei"\n]\n'
    assert values_of(content) == [(2, {"text": "unu"}), (5, "doi"), (5, "trei")]


@pytest.mark.parametrize("content", ["[]", " [\n] ", "", "\n"])
def test_a_file_without_values(content: str) -> None:
    assert values_of(content) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('["unu"\n"doi"]', "line 2 is not JSON: a comma is missing"),
        ('["unu",\n"doi"\n', "line 3 is not JSON: the array does not end"),
        ('["unu",\n]', "line 2 is not JSON"),
        ('["unu"]\n["doi"]', "line 2 is not JSON: something follows the array"),
        ('["unu",\n{"text": ]', "line 2 is not JSON"),
        ("[" * 100_000, "line 1 is not JSON"),
        ('["unu",\n{"text": "a", "text": "b"}]', "line 2 is not JSON: text appears twice in an object"),
    ],
)
def test_what_is_no_json_is_named_by_its_line(content: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        values_of(content)
    assert said in caught.value.message


def test_a_name_that_stands_twice_in_a_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a", "text": "b"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 2 is not JSON: text appears twice"):
        list(json_lines(path, "utf-8", "x.jsonl"))
