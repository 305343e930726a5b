"""Loss, learning rate and scores for those who follow a training in TensorBoard or MLflow."""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import EpochFinished, Event, OnEvent, StageProgress
from get_tags_train.core.i18n import _

_Log = Callable[[Mapping[str, float], int], None]


def check_tracker(report_to: str) -> None:
    """Raise InputError where the package that a training is to report to is not installed."""
    if report_to != "none" and not find_spec(report_to):
        raise InputError(
            _(
                'report_to = "{report_to}" needs the package {packages}, which is not installed.',
                report_to=report_to,
                packages=report_to,
            ),
            _(
                'Install it into the same environment (pip install {packages}), or set report_to = "none".',
                packages=report_to,
            ),
        )


@contextmanager
def tracked(on_event: OnEvent, report_to: str, *, name: str, logs_dir: Path, step: int) -> Iterator[OnEvent]:
    """The same listener, whose training figures after `step` also go where the setting says."""
    if report_to == "none":
        yield on_event
        return
    check_tracker(report_to)
    with _TRACKERS[report_to](name, logs_dir, step) as log:

        def log_and_pass(event: Event) -> None:
            nonlocal step
            if isinstance(event, StageProgress) and event.figures:
                step = event.done
                log(event.figures, step)
            elif isinstance(event, EpochFinished):
                scores = {f"precision_at_{k}": value for k, value in enumerate(event.precision_at_k, start=1)}
                log({"epoch_loss": event.loss, **scores}, step)
            on_event(event)

        yield log_and_pass


@contextmanager
def _tensorboard(name: str, logs_dir: Path, step: int) -> Iterator[_Log]:
    from torch.utils.tensorboard import SummaryWriter

    # Steps after the last checkpoint are taken again: purge_step hides what an interrupted run had logged of them.
    with SummaryWriter(logs_dir / name, purge_step=step + 1) as writer:

        def log(values: Mapping[str, float], step: int) -> None:
            for key, value in values.items():
                writer.add_scalar(key, value, step)
            writer.flush()

        yield log


@contextmanager
def _mlflow(name: str, logs_dir: Path, step: int) -> Iterator[_Log]:
    mlflow = importlib.import_module("mlflow")
    # Without a server it would write into whatever folder the command was started in.
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(logs_dir / 'mlflow.db').as_posix()}")
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "get-tags")
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=(logs_dir / "mlruns").as_uri())
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=name):
        yield lambda values, step: mlflow.log_metrics(dict(values), step=step)


_TRACKERS = {"tensorboard": _tensorboard, "mlflow": _mlflow}
