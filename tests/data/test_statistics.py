"""Statistics of prepared data and what differs between two, against numbers worked by hand and plain Python."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from get_tags_train.core.arrow import list_column, write_batches
from get_tags_train.core.home import data_dir
from get_tags_train.data.diff import Difference, compare
from get_tags_train.data.prepared import Manifest, PreparedData, document_schema, write_manifest, write_tags
from get_tags_train.data.statistics import Spread, compute_statistics
from get_tags_train.text.clean import text_hash

# id -> (text, tags); what is measured of the tokens is given apart
Documents = Mapping[int | str, tuple[str, set[str]]]


class Writer:
    """Writes documents as a complete tags_vX, in two files, with the rest of some real manifest."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.manifest = manifest

    def __call__(
        self,
        folder: Path,
        documents: Documents,
        input_ids: list[list[int]] | None = None,
        tag_ids: dict[str, str] | None = None,
        **source: Any,
    ) -> PreparedData:
        tags = sorted(set().union(*(names for _, names in documents.values())))
        rows = input_ids or [[1, 2] for _ in documents]
        schema = document_schema(pa.int64() if all(isinstance(i, int) for i in documents) else pa.string())
        columns = {
            "id": pa.array(list(documents), schema.field("id").type),
            "text": [text for text, _ in documents.values()],
            "source_hash": [text_hash(text) for text, _ in documents.values()],
            "text_hash": [text_hash(text) for text, _ in documents.values()],
            "tags": list_column(
                [np.array([tags.index(t) for t in sorted(names)], np.int32) for _, names in documents.values()]
            ),
            "date": [None] * len(rows),
            "input_ids": list_column([np.array(row, np.int32) for row in rows]),
        }
        batch = pa.record_batch(columns, schema=schema)
        half = (len(batch) + 1) // 2
        folder.mkdir()
        for number, part in enumerate((batch.slice(0, half), batch.slice(half))):
            write_batches(folder / f"documents-{number:05d}.arrow", schema, iter([part]))
        counts = [sum(tag in names for _, names in documents.values()) for tag in tags]
        write_tags(folder, tags, counts, [[tag_ids[tag]] if tag_ids else [] for tag in tags])
        written = {p.name: {"bytes": p.stat().st_size, "sha256": ""} for p in sorted(folder.glob("*.arrow"))}
        changed = {
            "name": folder.name,
            "files": written,
            "documents_kept": len(batch),
            "source": {**self.manifest["source"], **source},
        }
        write_manifest(folder, Manifest(**{f.name: {**self.manifest, **changed}[f.name] for f in fields(Manifest)}))
        return PreparedData(folder)


@pytest.fixture(scope="module")
def write(small_home: Path) -> Writer:
    return Writer(json.loads((data_dir(small_home) / "tags_v1" / "manifest.json").read_text(encoding="utf-8")))


def lengths(*numbers: int) -> list[list[int]]:
    return [[9] * number for number in numbers]


def test_statistics_worked_by_hand(write: Writer, tmp_path: Path) -> None:
    tags: list[set[str]] = [{"a"}, {"a", "b"}, {"a", "b", "c"}, {"a"}, {"a"}]
    documents = {n: (f"text {n}", names) for n, names in enumerate(tags)}
    found = compute_statistics(write(tmp_path / "tags_v1", documents, lengths(3, 64, 65, 511, 512)))
    assert found.tags_by_documents == {"1": 1, "2-9": 2, "10-99": 0, "100-999": 0, "1000 or more": 0}
    assert found.most_frequent_tags == [
        {"tag": "a", "documents": 5},
        {"tag": "b", "documents": 2},
        {"tag": "c", "documents": 1},
    ]
    # Nearest rank among 1 1 1 2 3: the 1st, 2nd, 3rd, 4th and 5th.
    assert found.tags_per_document == Spread(1.6, {"5": 1, "25": 1, "50": 1, "75": 2, "95": 3})
    assert found.tokens_per_document == Spread(231.0, {"5": 3, "25": 64, "50": 65, "75": 511, "95": 512})
    assert found.documents_by_tokens == {
        "1-64": 2, "65-128": 1, "129-192": 0, "193-256": 0, "257-320": 0, "321-384": 0, "385-448": 0, "449-512": 2,
    }  # fmt: skip
    assert (found.cut, found.cut_share) == (1, 0.2)


