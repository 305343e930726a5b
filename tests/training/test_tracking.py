"""TensorBoard and MLflow: off, or said to be absent before anything is started."""

import sys
from pathlib import Path
from types import ModuleType

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
    logged: list[tuple[str, float, int]] = []
    ended = []

    class SummaryWriter:
        def __init__(self, folder: Path, purge_step: int) -> None:
            assert (folder, purge_step) == (tmp_path / "m", 6)

        def __enter__(self) -> "SummaryWriter":
            return self

        def __exit__(self, *_: object) -> None:
            ended.append(True)

        def add_scalar(self, key: str, value: float, step: int) -> None:
            logged.append((key, value, step))

        def flush(self) -> None:
            pass

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
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
    assert logged == [("loss", 0.5, 6), ("epoch_loss", 0.4, 6), ("precision_at_1", 0.9, 6)]
    assert ended == [True]
