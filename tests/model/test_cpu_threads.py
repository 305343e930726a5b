"""Parts computed side by side: results in order, failures told, torch's threads as before."""

from collections.abc import Iterator
from threading import Event, current_thread

import pytest
import torch

from get_tags_train.model.cpu_threads import CpuThreads


@pytest.fixture(autouse=True)
def three_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_parts() -> None:
    assert CpuThreads().map(lambda part: part * 2, range(20)) == list(range(0, 40, 2))


def test_parts_are_computed_side_by_side_each_by_one_core() -> None:
    cores = CpuThreads()
    both_are_there = [Event() for _ in range(cores.count)]

    def compute(part: int) -> int:
        both_are_there[part].set()
        assert all(event.wait(20) for event in both_are_there)
        return torch.get_num_threads()

    assert cores.map(compute, range(3)) == [1, 1, 1]
    assert torch.get_num_threads() == 3


def test_one_part_has_all_cores() -> None:
    assert CpuThreads().map(lambda _: (torch.get_num_threads(), current_thread()), [0]) == [(3, current_thread())]


def test_what_may_not_be_divided_stays_in_its_thread() -> None:
    cores = CpuThreads(divides=False)
    assert cores.count == 1
    assert set(cores.map(lambda _: current_thread(), range(3))) == {current_thread()}


def test_a_failure_is_raised_when_the_others_have_ended() -> None:
    ended = []

    def compute(part: int) -> None:
        if part == 0:
            raise MemoryError
        ended.append(part)

    with pytest.raises(MemoryError):
        CpuThreads().map(compute, range(6))
    assert sorted(ended) == [1, 2, 3, 4, 5]
    assert torch.get_num_threads() == 3
