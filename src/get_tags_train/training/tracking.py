"""Loss, learning rate and scores for those who follow a training in TensorBoard or MLflow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import EpochFinished, Event, OnEvent, StageProgress
from get_tags_train.core.i18n import _

_PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow",)}


def check_tracker(report_to: str) -> None:
    """Raise InputError where what a training is to report to is not installed."""
    packages = _PACKAGES.get(report_to, ())
    if packages and not any(find_spec(package) for package in packages):
        raise InputError(
            _(
                'report_to = "{report_to}" needs the package {packages}, which is not installed.',
                report_to=report_to,
                packages=packages[0],
            ),
            _(
                'Install it into the same environment (pip install {packages}), or set report_to = "none".',
                packages=packages[0],
            ),
        )


@contextmanager
def tracked(on_event: OnEvent, report_to: str, *, name: str, logs_dir: Path, step: int) -> Iterator[OnEvent]:
    """The same listener, with the figures of training after `step` also going where the setting says."""
    if report_to == "none":
        yield on_event
        return
    check_tracker(report_to)
    tracker: GeneralTracker
    if report_to == "tensorboard":
        # What an interrupted run reported beyond its last checkpoint is done again, and shown once.
        tracker = TensorBoardTracker(name, logs_dir, purge_step=step + 1)
    else:
        # Without a server it would write into whatever folder the command was started in.
        os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(logs_dir / 'mlflow.db').as_posix()}")
        tracker = MLflowTracker(experiment_name="get-tags", run_name=name, logging_dir=str(logs_dir / "mlruns"))
    tracker.start()

    def log_and_pass(event: Event) -> None:
        nonlocal step
        if isinstance(event, StageProgress) and event.figures:
            step = event.done
            tracker.log(dict(event.figures), step=step)
        elif isinstance(event, EpochFinished):
            scores = {f"precision_at_{k}": value for k, value in enumerate(event.precision_at_k, start=1)}
            tracker.log({"epoch_loss": event.loss, **scores}, step=step)
        on_event(event)

    try:
        yield log_and_pass
    finally:
        tracker.finish()
