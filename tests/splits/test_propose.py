"""The test samples as a set that grows: what is said of it, and which documents come to it."""

from pathlib import Path

import numpy as np
import pytest
from prepared import Document, changed, prepared, texts_of

from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.held_out import held_out_in, hold_out
from get_tags_train.splits.leaks import find_leaks, find_trainable_leaks, places_of
from get_tags_train.splits.propose import Proposal, add, describe, new_ones, propose
from get_tags_train.splits.test_samples import Part, Samples, read_samples


def home_of(tmp_path: Path, rows: list[Document], samples: str = "text,labels\nal meu,tag 0\n") -> Path:
    (tmp_path / "samples.csv").write_text(samples, encoding="utf-8")
    prepared(tmp_path / "tags_v1", rows, batch_size=40)
    return tmp_path


def proposed(home: Path, random: int, rare: int) -> list[Proposal]:
    data, samples = PreparedData(home / "tags_v1"), Samples.read(home / "samples.csv")
    leaked = places_of(find_leaks(samples, data), data)
    counts: dict[Part, int] = {"random": random, "rare": rare}
    return propose(home, data, samples, leaked, counts)


def documents(count: int) -> list[Document]:
    return [(n, text, [f"tag {n % 3}"]) for n, text in enumerate(texts_of(count))]


def test_what_is_said_of_the_samples(tmp_path: Path) -> None:
    one, two, three = texts_of(3)
    rows = f'text,labels\n{one},tag 0\n{two},tag 1;nicăieri\n"{changed(two)}",\n{three},nicăieri\n'
    home = home_of(tmp_path, [(5, one, ["tag 0"]), (6, "altceva", ["tag 1"]), (7, "nimic", ["tag 2"])], rows)
    data, samples = PreparedData(home / "tags_v1"), Samples.read(home / "samples.csv")
    said = describe(samples, data, find_leaks(samples, data))
    assert said | {"path": ""} == {
        "path": "",
        "examples": 4,
        "written_by_people": 4,
        "random": 0,
        "rare": 0,
        "judged": 0,
        "without_labels": [4],
        "tags": 3,
        "data": "tags_v1",
        "data_tags": 3,
        "data_tags_covered": 2,
        "unknown_tags": {"nicăieri": [3, 5]},
        "duplicates": [[3, 4]],
        "leaks": [[5, 2, "same text", 1]],
        "precision_at_1_within": 0.3500,  # 1.96 / (2 sqrt(4 + 3.84))
    }


def test_without_data_only_the_file_is_described(tmp_path: Path) -> None:
    samples = Samples.read(home_of(tmp_path, documents(3)) / "samples.csv")
    said = describe(samples, None, [])
    assert (said["data"], said["data_tags"], said["unknown_tags"], said["leaks"]) == (None, None, {}, [])


def test_examples_come_from_the_held_out_documents_that_do_not_select(tmp_path: Path) -> None:
    home = home_of(tmp_path, documents(200))
    data = PreparedData(home / "tags_v1")
    found = hold_out(home, data, 0.1, np.zeros(200, bool))
    before = (home / "held_out.csv").read_bytes()
    test_documents = {str(place) for place in np.flatnonzero(found.test)}
    assert {p.document_id for p in proposed(home, 10, 0)} == test_documents
    assert (home / "held_out.csv").read_bytes() == before


def test_more_are_held_out_where_there_are_too_few(tmp_path: Path) -> None:
    home = home_of(tmp_path, documents(200))
    found = proposed(home, 12, 0)
    assert len(found) == 12
    parts = held_out_in(home, PreparedData(home / "tags_v1"))
    assert {p.document_id for p in found} == {str(place) for place in parts}
    assert set(parts.values()) == {"reserve"}
    assert proposed(home, 12, 0) == found  # declined and asked again: the same ones


