"""The audit: it finds the errors that are there, says how many, and never asks again what was decided."""

from pathlib import Path

import pytest
from corpora import ADDED, REMOVED, data
from databases import silent

from get_tags_train.core.errors import InputError
from get_tags_train.data.decisions import SUSPICIONS, Decision, append_decisions
from get_tags_train.data.prepared import PreparedData
from get_tags_train.review.audit import Audit, Suspect, Wanted, audit

ALL = Wanted(40, SUSPICIONS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    data(folder)
    return folder


def run(home: Path, wanted: Wanted = ALL) -> Audit:
    return audit(home, PreparedData(home / "_cache" / "_data" / "tags_v1"), wanted, seed=1, on_event=silent)


@pytest.fixture(scope="module")
def found(home: Path) -> Audit:
    return run(home)


def decision(suspect: Suspect, answer: str) -> Decision:
    return Decision(*suspect[:1], suspect.tag, suspect.suspicion, answer, 0.5, 0.0, suspect.text_hash, "2026", "f")  # type: ignore[arg-type]


def test_the_errors_stand_first(found: Audit) -> None:
    first = {(suspect.document_id, suspect.tag, suspect.suspicion) for suspect in found.suspects[:2]}
    assert first == {(str(REMOVED[0]), REMOVED[1], "missing"), (str(ADDED[0]), ADDED[1], "wrong")}


def test_the_list_is_sorted_and_as_long_as_wanted(found: Audit) -> None:
    probabilities = [suspect.probability for suspect in found.suspects]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(found.suspects) == 40
    assert found.foreseen.low <= found.foreseen.errors <= found.foreseen.high


def test_a_suspect_says_where_to_look(found: Audit) -> None:
    missing = next(suspect for suspect in found.suspects if suspect.document_id == str(REMOVED[0]))
    assert missing.title == f"Titlul {REMOVED[0]}"
    assert REMOVED[1] in missing.passage
    assert len(missing.nearest) == 3


def test_nothing_of_the_work_is_left(home: Path, found: Audit) -> None:
    assert found.suspects
    assert not list((home / "_cache" / "_audit").iterdir())


def test_one_kind_and_some_tags_alone(home: Path) -> None:
    some = run(home, Wanted(500, ["wrong"], ["pescuit", "vămi"]))
    assert {suspect.tag for suspect in some.suspects} == {"pescuit", "vămi"}
    assert {suspect.suspicion for suspect in some.suspects} == {"wrong"}


def test_a_tag_that_the_data_lack_is_refused(home: Path) -> None:
    with pytest.raises(InputError, match="no tag nimic"):
        run(home, Wanted(5, SUSPICIONS, ["nimic"]))


def test_what_was_decided_is_not_asked_again(tmp_path: Path, found: Audit) -> None:
    data(tmp_path)
    one, other = found.suspects[:2]
    append_decisions(tmp_path, [decision(one, "error"), decision(other, "no error")])
    again = run(tmp_path)
    assert again.decided_before == 2
    assert not {(one.document_id, one.tag), (other.document_id, other.tag)} & {
        (suspect.document_id, suspect.tag) for suspect in again.suspects
    }


def test_a_changed_text_is_asked_again(tmp_path: Path, found: Audit) -> None:
    data(tmp_path)
    one = found.suspects[0]
    append_decisions(tmp_path, [decision(one._replace(text_hash="00" * 16), "no error")])
    again = run(tmp_path)
    assert again.decided_before == 0
    assert (one.document_id, one.tag) in {(suspect.document_id, suspect.tag) for suspect in again.suspects[:2]}
