"""TensorBoard and MLflow: off, or said to be absent before anything is started."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from databases import settings_for, silent

from get_tags_train.core import trackers
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import EpochFinished, Event, Notice, StageProgress
from get_tags_train.training import tracking


def test_off_is_the_same_listener(tmp_path: Path) -> None:
    heard: list[Event] = []
    listen = heard.append
    with tracking.tracked(listen, "none", name="m", logs_dir=tmp_path, step=0) as on_event:
        assert on_event is listen


@pytest.mark.parametrize("report_to", ["tensorboard", "mlflow"])
def test_a_package_that_is_absent_is_named(report_to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    with pytest.raises(InputError, match=f"needs the package {report_to}") as caught:
        trackers.check_tracker(report_to)
    assert f"pip install {report_to}" in caught.value.hint


Logged = list[tuple[str, float, int]]


@pytest.fixture
def tensorboard(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """What a stand-in for TensorBoard was given; a folder, a step or the end of its writer as ("", 0, step)."""
    logged: Logged = []

    class SummaryWriter:
        def __init__(self, folder: Path, purge_step: int) -> None:
            logged.append((folder.name, 0, purge_step))

        def __enter__(self) -> "SummaryWriter":
            return self

        def __exit__(self, *_: object) -> None:
            logged.append(("end", 0, 0))

        def add_scalar(self, key: str, value: float, step: int) -> None:
            logged.append((key, value, step))

        def flush(self) -> None:
            pass

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(trackers, "find_spec", lambda package: True)
    return logged


def test_figures_and_scores_reach_the_tracker_and_the_listener(tmp_path: Path, tensorboard: Logged) -> None:
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
    given = [("m", 0, 6), ("loss", 0.5, 6), ("epoch_loss", 0.4, 6), ("precision_at_1", 0.9, 6), ("end", 0, 0)]
    assert tensorboard == given


FIGURES = {"precision_at_k": {"1": 0.8}, "mean_average_precision": 0.7, "micro_f1": 0.6, "macro_f1": 0.5}
EVALUATION = {
    "set": "test samples",
    **FIGURES,
    "comparisons": [{"rival": "live", "rival_precision_at_k": {"1": 0.75}}],
    "held_out": {**FIGURES, "comparisons": []},
}


def test_final_scores_reach_the_tracker_of_the_training(tmp_path: Path, tensorboard: Logged) -> None:
    settings = settings_for(tmp_path, training={"report_to": "tensorboard"})
    tracking.track_scores(settings, "m", step=95, evaluation=EVALUATION, on_event=silent)
    assert (tensorboard[0], tensorboard[-1]) == (("m", 0, 96), ("end", 0, 0))
    own = [("precision_at_1", 0.8), ("mean_average_precision", 0.7), ("micro_f1", 0.6), ("macro_f1", 0.5)]
    expected = {(f"final/{name}/{key}", value, 95) for name in ("test_samples", "held_out") for key, value in own}
    assert set(tensorboard[1:-1]) == {*expected, ("final/test_samples/live_precision_at_1", 0.75, 95)}


def test_a_tracker_that_fails_at_the_end_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    heard: list[Event] = []
    settings = settings_for(tmp_path, training={"report_to": "tensorboard"})
    tracking.track_scores(settings, "m", step=95, evaluation=EVALUATION, on_event=heard.append)
    (notice,) = heard
    assert isinstance(notice, Notice)
    assert notice.message == "The final scores did not reach tensorboard: ModuleNotFoundError."
