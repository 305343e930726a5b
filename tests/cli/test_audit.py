"""`get-tags audit`: the list, the marks, the data that follow them."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import ADDED, REMOVED, data
from openpyxl import load_workbook

MARK = "D"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    data(tmp_path)
    return tmp_path


def mark(path: Path, answers: list[str]) -> None:
    book = load_workbook(path)
    for row, answer in enumerate(answers, start=3):
        book.active[f"{MARK}{row}"] = answer
    book.save(path)


def test_a_list_is_made_marked_and_imported(get_tags: Any, home: Path) -> None:
    found = get_tags("audit", "--count", 20, "--home", home, "--json").json
    first = {(one["id"], one["tag"], one["suspicion"]) for one in found["suspects"][:2]}
    assert first == {(str(REMOVED[0]), REMOVED[1], "missing"), (str(ADDED[0]), ADDED[1], "wrong")}
    assert found["foreseen"]["low"] <= found["foreseen"]["errors"] <= found["foreseen"]["high"]
    mark(Path(found["path"]), ["yes", "yes", "no"])
    imported = get_tags("audit", "import", found["path"], "--home", home, "--json").json
    assert (imported["decided"], imported["errors"], imported["unmarked"], imported["changes"]) == (3, 2, 17, 2)
    assert all(Path(path).is_file() for path in imported["written"])
    again = get_tags("audit", "tags_v1", "--count", 20, "--home", home, "--json").json
    assert again["decided_before"] == 3


def test_people_read_what_to_do_next(get_tags: Any, home: Path) -> None:
    said = get_tags("audit", "--count", 5, "--only", "wrong", "--home", home)
    assert said.code == 0
    assert "Of these 5 about" in said.out
    assert "audit import" in said.out


def test_an_interrupted_audit_says_what_continues_it(get_tags: Any, home: Path, monkeypatch: Any) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("get_tags_train.review.audit.collect", interrupt)
    said = get_tags("audit", "tags_v1", "--count", 7, "--only", "wrong", "--tags", "vămi;pescuit", "--home", home)
    assert said.code == 130
    assert f"audit tags_v1 --count 7 --only wrong --tags 'vămi;pescuit' --home {home}" in said.err


def test_a_csv_list_goes_where_it_is_wanted(get_tags: Any, home: Path) -> None:
    path = home / "mine.csv"
    found = get_tags("audit", "--tags", "pescuit; vămi", "--output", path, "--home", home, "--json").json
    assert found["path"] == str(path)
    assert {one["tag"] for one in found["suspects"]} == {"pescuit", "vămi"}
    assert path.is_file()


def test_another_ending_is_refused_before_the_work(get_tags: Any, home: Path) -> None:
    said = get_tags("audit", "--output", "list.pdf", "--home", home)
    assert said.code == 2
    assert "list.pdf is neither .xlsx nor .csv" in said.err


def test_two_berts_see_what_they_were_not_trained_on(
    get_tags: Any, small_home: Path, demo_tokenizer_folder: Path, tmp_path: Path
) -> None:
    import shutil

    home = Path(shutil.copytree(small_home, tmp_path / "home", ignore=shutil.ignore_patterns("_models")))
    (home / "get-tags.toml").write_text(
        f'[training]\nbase_model = "{demo_tokenizer_folder.as_posix()}"\nepochs = 1\ncontext_length = 32\n',
        encoding="utf-8",
    )
    found = get_tags("audit", "--with-bert", "--count", 5, "--home", home, "--json")
    assert found.code == 0, found.err
    assert len(found.json["suspects"]) == 5
    assert not list((home / "_cache" / "_audit").iterdir())
    assert json.loads(found.out)["data"] == "tags_v1"