def test_the_steps_of_the_tag_histogram(write: Writer, tmp_path: Path) -> None:
    on = {"one": 1, "two": 2, "nine": 9, "ten": 10, "many": 99, "hundred": 100, "most": 1000}
    documents = {n: (str(n), {tag for tag, count in on.items() if n < count}) for n in range(1000)}
    found = compute_statistics(write(tmp_path / "tags_v1", documents)).tags_by_documents
    assert found == {"1": 1, "2-9": 2, "10-99": 2, "100-999": 1, "1000 or more": 1}


def test_the_most_frequent_are_ten_equal_ones_by_name(write: Writer, tmp_path: Path) -> None:
    documents = {n: (str(n), {"zz", *("abcdefghijkl" if n else "")}) for n in range(2)}
    found = compute_statistics(write(tmp_path / "tags_v1", documents)).most_frequent_tags
    assert [entry["tag"] for entry in found] == ["zz", *"abcdefghi"]


@pytest.mark.parametrize(("unknown_id", "rate"), [(7, 0.4), (5, 0.0), (None, None)])
def test_unknown_tokens(write: Writer, tmp_path: Path, unknown_id: int | None, rate: float | None) -> None:
    documents = {"x": ("one", {"a"}), "y": ("two", {"a"})}
    data = write(tmp_path / "tags_v1", documents, [[2, 7, 3], [7, 3]], unknown_token_id=unknown_id)
    assert compute_statistics(data).unknown_token_rate == rate


def test_a_shorter_context_is_cut_at_its_own_length(write: Writer, tmp_path: Path) -> None:
    documents = {n: (str(n), {"a"}) for n in range(3)}
    found = compute_statistics(write(tmp_path / "tags_v1", documents, lengths(100, 99, 2), context_length=100))
    assert found.documents_by_tokens == {"1-64": 1, "65-100": 2}
    assert found.cut == 1


def test_real_data(small_home: Path) -> None:
    data = PreparedData(data_dir(small_home) / "tags_v1")
    tags = [len(row) for batch in data.batches() for row in batch.column("tags").to_pylist()]
    tokens = [len(row) for batch in data.batches() for row in batch.column("input_ids").to_pylist()]
    found = compute_statistics(data)
    assert sum(found.tags_by_documents.values()) == data.manifest.tags
    assert sum(found.documents_by_tokens.values()) == data.manifest.documents_kept
    assert found.tags_per_document.mean == round(float(np.mean(tags)), 2)
    for percent, value in found.tokens_per_document.percentiles.items():
        assert value == np.percentile(tokens, int(percent), method="inverted_cdf")
    assert found.unknown_token_rate is not None


def shown(difference: Difference) -> dict[str, list[Any]]:
    return {what: list(ids) for what, ids in difference.documents.items()}


def test_a_renamed_tag_neither_came_nor_went(write: Writer, tmp_path: Path) -> None:
    old = write(tmp_path / "tags_v1", {1: ("x", {"a"}), 2: ("y", {"a", "b"})}, tag_ids={"a": "7", "b": "8"})
    new = write(tmp_path / "tags_v2", {1: ("x", {"c"}), 2: ("y", {"d"}), 3: ("z", {"c"})}, tag_ids={"c": "7", "d": "9"})
    difference = compare(old, new)
    assert {what: tags for what, tags in difference.tags.items() if tags} == {
        "came": {"d": (0, 1)},
        "went": {"b": (1, 0)},
        "renamed": {"a → c": (2, 2)},
    }
    assert difference.unchanged == 1
    assert shown(difference)["tags_changed"] == [2]


