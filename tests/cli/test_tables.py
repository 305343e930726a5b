"""Tables on terminals of any width."""

from io import StringIO

import pytest
from rich.console import Console

from get_tags_train.cli.tables import Listing

NAME = "tags_v1-20261124-185115"
ROWS = [(NAME, "2026-11-24 18:56", "0.476 (0.454 to 0.497)", ""), ("tags_v2", "2026-11-25 09:10", "0.510", "live")]


def drawn(width: int) -> str:
    stream = StringIO()
    Console(file=stream, width=width).print(Listing(["Name", "Made", "precision@k", "Live"], ROWS, "Models"))
    return stream.getvalue()


@pytest.mark.parametrize("width", range(24, 120, 3))
def test_no_name_is_broken_and_nothing_is_lost(width: int) -> None:
    said = drawn(width)
    assert NAME in said
    assert all(len(line) <= width for line in said.splitlines())
    assert {"tags_v2", "0.476", "0.497)", "0.510", "live", "09:10"} <= set(said.split())


def test_headers_of_several_words_take_no_room_from_the_figures() -> None:
    columns = ["k", "precision@k", "95 %", "best possible", "linear model", "always the most frequent"]
    rows = [[k, "0.808", "0.728–0.872", "1.000", "0.925", "0.142"] for k in "12345"]
    stream = StringIO()
    Console(file=stream, width=80).print(Listing(columns, rows))
    for line in stream.getvalue().splitlines()[-6:-1]:
        assert line.replace("│", "").split()[1:] == ["0.808", "0.728–0.872", "1.000", "0.925", "0.142"]


def test_markup_in_a_cell_is_text() -> None:
    stream = StringIO()
    Console(file=stream, width=80).print(Listing(["[red]Tag[/]", "n"], [["[bold]a[/]", 1]], "[b]x[/]"))
    assert {"[red]Tag[/]", "[bold]a[/]", "[b]x[/]"} <= set(stream.getvalue().replace("│", " ").split())


def test_with_room_each_row_is_a_line() -> None:
    assert any({NAME, "0.476", "0.497)"} <= set(line.split()) for line in drawn(100).splitlines())


def test_without_room_each_cell_is_a_line_and_empty_ones_are_none() -> None:
    lines = drawn(50).splitlines()
    assert lines[:5] == [line for line in lines[:5] if "│" not in line]
    assert lines[1] == f"Name {NAME}"
    assert lines[2].split() == ["Made", "2026-11-24", "18:56"]
    assert not any(line.split() == ["Live"] for line in lines)
