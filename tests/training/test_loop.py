"""The schedule of a training: learning rates and the documents of each step."""

from pathlib import Path

import numpy as np
import pytest
from databases import settings_for

from get_tags_train.training.loop import Schedule


def make_schedule(home: Path, documents: int, batch_size: int, **training: object) -> Schedule:
    settings = settings_for(home, training=training).training
    lengths = np.random.default_rng(0).integers(5, 50, documents).astype(np.int32)
    return Schedule(np.arange(documents), np.arange(0), lengths, settings, batch_size, 5)


def test_the_learning_rate_climbs_in_a_line_and_falls_in_a_line(tmp_path: Path) -> None:
    schedule = make_schedule(tmp_path, 10, 1, epochs=1, warmup_ratio=0.4)
    expected = [1 / 5, 2 / 5, 3 / 5, 4 / 5, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert [schedule.learning_rate_share(step) for step in range(schedule.steps)] == pytest.approx(expected)


def test_without_warmup_it_starts_at_its_peak(tmp_path: Path) -> None:
    schedule = make_schedule(tmp_path, 4, 1, epochs=1, warmup_ratio=0.0)
    assert [schedule.learning_rate_share(step) for step in range(4)] == pytest.approx([1, 0.75, 0.5, 0.25])


def test_any_step_is_found_without_those_before_it(tmp_path: Path) -> None:
    schedule = make_schedule(tmp_path, 50, 8, epochs=3)
    batches = [rows.tolist() for rows in schedule.batches(0)]
    assert (schedule.steps_per_epoch, schedule.steps, len(batches)) == (7, 21, 21)
    assert [len(rows) for rows in batches[:7]] == [8] * 6 + [2]
    for step in (0, 1, 6, 7, 13, 14, 20):
        assert [rows.tolist() for rows in schedule.batches(step)] == batches[step:]
    assert list(schedule.batches(21)) == []


def test_every_epoch_has_every_document_in_another_order(tmp_path: Path) -> None:
    schedule = make_schedule(tmp_path, 50, 8, epochs=2)
    batches = [rows.tolist() for rows in schedule.batches(0)]
    first, second = ([row for batch in batches[start : start + 7] for row in batch] for start in (0, 7))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
