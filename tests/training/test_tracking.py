"""TensorBoard and MLflow: off, or said to be absent before anything is started."""

from pathlib import Path

import pytest

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import EpochFinished, Event, StageProgress
from get_tags_train.training import tracking


def test_off_is_the_same_listener(tmp_path: Path) -> None:
    heard: list[Event] = []
    listen = heard.append
    with tracking.tracked(listen, "none", name="m", logs_dir=tmp_path, step=0) as on_event:
        assert on_event is listen


@pytest.mark.parametrize("report_to", ["tensorboard", "mlflow"])
def test_a_package_that_is_absent_is_named(report_to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda package: None)
    with pytest.raises(InputError, match=f"needs the package {report_to}") as caught:
        tracking.check_tracker(report_to)
    assert f"pip install {report_to}" in caught.value.hint


def test_figures_and_scores_reach_the_tracker_and_the_listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[dict[str, float], int]] = []
    ended = []

    class Tracker:
        def __init__(self, name: str, folder: Path, **options: int) -> None:
            assert (name, folder, options) == ("m", tmp_path, {"purge_step": 6})

        def start(self) -> None:
            pass

        def log(self, values: dict[str, float], step: int) -> None:
            logged.append((values, step))

        def finish(self) -> None:
            ended.append(True)

    monkeypatch.setattr(tracking, "TensorBoardTracker", Tracker)
    monkeypatch.setattr(tracking, "find_spec", lambda package: True)
    events = [
        StageProgress("train", 5),
        StageProgress("train", 6, figures={"loss": 0.5}),
        EpochFinished(1, 2, 0.4, [0.9]),
    ]
    heard: list[Event] = []
    with tracking.tracked(heard.append, "tensorboard", name="m", logs_dir=tmp_path, step=5) as on_event:
        for event in events:
            on_event(event)
    assert heard == events
    assert logged == [({"loss": 0.5}, 6), ({"epoch_loss": 0.4, "precision_at_1": 0.9}, 6)]
    assert ended == [True]
