"""A run's log: where it is, what is in it, and what never is."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event, Notice, StageFinished, StageProgress, StageStarted
from get_tags_train.core.logs import log_events, logger, start_log

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    before = list(logger.handlers)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers = before


def test_each_run_has_a_log_of_its_own_in_the_home(tmp_path: Path) -> None:
    first, second = start_log(tmp_path, "train"), start_log(tmp_path, "train")
    assert first != second
    assert {first.parent, second.parent} == {tmp_path / "_logs"}
    assert first.name.endswith("-train.log")
    logger.info("unu")
    assert "unu" not in first.read_text(encoding="utf-8")
    assert "unu" in second.read_text(encoding="utf-8")


def test_a_log_begins_with_command_version_and_home(tmp_path: Path) -> None:
    from get_tags_train.core.version import __version__

    first_line = start_log(tmp_path, "extract").read_text(encoding="utf-8").splitlines()[0]
    assert f"get-tags {__version__} extract, home {tmp_path}" in first_line


def test_secrets_are_removed_from_messages_arguments_and_tracebacks(tmp_path: Path) -> None:
    path = start_log(tmp_path, "train", [SECRET, "mssql://u:geheim@h"])
    logger.info("url %s", "mssql://u:geheim@h")
    try:
        raise ValueError(f"login failed: PWD={SECRET}")
    except ValueError:
        logger.error("unexpected %s", SECRET, exc_info=True)
    content = path.read_text(encoding="utf-8")
    assert SECRET not in content
    assert "geheim" not in content
    assert "Traceback" in content
    assert "PWD=***" in content


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = start_log(tmp_path, "train", ["bc", "abcd"])
    logger.info("is abcd")
    assert path.read_text(encoding="utf-8").endswith("is ***\n")


def test_an_empty_secret_changes_nothing(tmp_path: Path) -> None:
    path = start_log(tmp_path, "train", [""])
    logger.info("unu")
    assert "INFO unu" in path.read_text(encoding="utf-8")


def test_the_finest_events_are_passed_on_but_not_logged(tmp_path: Path) -> None:
    path = start_log(tmp_path, "train")
    seen: list[Event] = []
    events: list[Event] = [
        StageStarted("training", 10),
        StageProgress("training", 1, "pierdere"),
        Notice("șapte", "warning"),
        StageFinished("training", 1.5),
    ]
    for event in events:
        log_events(seen.append)(event)
    content = path.read_text(encoding="utf-8")
    assert seen == events
    assert "StageProgress" not in content
    assert [name for name in ("StageStarted", "StageFinished", "șapte") if name in content] == [
        "StageStarted",
        "StageFinished",
        "șapte",
    ]


def test_nothing_goes_to_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start_log(tmp_path, "train")
    logger.error("unu")
    assert capfd.readouterr() == ("", "")
    assert not logging.getLogger("get_tags_train").propagate


def test_a_home_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(GetTagsError, match="cannot be written") as caught:
        start_log(tmp_path / "home", "train")
    assert "another home folder" in caught.value.hint
