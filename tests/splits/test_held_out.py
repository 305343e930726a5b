"""Held-out documents: who is chosen, what stays held out, and that nothing like them is trained on."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from prepared import Document, changed, prepared, texts_of

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import try_lock
from get_tags_train.core.home import held_out_path, locks_dir
from get_tags_train.data.near_duplicates import Finder
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits import held_out as stage
from get_tags_train.splits.held_out import HeldOut, held_out_in, hold_out, newest_of, reserve, texts_and_labels
from get_tags_train.text.shingles import shingle


def documents(count: int, seed: int = 0) -> list[Document]:
    """So many documents that are not like each other, ids from 1."""
    return [(n, text, [f"tag {n % 7}"]) for n, text in enumerate(texts_of(count, seed=seed), start=1)]


def data_of(home: Path, rows: list[Document], name: str = "tags_v1") -> PreparedData:
    return prepared(home / name, rows, batch_size=50)


def nobody(data: PreparedData) -> NDArray[np.bool_]:
    return np.zeros(data.manifest.documents_kept, bool)


def held(home: Path, data: PreparedData, share: float = 0.1, taken: NDArray[np.bool_] | None = None) -> HeldOut:
    return hold_out(home, data, share, nobody(data) if taken is None else taken)


def ids_of(data: PreparedData, mask: NDArray[np.bool_]) -> set[str]:
    ids = [str(i) for batch in data.batches() for i in batch.column("id").to_pylist()]
    return {ids[place] for place in np.flatnonzero(mask)}


def lines(home: Path) -> list[str]:
    return held_out_path(home).read_text(encoding="utf-8-sig").splitlines()


def similar_pairs(rows: list[Document], some: NDArray[np.bool_], others: NDArray[np.bool_]) -> int:
    """Pairs of one of `some` and one of `others` that are near-duplicates, each compared with each."""
    texts = [text for _, text, _ in rows]
    chosen = [[texts[n] for n in np.flatnonzero(mask)] for mask in (some, others)]
    return len(Finder(shingle(chosen[0])).find(shingle(chosen[1])).documents)


def test_the_share_is_held_out_in_two_halves(tmp_path: Path) -> None:
    found = held(tmp_path, data_of(tmp_path, documents(200)))
    assert (found.validation.sum(), found.test.sum(), found.reserved.sum(), found.near_duplicates.sum()) == (
        10,
        10,
        0,
        0,
    )
    assert not (found.validation & found.test).any()
    assert found.left_out.sum() == 20
    assert len(lines(tmp_path)) == 21


def test_no_more_than_the_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MOST", 6)
    assert held(tmp_path, data_of(tmp_path, documents(200))).left_out.sum() == 6


def test_the_choice_depends_on_nothing_but_the_ids(tmp_path: Path) -> None:
    rows = documents(200)
    homes = [tmp_path / "one", tmp_path / "two"]
    found = [ids_of(data, held(home, data).left_out) for home in homes for data in [data_of(home, rows)]]
    assert found[0] == found[1]
    assert max(map(int, found[0])) - min(map(int, found[0])) > 100  # from all over the data


def test_what_was_held_out_stays_so_when_documents_come_and_go(tmp_path: Path) -> None:
    first = data_of(tmp_path, documents(200))
    before = held(tmp_path, first)
    grown = data_of(tmp_path, documents(300)[20:], "tags_v2")
    after = held(tmp_path, grown)
    still = {i for i in ids_of(first, before.left_out) if int(i) > 20}
    assert still <= ids_of(grown, after.left_out)
    assert after.left_out.sum() == 28  # a tenth of 280
    assert {i for i in ids_of(first, before.validation) if int(i) > 20} <= ids_of(grown, after.validation)
    assert len(lines(tmp_path)) == 1 + 20 + 28 - len(still)
    again = held(tmp_path, first)
    assert before.left_out.sum() <= again.left_out.sum()
    assert (before.left_out <= again.left_out).all()


def test_whole_groups_are_held_out_and_no_twin_is_trained_on(tmp_path: Path) -> None:
    rows = documents(100)
    rows += [(1000 + i, changed(text), tags) for i, text, tags in rows[:60]]
    found = held(tmp_path, data_of(tmp_path, rows), 0.2)
    kept = found.validation | found.test
    assert 28 <= kept.sum() <= 32
    assert similar_pairs(rows, kept, ~found.left_out) == 0
    assert similar_pairs(rows, found.validation, found.test) == 0
    assert similar_pairs(rows, kept, kept) > kept.sum()  # whole groups, not single documents


def test_a_large_family_is_not_held_out(tmp_path: Path) -> None:
    rows = documents(100)
    rows += [(1000 + n, f"{rows[0][1]} {n}", ["tag 0"]) for n in range(50)]
    found = held(tmp_path, data_of(tmp_path, rows), 0.2)
    assert not found.left_out[[0, *range(100, 150)]].any()


def test_a_new_twin_of_a_held_out_document_is_left_out(tmp_path: Path) -> None:
    rows = documents(200)
    first = data_of(tmp_path, rows)
    chosen = int(np.flatnonzero(held(tmp_path, first).test)[0])
    new = (1001, changed(rows[chosen][1]).upper(), ["tag 0"])
    with_both = data_of(tmp_path, [*rows, new], "tags_v2")
    assert ids_of(with_both, held(tmp_path, with_both).near_duplicates) == {"1001"}
    without_it = data_of(tmp_path, [*rows[:chosen], *rows[chosen + 1 :], new], "tags_v3")
    assert ids_of(without_it, held(tmp_path, without_it).near_duplicates) == {"1001"}


def test_a_held_out_document_whose_text_changes_is_known_by_both(tmp_path: Path) -> None:
    rows = documents(200)
    first = data_of(tmp_path, rows)
    chosen = int(np.flatnonzero(held(tmp_path, first).test)[0])
    old_text, new_text = rows[chosen][1], texts_of(1, seed=7)[0]
    later = [*rows, (1001, changed(old_text), ["tag 0"]), (1002, changed(new_text), ["tag 0"])]
    later[chosen] = (rows[chosen][0], new_text, ["tag 0"])
    data = data_of(tmp_path, later, "tags_v2")
    found = held(tmp_path, data)
    assert found.test[chosen]
    assert ids_of(data, found.near_duplicates) == {"1001", "1002"}


def test_test_samples_are_neither_chosen_nor_scored(tmp_path: Path) -> None:
    data = data_of(tmp_path, documents(200))
    first = held(tmp_path, data)
    taken = nobody(data)
    taken[np.flatnonzero(first.left_out)[:4]] = True
    taken[0] = True
    found = held(tmp_path, data, taken=taken)
    assert not ((found.validation | found.test) & taken).any()
    assert (found.validation | found.test).sum() == 20
    assert found.reserved.sum() == 4


def test_none_are_chosen_when_it_is_off_but_those_of_before_stay_out(tmp_path: Path) -> None:
    data = data_of(tmp_path, documents(200))
    assert not held(tmp_path, data, 0).left_out.any()
    assert not held_out_path(tmp_path).exists()
    before = held(tmp_path, data)
    off = held(tmp_path, data, 0)
    assert (off.left_out == before.left_out).all()
    assert not (off.validation | off.test).any()


def test_reserved_documents_are_for_nothing_else(tmp_path: Path) -> None:
    data = data_of(tmp_path, documents(200))
    reserve(tmp_path, data, 7, nobody(data))
    assert sorted(held_out_in(tmp_path, data).values()) == ["reserve"] * 7
    found = held(tmp_path, data)
    assert found.reserved.sum() == 7
    assert not (found.reserved & (found.validation | found.test)).any()


def test_the_newest_are_those_of_the_newest_tenth_of_all(tmp_path: Path) -> None:
    dates = {n: date(2026, 1, 1) + timedelta(days=n) for n in range(1, 401)}  # the last 99 have no date
    data = prepared(tmp_path / "tags_v1", documents(499), dates=dates)
    test = nobody(data)
    test[340:420] = True
    newest = newest_of(data, test)
    assert newest is not None
    assert ids_of(data, newest) == {str(n) for n in range(361, 401)}
    test[361:] = False
    assert newest_of(data, test) is None  # too few


def test_without_dates_none_are_the_newest(tmp_path: Path) -> None:
    data = data_of(tmp_path, documents(100))
    assert newest_of(data, ~nobody(data)) is None


def test_texts_and_tags_are_those_of_today(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(1, "unu", ["b", "a"]), (2, "doi", ["c"]), (3, "trei", ["a"])])
    assert texts_and_labels(data, np.array([True, False, True])) == (["unu", "trei"], [["a", "b"], ["a"]])


def test_the_list_as_excel_saves_it_is_read(tmp_path: Path) -> None:
    data = data_of(tmp_path, documents(200))
    before = held(tmp_path, data)
    content = "\r\n".join(line.replace(",", ";") for line in lines(tmp_path)) + "\r\n"
    held_out_path(tmp_path).write_bytes(content.encode("cp1250"))
    assert (held(tmp_path, data).left_out == before.left_out).all()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("id", "part"), ("1", "select")], "has no column since"),
        ([("id", "part", "since", "data", "text"), ("1", "both", "", "", "unu")], "line 2: 'both' is not a part"),
        ([("id", "part", "since", "data", "text"), ("1", "select")], "line 2: cells are missing"),
    ],
)
def test_a_list_that_cannot_be_read_stops_the_run(tmp_path: Path, rows: list[tuple[str, ...]], said: str) -> None:
    write_csv(held_out_path(tmp_path), rows)
    with pytest.raises(InputError, match=said):
        held(tmp_path, data_of(tmp_path, documents(20)))


def test_two_runs_do_not_choose_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_LOCK_SECONDS", 0)
    data = data_of(tmp_path, documents(20))
    lock = try_lock(locks_dir(tmp_path) / "held_out.lock")
    assert lock is not None
    with pytest.raises(GetTagsError, match="Another run"):
        held(tmp_path, data)
    lock.release()