def test_a_part_is_chosen_for_rare_tags_that_the_samples_lack(tmp_path: Path) -> None:
    rows = documents(60)
    home = home_of(tmp_path, rows)
    parts = [place for place, _ in list(held_out_in_of(home, rows).items())[:4]]
    for place, tags in zip(parts, (["rar"], ["tag 1", "foarte rar"], ["tag 0"], ["rar"]), strict=True):
        rows[place] = (rows[place][0], rows[place][1], tags)
    prepared(home / "tags_v1", rows, batch_size=40)
    found = proposed(home, 2, 2)
    assert {tuple(p.labels) for p in found if p.part == "rare"} == {("foarte rar", "tag 1"), ("rar",)}
    assert [p.part for p in found] == ["random", "random", "rare", "rare"]
    assert len({p.document_id for p in found}) == 4


def held_out_in_of(home: Path, rows: list[Document]) -> dict[int, str]:
    """What is held out once ten examples were asked for."""
    proposed(home, 10, 0)
    return held_out_in(home, PreparedData(home / "tags_v1"))


def test_what_was_added_is_not_proposed_again_and_is_told_apart(tmp_path: Path) -> None:
    home = home_of(tmp_path, documents(200))
    first = proposed(home, 5, 0)
    backup = add(Samples.read(home / "samples.csv"), first)
    assert backup.read_text(encoding="utf-8") == "text,labels\nal meu,tag 0\n"
    samples = Samples.read(home / "samples.csv")
    assert samples.texts[1:] == [p.text for p in first]
    assert samples.labels[1:] == [p.labels for p in first]
    assert [origin and origin.part for origin in samples.origins] == [None, *["random"] * 5]
    assert not {p.document_id for p in first} & {p.document_id for p in proposed(home, 5, 0)}


def test_added_documents_are_leaks_by_id_and_stay_held_out(tmp_path: Path) -> None:
    home = home_of(tmp_path, documents(200))
    add(Samples.read(home / "samples.csv"), proposed(home, 5, 0))
    data, samples = PreparedData(home / "tags_v1"), Samples.read(home / "samples.csv")
    assert [leak.how for leak in find_leaks(samples, data)] == ["same id"] * 5
    leaks, leaked = find_trainable_leaks(home, samples, data)
    assert leaks == []  # they are not trained on, so there is nothing to warn of
    found = hold_out(home, data, 0.1, leaked)
    assert found.reserved.sum() == 5
    assert found.test.sum() == 10


def test_a_document_longer_than_a_cell_of_excel_is_cut_between_words(tmp_path: Path) -> None:
    (long_text,) = texts_of(1, words=8000)
    others: list[Document] = [(n, text, ["tag 1"]) for n, text in enumerate(texts_of(9, seed=1), start=2)]
    home = home_of(tmp_path, [(1, long_text, ["tag 0"]), *others])
    (cut,) = (p.text for p in proposed(home, 10, 0) if p.document_id == "1")
    assert 31_900 < len(cut) <= 32_000
    assert long_text.startswith(cut + " ")
    add(Samples.read(home / "samples.csv"), proposed(home, 10, 0))
    assert max(len(text) for _, text, _ in read_samples(home / "samples.csv")) <= 32_000
    assert proposed(home, 10, 0) == []


@pytest.mark.parametrize("letter", ["²", "≤", "中"])
def test_a_text_that_the_encoding_of_the_samples_cannot_hold_is_passed_over(tmp_path: Path, letter: str) -> None:
    rows = documents(12)
    rows[3] = (3, f"{rows[3][1]} {letter}", ["tag 0"])
    home = home_of(tmp_path, rows)
    (home / "samples.csv").write_bytes("text,labels\nşapte ţări,tag 0\n".encode("cp1250"))
    assert len(proposed(home, 12, 0)) == 11


def test_of_judged_documents_only_new_ones_are_added_and_scored_apart(tmp_path: Path) -> None:
    one, two = texts_of(2)
    samples = Samples.read(home_of(tmp_path, documents(3), f"text,labels\n{one},a\n") / "samples.csv")
    proposals = [Proposal("5", "judged", one, ["b"]), Proposal("6", "judged", two, ["b"])]
    fitting = new_ones(samples, proposals)
    assert [proposal.document_id for proposal in fitting] == ["6"]
    add(samples, fitting)
    after = Samples.read(samples.path)
    assert [len(part) for part in (EvalSet.of_samples(after), EvalSet.of_chosen_samples(after)["judged"])] == [1, 1]
