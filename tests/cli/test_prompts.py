"""What is typed while nothing is asked, at a real terminal."""

import os
import select
import sys
from collections.abc import Callable, Iterator

import pytest

from get_tags_train.cli import prompts

pty = pytest.importorskip("pty", reason="a Windows console is another thing")


@pytest.fixture
def typing_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a terminal where a person types; the program reads from the other."""
    hand, program = pty.openpty()
    with os.fdopen(program, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield hand
    os.close(hand)


def test_what_was_typed_before_a_question_does_not_answer_it(typing_hand: int) -> None:
    os.write(typing_hand, b"y\n")
    assert select.select([sys.stdin], [], [], 5)[0]
    prompts.discard_typed()
    assert not select.select([sys.stdin], [], [], 0.2)[0]
    os.write(typing_hand, b"n\n")
    assert sys.stdin.readline() == "n\n"


def test_without_a_terminal_nothing_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"y\n")
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        prompts.discard_typed()
        assert stdin.readline() == "y\n"


def test_a_list_longer_than_the_screen_is_searched_by_typing(
    keys: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "20")
    tables = [prompts.Choice(f"table_{number}", number) for number in range(50)]
    keys("_37\r")
    assert prompts.choose("Which?", tables) == 37
    assert "50 answers" in prompts._instruction(50, is_long=True, can_go_back=True)


def test_what_cannot_be_chosen_is_not_found_by_searching(
    keys: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "7")
    choices = [prompts.Choice("one", 1, unless="not now"), prompts.Choice("one more", 2), prompts.Choice("two", 3)]
    keys("one\r")
    assert prompts.choose("Which?", choices) == 2


def test_long_answers_are_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    broken = prompts._broken("Set up the database: answer a few questions", 6)
    assert broken == "Set up the database:\n      answer a few questions"
    assert all(len(line) < 30 for line in broken.splitlines())


def test_one_less_key_where_there_is_nothing_to_go_back_to(keys: Callable[[str], None]) -> None:
    keys("<y\r")
    assert prompts.agree("Sure?", default=False) is True
