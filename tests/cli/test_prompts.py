"""What is typed while nothing is asked, at a real terminal."""

import os
import select
import sys
from collections.abc import Iterator

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