def test_a_difference_worked_by_hand(write: Writer, tmp_path: Path) -> None:
    old: Documents = {
        5: ("same", {"b"}), 4: ("went", {"a", "gone"}), 3: ("text", {"b"}), 2: ("tags", {"b"}), 1: ("both", {"c"}),
        9: ("went too", {"a"}),
    }  # fmt: skip
    new: Documents = {
        7: ("came", {"a", "fresh"}), 1: ("BOTH", {"a"}), 3: ("TEXT", {"b"}), 2: ("tags", {"b", "c"}),
        5: ("same", {"b"}), 6: ("came too", {"a"}),
    }  # fmt: skip
    difference = compare(write(tmp_path / "tags_v1", old), write(tmp_path / "tags_v2", new))
    assert shown(difference) == {
        "came": [7, 6],
        "went": [4, 9],
        "text_changed": [3],
        "tags_changed": [2],
        "text_and_tags_changed": [1],
    }
    assert difference.unchanged == 1
    assert {what: tags for what, tags in difference.tags.items() if tags} == {
        "came": {"fresh": (0, 1)},
        "went": {"gone": (1, 0)},
        "documents_changed": {"a": (2, 3)},
    }
    assert list(difference.rows()) == [
        (7, "came"), (6, "came"), (4, "went"), (9, "went"), (3, "text changed"), (2, "tags changed"),
        (1, "text and tags changed"),
    ]  # fmt: skip
    assert difference.as_json(shown=1)["documents"]["came"] == {"count": 2, "first": [7]}


def test_the_greatest_changes_stand_first(write: Writer, tmp_path: Path) -> None:
    old: Documents = {n: ("t", {"x", *("abc" if n < 2 else "")}) for n in range(9)}
    new: Documents = {n: ("t", {"x", *("a" if n < 3 else ""), *("b" if n < 8 else ""), "c"}) for n in range(9)}
    difference = compare(write(tmp_path / "tags_v1", old), write(tmp_path / "tags_v2", new))
    assert list(difference.tags["documents_changed"].items()) == [("c", (2, 9)), ("b", (2, 8)), ("a", (2, 3))]


SMALL = st.dictionaries(
    st.integers(-2, 6),
    st.tuples(st.sampled_from("pq"), st.sets(st.sampled_from("xyz"), min_size=1)),
    min_size=1,
)


@settings(deadline=None)  # it writes files
@given(old=SMALL, new=SMALL, old_as_text=st.booleans(), new_as_text=st.booleans())
def test_a_difference_is_what_plain_python_finds(
    write: Writer, old: Documents, new: Documents, old_as_text: bool, new_as_text: bool
) -> None:
    if old_as_text:
        old = {str(i): document for i, document in old.items()}
    if new_as_text:
        new = {str(i): document for i, document in new.items()}
    with TemporaryDirectory() as folder:
        difference = compare(write(Path(folder) / "tags_v1", old), write(Path(folder) / "tags_v2", new))
        found = shown(difference)
    # Equal ids are the same document; where one version has integers and the other has texts, equal in writing.
    before, after = ({str(i): document for i, document in version.items()} for version in (old, new))
    same_text = {i for i in before.keys() & after.keys() if before[i][0] == after[i][0]}
    same_tags = {i for i in before.keys() & after.keys() if before[i][1] == after[i][1]}
    both = [i for i in new if str(i) in before]
    assert found == {
        "came": [i for i in new if str(i) not in before],
        "went": [i for i in old if str(i) not in after],
        "text_changed": [i for i in both if str(i) not in same_text and str(i) in same_tags],
        "tags_changed": [i for i in both if str(i) in same_text and str(i) not in same_tags],
        "text_and_tags_changed": [i for i in both if str(i) not in same_text | same_tags],
    }
    assert difference.unchanged == len(same_text & same_tags)
    for tag in "xyz":
        counts = tuple(sum(tag in names for _, names in version.values()) for version in (old, new))
        listed = {what: tags[tag] for what, tags in difference.tags.items() if tag in tags}
        what = "came" if not counts[0] else "documents_changed" if counts[1] else "went"
        assert listed == ({what: counts} if counts[0] != counts[1] else {})


def test_data_that_are_equal_do_not_differ(small_home: Path) -> None:
    data = PreparedData(data_dir(small_home) / "tags_v1")
    difference = compare(data, data)
    assert not list(difference.rows())
    assert difference.unchanged == data.manifest.documents_kept
    assert not any(difference.tags.values())
