"""One part of a job running ahead of the next."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from get_tags_train.data.prefetch import prefetch


def test_items_arrive_in_order() -> None:
    with prefetch(range(100), ahead=3) as ready:
        assert list(ready) == list(range(100))


def test_the_thread_runs_ahead_but_not_further_than_told() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with prefetch(items(), ahead=3) as ready:
        assert next(ready) == 0
        time.sleep(0.2)
        assert 2 <= len(made) <= 6


def test_an_error_is_raised_where_its_item_was_due() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    with prefetch(items(), ahead=3) as ready:
        assert next(ready) == 1
        with pytest.raises(ValueError, match="the second"):
            next(ready)


def test_leaving_early_stops_the_thread() -> None:
    made = []

    def items() -> Iterator[int]:
        number = 0
        while True:
            made.append(number)
            yield number
            number += 1

    with prefetch(items(), ahead=2) as ready:
        next(ready)
    stopped_at = len(made)
    time.sleep(0.1)
    assert len(made) == stopped_at


def test_chained_parts_stop_together_when_the_last_fails() -> None:
    with (
        pytest.raises(OSError, match="full"),
        prefetch(iter(range(10_000)), ahead=2) as first,
        prefetch((number * 2 for number in first), ahead=2) as second,
    ):
        assert next(second) == 0
        raise OSError("full")


STUCK = """
import time
from get_tags_train.data.prefetch import prefetch

def items():
    yield 1
    time.sleep(600)  # a query of a server that does not answer

with prefetch(items(), ahead=1) as ready:
    assert next(ready) == 1
    print("read", flush=True)
    raise KeyboardInterrupt
"""


def test_a_stuck_query_does_not_keep_the_program_from_ending() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"read\n"
        started = time.monotonic()
        process.wait(60)
        assert time.monotonic() - started < 30
