"""Loss, learning rate and scores for those who follow a training in TensorBoard or MLflow."""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from get_tags_train.core.events import EpochFinished, Event, Notice, OnEvent, StageProgress
from get_tags_train.core.home import logs_dir
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.core.trackers import check_tracker
from get_tags_train.model.evaluation_record import FURTHER_SETS
from get_tags_train.splits.eval_set import HELD_OUT

_Log = Callable[[Mapping[str, float], int], None]


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


def track_scores(settings: Settings, name: str, *, step: int, evaluation: Mapping[str, Any], on_event: OnEvent) -> None:
    """Add the final scores of the model `name`, trained in so many steps, to what its training was tracked in.

    A tracker that fails is said: the model is there all the same.
    """
    report_to = settings.training.report_to
    if report_to == "none":
        return
    try:
        with _TRACKERS[report_to](name, logs_dir(settings.home), step) as log:
            log(_final_scores(evaluation), step)
    except Exception as error:  # noqa: BLE001  a server that is gone fails in as many ways as there are trackers
        said = _("The final scores did not reach {tracker}: {reason}.", tracker=report_to, reason=type(error).__name__)
        on_event(Notice(said, "warning"))


def _final_scores(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Metrics on each set under its name, and precision@k of what the model was compared with."""
    scores: dict[str, float] = {}
    leading = "held_out" if evaluation["set"] == HELD_OUT else "test_samples"
    sets = {leading: evaluation, **{key: evaluation[key] for key in FURTHER_SETS if evaluation.get(key)}}
    for name, figures in sets.items():
        compared = {f"{c['rival']}_": c["rival_precision_at_k"] for c in figures["comparisons"]}
        for whose, by_k in {"": figures["precision_at_k"], **compared}.items():
            scores |= {f"final/{name}/{whose}precision_at_{k}": value for k, value in by_k.items()}
        scores |= {f"final/{name}/{key}": figures[key] for key in ("mean_average_precision", "micro_f1", "macro_f1")}
    return scores


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
    # A training that is continued, and the scores after it, belong to the run that was begun.
    begun = mlflow.search_runs(filter_string=f"attributes.run_name = '{name}'", max_results=1, output_format="list")
    with mlflow.start_run(run_id=begun[0].info.run_id if begun else None, run_name=name):
        yield lambda values, step: mlflow.log_metrics(dict(values), step=step)


_TRACKERS = {"tensorboard": _tensorboard, "mlflow": _mlflow}
