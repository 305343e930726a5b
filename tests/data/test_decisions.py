"""decisions.csv, which only grows, and decisions laid over the documents' tags."""

from pathlib import Path

import pytest
from databases import settings_for, silent
from hypothesis import given
from hypothesis import strategies as st
from prepared import prepared

from get_tags_train import pipeline
from get_tags_train.core.arrow import list_rows
from get_tags_train.core.errors import InputError
from get_tags_train.core.home import decisions_path
from get_tags_train.core.settings import Source
from get_tags_train.data.decisions import Answer, Decision, Suspicion, append_decisions, latest, read_decisions
from get_tags_train.data.prepared import PreparedData
from get_tags_train.text.clean import text_hash
from get_tags_train.training.run import TrainingRun

TEXTS = ["unu", "doi", "trei", "patru"]
DOCUMENTS = [(number, text, ["a", "b"]) for number, text in enumerate(TEXTS)]


def decision(
    document: int, tag: str, suspicion: Suspicion, answer: Answer = "error", *, text: str | None = None
) -> Decision:
    own = text_hash(TEXTS[document] if text is None else text).hex()
    return Decision(str(document), tag, suspicion, answer, 0.75, 1.1, own, "2026-11-26T10:00:00+02:00", "list.xlsx")


def tags_of(data: PreparedData) -> list[list[str]]:
    return [[data.tags[n] for n in row] for batch in data.batches() for row in list_rows(batch.column("tags"))]


@pytest.fixture
def data(tmp_path: Path) -> PreparedData:
    return prepared(tmp_path, [*DOCUMENTS, (9, "cinci", ["c"])])


def test_decisions_are_read_as_they_were_written(tmp_path: Path) -> None:
    first, second = decision(1, "=a;b", "wrong"), decision(2, "ș, ț", "missing", "don't know")
    append_decisions(tmp_path, [first])
    append_decisions(tmp_path, [second])
    assert read_decisions(tmp_path) == [first, second]


def test_the_last_decision_counts() -> None:
    first, second = decision(1, "a", "wrong"), decision(1, "a", "wrong", "no error")
    assert list(latest([first, second]).values()) == [second]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    append_decisions(tmp_path, [decision(1, "a", "wrong")])
    path = decisions_path(tmp_path)
    path.write_text(path.read_text(encoding="utf-8-sig").replace("0.7500", "x"), encoding="utf-8-sig")
    with pytest.raises(InputError, match="line 2"):
        read_decisions(tmp_path)


def test_errors_change_the_tags(data: PreparedData) -> None:
    changed = data.with_decisions([decision(0, "c", "missing"), decision(1, "a", "wrong")])
    assert tags_of(changed) == [["a", "b", "c"], ["b"], ["a", "b"], ["a", "b"], ["c"]]
    assert changed.has_decisions


@pytest.mark.parametrize(
    "nothing",
    [
        decision(0, "c", "missing", "no error"),
        decision(0, "c", "missing", "don't know"),
        decision(0, "c", "missing", text="another"),
        decision(0, "unknown", "missing"),
        decision(0, "a", "missing"),
    ],
)
def test_what_is_no_error_of_this_text_changes_nothing(data: PreparedData, nothing: Decision) -> None:
    assert tags_of(data.with_decisions([nothing])) == tags_of(data)


def test_decisions_make_a_checksum_of_their_own(data: PreparedData) -> None:
    one, other = ([decision(n, "a", "wrong")] for n in (0, 1))
    sums = [data.manifest.checksum, *(data.with_decisions(own).manifest.checksum for own in (one, other))]
    assert len(set(sums)) == 3
    assert data.with_decisions(one).manifest.checksum == data.with_decisions([*one, *one]).manifest.checksum


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from("abc"), st.sampled_from(["missing", "wrong"]), st.sampled_from(["error"])
        )
    )
)
def test_an_overlay_is_what_its_decisions_say(
    tmp_path_factory: pytest.TempPathFactory, decided: list[tuple[int, str, Suspicion, Answer]]
) -> None:
    data = prepared(tmp_path_factory.mktemp("data"), [*DOCUMENTS, (9, "cinci", ["c"])])
    expected = [{"a", "b"} for _ in DOCUMENTS]
    for document, tag, suspicion, _answer in decided:
        (expected[document].add if suspicion == "missing" else expected[document].discard)(tag)
    found = tags_of(data.with_decisions([decision(*own) for own in decided]))
    assert [set(own) for own in found[:4]] == expected


def test_a_training_sees_the_decisions_where_the_setting_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "_cache" / "_data" / "tags_v1"
    folder.mkdir(parents=True)
    prepared(folder, [*DOCUMENTS, (9, "cinci", ["c"])])
    append_decisions(tmp_path, [decision(0, "c", "missing")])
    source = Source("cached", None, "tags_v1")
    for is_on in (False, True):
        settings = settings_for(tmp_path, source=source, data={"decisions": is_on})
        data, _result = pipeline._get_data(settings, silent)
        assert ("c" in tags_of(data)[0]) == is_on


def test_a_second_process_sees_the_decisions_too(tmp_path: Path, demo_tokenizer_folder: Path) -> None:
    folder = tmp_path / "_cache" / "_data" / "tags_v1"
    folder.mkdir(parents=True)
    prepared(folder, [*DOCUMENTS, (9, "cinci", ["c"])])
    append_decisions(tmp_path, [decision(0, "c", "missing")])
    task = {
        "folder": "x.partial",
        "base_model": str(demo_tokenizer_folder),
        "training": settings_for(tmp_path).training.model_dump(),
        "top_k": 5,
        "data": "tags_v1",
        "left_out": [],
        "validation": [],
    }
    for is_on in (False, True):
        run = TrainingRun.from_task(task | {"decisions": is_on}, tmp_path, "cpu")
        assert ("c" in tags_of(run.data)[0]) == is_on
