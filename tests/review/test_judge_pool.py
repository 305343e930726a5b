"""Which documents can be judged, and where two models differ on them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepared import changed, prepared, texts_of

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Event, StageFinished, StageProgress, StageStarted
from get_tags_train.core.files import atomic_write
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.tagger import TagScore
from get_tags_train.model.training_record import _hashes
from get_tags_train.review import judge_pool
from get_tags_train.review.judge_pool import ComparedDocument, Document, compare_documents, unseen_documents
from get_tags_train.splits.test_samples import Samples, add_origins

TEXTS = texts_of(8)
TAGS = [f"t{n}" for n in range(20)]


class FakeModel:
    """A model whose first tags are those from where its name says on; its BERT alone begins a tag later."""

    def __init__(self, folder: Path, device: str) -> None:
        self.tags, self._start = TAGS, int(folder.name)

    def scores_and_bert_alone(self, texts: list[str]) -> Any:
        return [self._start] * len(texts), [self._start + 1] * len(texts)

    def top_tags(self, starts: list[int], top_n: int) -> list[list[TagScore]]:
        return [[TagScore(tag, 0.5) for tag in [*TAGS[start:], *TAGS[:start]][:top_n]] for start in starts]


def model(folder: Path, trained_on: list[str]) -> Path:
    folder.mkdir()
    with atomic_write(folder / "trained_texts.npy") as stream:
        np.save(stream, _hashes(trained_on), allow_pickle=False)
    return folder


def samples(home: Path, texts: list[str], labels: str = "t1") -> Samples:
    write_csv(home / "samples.csv", [("text", "labels"), *((text, labels) for text in texts)])
    return Samples.read(home / "samples.csv")


def held_out(home: Path, texts: list[str], parts: list[str]) -> PreparedData:
    data = prepared(home / "_cache" / "_data" / "tags_v1", [(n, text, ["t3"]) for n, text in enumerate(texts)])
    rows = [(n, part, "2026-01-01", "tags_v1", texts[n]) for n, part in enumerate(parts)]
    write_csv(home / "held_out.csv", [("id", "part", "since", "data", "text"), *rows])
    return data


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_samples_and_held_out_documents_that_no_model_has_seen(tmp_path: Path) -> None:
    data = held_out(tmp_path, TEXTS[2:6], ["report", "select", "reserve", "report"])
    own = [model(tmp_path / "0", [TEXTS[0]]), model(tmp_path / "1", [TEXTS[5]])]
    found = unseen_documents(tmp_path, samples(tmp_path, TEXTS[:2]), data, own, rng())
    # One sample was trained on, one document selects, one was seen by the other model.
    assert {(one.id, one.text, tuple(one.labels or ())) for one in found} == {
        ("samples.csv:3", TEXTS[1], ("t1",)),
        ("0", TEXTS[2], ("t3",)),
        ("2", TEXTS[4], ("t3",)),
    }


def test_newer_documents_join_where_they_are_wanted(tmp_path: Path) -> None:
    newer = prepared(tmp_path / "newer", [(91, TEXTS[6], ["t4"]), (92, TEXTS[7], ["t5"])])
    own = [model(tmp_path / "0", [TEXTS[7]])]
    found = unseen_documents(tmp_path, samples(tmp_path, TEXTS[:1]), None, own, rng(), newer)
    assert {one.id for one in found} == {"samples.csv:2", "91"}


def test_of_near_duplicates_one_stays(tmp_path: Path) -> None:
    given = samples(tmp_path, [TEXTS[0], changed(TEXTS[0], 40), TEXTS[1]])
    assert len(unseen_documents(tmp_path, given, None, [model(tmp_path / "0", [])], rng())) == 2


def test_samples_chosen_for_rare_tags_stand_for_no_others(tmp_path: Path) -> None:
    samples(tmp_path, TEXTS[:3])
    add_origins(tmp_path / "samples.csv", [(TEXTS[0], "17", "rare"), (TEXTS[1], "18", "random")])
    given = Samples.read(tmp_path / "samples.csv")
    found = unseen_documents(tmp_path, given, None, [model(tmp_path / "0", [])], rng())
    assert {one.id for one in found} == {"18", "samples.csv:4"}


def test_a_model_that_does_not_say_what_it_was_trained_on_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    with pytest.raises(InputError, match="foreign keeps no record"):
        unseen_documents(tmp_path, samples(tmp_path, TEXTS), None, [tmp_path / "foreign"], rng())


def test_no_documents_at_all(tmp_path: Path) -> None:
    none = Samples.read_if_there(tmp_path / "absent.csv")
    assert unseen_documents(tmp_path, none, None, [model(tmp_path / "0", [])], rng()) == []


def test_where_two_models_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_pool, "TagModel", FakeModel)
    events: list[Event] = []
    documents = [Document("7", "text", ["t0", "t3", "t9"]), Document("8", "other", None)]
    folders = (tmp_path / "0", tmp_path / "1")
    found = compare_documents(documents, folders, top_k=3, device="cpu", read_by="get-tags", on_event=events.append)
    assert (found.top_k, found.documents, found.tags) == (3, 2, sorted(TAGS))
    one, other = found.differing
    assert (one.model_only, one.live_only, one.agreed) == (["t0"], ["t3"], ["t1", "t2"])
    assert one.near == {*TAGS[:10], "t10"}  # half of the tags: the first ten of each
    assert found.population.known.tolist() == [0.0, 0.0]  # both are right by the database; nothing is known
    assert other.document.labels is None
    assert [type(event) for event in events] == [StageStarted, StageProgress, StageProgress, StageFinished]


def test_the_bert_alone_is_compared_where_the_api_reads_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_pool, "TagModel", FakeModel)
    folders = (tmp_path / "0", tmp_path / "1")
    found = compare_documents(
        [Document("7", "text", [])], folders, top_k=1, device="cpu", read_by="transformers", on_event=lambda _: None
    )
    assert (found.differing[0].model_only, found.differing[0].live_only) == (["t1"], ["t2"])


def test_the_known_difference_by_hand() -> None:
    one = ComparedDocument(Document("1", "", ["a", "b", "d"]), ["a", "b"], ["c", "d"], [], frozenset())
    assert one.known_difference(5) == pytest.approx((2 - 1) / 5)


def test_models_that_give_the_same_tags_leave_nothing_to_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_pool, "TagModel", FakeModel)
    folders = (tmp_path / "3", tmp_path / "3")
    found = compare_documents(
        [Document("7", "text", [])], folders, top_k=2, device="cpu", read_by="get-tags", on_event=lambda _: None
    )
    assert found.differing == []
