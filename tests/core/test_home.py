"""The names in a home: which version comes next, what is complete, and what a name means."""

import json
import os
from pathlib import Path

import pytest

from get_tags_train.core.errors import InputError
from get_tags_train.core.home import (
    check_path,
    data_dir,
    data_names,
    find_data,
    find_model,
    live_model,
    model_names,
    next_data_name,
    unfinished,
)


def add_data(home: Path, *names: str, complete: bool = True) -> None:
    for name in names:
        folder = data_dir(home) / name
        folder.mkdir(parents=True)
        if complete:
            (folder / "manifest.json").write_text("{}")


def add_model(home: Path, name: str, created: str = "") -> Path:
    folder = home / "_models" / name
    folder.mkdir(parents=True)
    (folder / "get_tags.json").write_text(json.dumps({"created": created}), encoding="utf-8")
    return folder


def make_live(live_dir: Path, name: str) -> Path:
    folder = live_dir / "versions" / name
    folder.mkdir(parents=True)
    (live_dir / "current").write_text(name + "\n", encoding="utf-8")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="names there are Unicode")
def test_a_path_that_is_not_utf8_is_refused_by_its_bytes(tmp_path: Path) -> None:
    check_path(tmp_path / "casă")
    with pytest.raises(InputError) as caught:
        check_path(tmp_path / os.fsdecode(b"cas\xe3"))
    assert caught.value.message == f"This path is not UTF-8: {tmp_path}/cas\\xe3."
    assert "GET_TAGS_HOME" in caught.value.hint


def test_the_first_version_of_a_home_is_1(tmp_path: Path) -> None:
    assert next_data_name(tmp_path) == "tags_v1"
    data_dir(tmp_path).mkdir(parents=True)
    assert next_data_name(tmp_path) == "tags_v1"


def test_the_next_version_is_the_highest_plus_one(tmp_path: Path) -> None:
    add_data(tmp_path, "tags_v2", "tags_v10", "tags_v9")
    assert next_data_name(tmp_path) == "tags_v11"


@pytest.mark.parametrize("foreign", ["tags_v7_train.pkl", "tags_v7", "tags_v007.bak"])
def test_files_of_an_older_tool_count_for_the_next_version(tmp_path: Path, foreign: str) -> None:
    add_data(tmp_path, "tags_v2")
    (data_dir(tmp_path) / foreign).write_text("")
    (data_dir(tmp_path) / "notes_v99.txt").write_text("")
    assert next_data_name(tmp_path) == "tags_v8"


def test_unfinished_data_count_for_the_next_version(tmp_path: Path) -> None:
    add_data(tmp_path, "tags_v12.partial", complete=False)
    assert next_data_name(tmp_path) == "tags_v13"


def test_complete_data_are_listed_newest_first(tmp_path: Path) -> None:
    add_data(tmp_path, "tags_v2", "tags_v10", "tags_v12.partial", "tags_v3_old", "other")
    add_data(tmp_path, "tags_v11", complete=False)
    assert data_names(tmp_path) == ["tags_v10", "tags_v2"]


def test_an_empty_home_has_nothing(tmp_path: Path) -> None:
    assert data_names(tmp_path) == model_names(tmp_path) == list(unfinished(data_dir(tmp_path))) == []


def test_data_are_found_by_name_and_the_newest_without(tmp_path: Path) -> None:
    add_data(tmp_path, "tags_v2", "tags_v10")
    assert find_data(tmp_path, "tags_v2") == data_dir(tmp_path) / "tags_v2"
    assert find_data(tmp_path, None) == data_dir(tmp_path) / "tags_v10"


def test_data_that_are_not_there_are_an_error_that_lists_what_is(tmp_path: Path) -> None:
    add_data(tmp_path, "tags_v1", "tags_v2", "tags_v3.partial")
    for name in ("tags_v9", "tags_v3.partial", "../_data/tags_v1", ""):
        with pytest.raises(InputError) as caught:
            find_data(tmp_path, name)
        assert caught.value.hint == "There are: tags_v2, tags_v1."


def test_no_data_at_all_are_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no prepared data") as caught:
        find_data(tmp_path, None)
    assert "get-tags extract" in caught.value.hint


def test_unfinished_runs_are_listed_newest_first(tmp_path: Path) -> None:
    add_data(tmp_path, "tags_v1.partial", "tags_v2.partial", "tags_v3", complete=False)
    os.utime(data_dir(tmp_path) / "tags_v2.partial", (1, 1))
    assert [folder.name for folder in unfinished(data_dir(tmp_path))] == ["tags_v1.partial", "tags_v2.partial"]


def test_models_are_listed_newest_first_whatever_their_name(tmp_path: Path) -> None:
    add_model(tmp_path, "tags_v2-20260101-000000", "2026-01-01T00:00:00+02:00")
    add_model(tmp_path, "renamed by somebody", "2026-11-23T10:15:00+02:00")
    add_model(tmp_path, "tags_v3-20261123-101500.partial", "2026-12-01T00:00:00+02:00")
    (tmp_path / "_models" / "foreign").mkdir()
    assert model_names(tmp_path) == ["renamed by somebody", "tags_v2-20260101-000000"]


def test_a_model_is_found_by_name_folder_live_or_as_the_newest(tmp_path: Path) -> None:
    old = add_model(tmp_path, "tags_v2-20260101-000000", "2026-01-01T00:00:00+02:00")
    new = add_model(tmp_path, "tags_v1-20261123-101500", "2026-11-23T10:15:00+02:00")
    live = make_live(tmp_path / "_live", old.name)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    meant = {None: new, old.name: old, "live": live, str(elsewhere): elsewhere}
    assert {model: find_model(tmp_path, tmp_path / "_live", model) for model in meant} == meant


def test_a_model_that_is_not_there_is_an_error_that_lists_what_is(tmp_path: Path) -> None:
    add_model(tmp_path, "tags_v1-20261123-101500")
    with pytest.raises(InputError, match="no model nothing") as caught:
        find_model(tmp_path, tmp_path / "_live", "nothing")
    assert caught.value.hint == "There are: tags_v1-20261123-101500."


@pytest.mark.parametrize("model", [None, "nothing"])
def test_no_model_at_all_is_an_error_that_names_the_command(tmp_path: Path, model: str | None) -> None:
    with pytest.raises(InputError, match="no model") as caught:
        find_model(tmp_path, tmp_path / "_live", model)
    assert "get-tags train" in caught.value.hint


def test_nothing_live_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No model is live") as caught:
        live_model(tmp_path / "_live")
    assert "get-tags deploy" in caught.value.hint


@pytest.mark.parametrize("current", ["gone\n", "", "\n"])
def test_a_live_model_that_is_gone_is_an_error_that_names_the_command(tmp_path: Path, current: str) -> None:
    make_live(tmp_path / "_live", "there")
    (tmp_path / "_live" / "current").write_text(current)
    with pytest.raises(InputError, match=r"current") as caught:
        live_model(tmp_path / "_live")
    assert "get-tags deploy" in caught.value.hint
