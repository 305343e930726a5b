"""The whole chain: the only owner of the order of stages."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from get_tags_train.errors import GetTagsError, TrainingInterrupted
from get_tags_train.events import Notice, OnEvent, StageFinished, StageStarted
from get_tags_train.extraction import DataResult, describe, extract
from get_tags_train.home import find_data, held_out_path
from get_tags_train.settings import Settings
from get_tags_train.undisturbed import awake
from get_tags_train.words import _, _n

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from get_tags_train.dataset import PreparedData
    from get_tags_train.held_out import HeldOut
    from get_tags_train.samples import Samples


@dataclass(frozen=True)
class ModelResult:
    """The model that a run trained."""

    name: str
    path: str
    base_model: str
    epochs: int
    batch_size: int
    context_length: int
    examples: int
    device: str
    precision: str
    resumed: bool
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """What came of `get-tags train`; as_json is what other programs rely on."""

    data: DataResult
    model: ModelResult
    evaluation: dict[str, Any]
    deployed: bool
    live: str | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@awake("a model is being made")
def run(settings: Settings, on_event: OnEvent, should_deploy: Callable[[RunResult], bool]) -> RunResult:
    """Data, training, evaluation, and deployment if `should_deploy` says so of the result so far.

    All that can be known to be wrong is found before the long work begins.
    """
    from get_tags_train import baseline, deploy, evaluate, report, train
    from get_tags_train.base_model import check_base_model
    from get_tags_train.batches import choose_examples
    from get_tags_train.csvfiles import read_tags_map
    from get_tags_train.dataset import PreparedData
    from get_tags_train.device import choose_device
    from get_tags_train.examples import HELD_OUT, NEWEST, ExampleSet
    from get_tags_train.held_out import newest_of, texts_and_labels
    from get_tags_train.modelfacts import read_facts
    from get_tags_train.retention import keep_newest
    from get_tags_train.running_api import RunningApi
    from get_tags_train.samples import Samples
    from get_tags_train.tokens import load_tokenizer
    from get_tags_train.tracking import check_tracker

    started = perf_counter()
    samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
    test_set, further = ExampleSet.of_samples(samples), {"rare": ExampleSet.of_rare_samples(samples)}
    device = choose_device(settings.training.device)
    tokenizer = load_tokenizer(settings.base_model)
    check_tracker(settings.training.report_to)
    check_base_model(settings.base_model, settings.training.context_length)
    if settings.source.kind == "cached":
        opened = perf_counter()
        data = PreparedData(find_data(settings.home, settings.source.data_name))
        data_result = describe(data, "cached", opened, resumed=False)
    else:
        data_result = extract(settings, on_event)
        data = PreparedData(Path(data_result.path))
    leaked, held_out = set_aside(settings, data, samples, on_event)
    left_out = held_out.left_out | leaked if settings.evaluation.leaks == "leave_out" else held_out.left_out
    try:
        selecting = held_out.selecting if held_out.selecting.any() else None
        folder = train.train(
            settings, data, left_out, tokenizer=tokenizer, device=device, on_event=on_event, selecting=selecting
        )
    except KeyboardInterrupt:
        raise TrainingInterrupted(_("The training was interrupted."), data.name) from None
    untrained = left_out | held_out.selecting
    report.write_pages(folder)
    facts = read_facts(folder)
    linear = None
    if settings.evaluation.baseline:
        examples = choose_examples(data, untrained, settings.training.min_tag_count)
        seed, seconds = settings.training.seed, facts["seconds"]
        linear = baseline.fit(data, examples, training_seconds=seconds, seed=seed, on_event=on_event)
    if held_out.reported.any():
        further["held_out"] = ExampleSet.of_documents(HELD_OUT, *texts_and_labels(data, held_out.reported))
    if (newest := newest_of(data, held_out.reported)) is not None:
        further["newest"] = ExampleSet.of_documents(NEWEST, *texts_and_labels(data, newest))
    evaluation = evaluate.evaluate(
        folder,
        test_set,
        further=further,
        top_k=settings.evaluation.top_k,
        device=device,
        on_event=on_event,
        rivals=evaluate.Rivals(evaluate.find_live(folder, settings.live_dir), linear),
    )
    report.record(folder, evaluation, on_event)
    model_result = ModelResult(
        name=folder.name,
        path=str(folder),
        base_model=facts["base_model"],
        epochs=facts["settings"]["epochs"],
        batch_size=facts["settings"]["batch_size"],
        context_length=facts["settings"]["context_length"],
        **{key: facts[key] for key in ("examples", "device", "precision", "resumed", "seconds")},
    )
    result = RunResult(data_result, model_result, evaluation.as_json(), False, None, round(perf_counter() - started, 3))
    if should_deploy(result):
        keep_versions, api = settings.deploy.keep_versions, RunningApi.of(settings)
        live = deploy.deploy(folder, settings.live_dir, keep_versions=keep_versions, on_event=on_event, api=api)
        result = replace(result, deployed=True, live=str(live), seconds=round(perf_counter() - started, 3))
    keep_newest(settings.home, settings.live_dir, settings.keep, on_event)
    return result


def set_aside(
    settings: Settings, data: "PreparedData", samples: "Samples", on_event: OnEvent
) -> "tuple[NDArray[np.bool_], HeldOut]":
    """Which documents are also test samples, or nearly, and which are held out.

    Raises GetTagsError where there are leaks and the setting says stop.
    """
    from get_tags_train.held_out import hold_out
    from get_tags_train.home import logs_dir
    from get_tags_train.leaks import find_trainable_leaks, write_leaks

    started = perf_counter()
    on_event(StageStarted("set_aside"))
    leaks, leaked = find_trainable_leaks(settings.home, samples, data)
    listed = logs_dir(settings.home) / f"leaks-{data.name}.csv"
    if leaks:
        write_leaks(listed, leaks, samples)
        said = _n(
            "{count:,} document is also a test sample, or nearly; it is listed in {listed}.",
            "{count:,} documents are also test samples, or nearly; they are listed in {listed}.",
            len(leaks),
            listed=listed,
        )
        if settings.evaluation.leaks == "stop":
            hint = _('Remove these examples, or leave the documents out: leaks = "leave_out" under [evaluation].')
            raise GetTagsError(said, hint)
        left = _("Left out of training.") if settings.evaluation.leaks == "leave_out" else _("Trained on all the same.")
        on_event(Notice(f"{said} {left}", "warning"))
    held_out = hold_out(settings.home, data, settings.evaluation.held_out, leaked)
    on_event(StageFinished("set_aside", perf_counter() - started))
    if held_out.left_out.any():
        said = _(
            "{selecting:,} documents are held out to select by, {reported:,} to be scored ({path}); {twins:,} "
            "near-duplicates of held-out documents are left out of training too.",
            selecting=held_out.selecting.sum(),
            reported=held_out.reported.sum(),
            path=held_out_path(settings.home),
            twins=held_out.twins.sum(),
        )
        on_event(Notice(said))
    return leaked, held_out


def is_assistant() -> bool:
    """Whether a launcher has started this process to train along with the main one, which alone writes and talks."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys() and os.environ["RANK"] != "0"


def assist(settings: Settings) -> None:
    """Train along with the main process of several, which torchrun or `accelerate launch` has started."""
    from get_tags_train.device import choose_device
    from get_tags_train.train import assist as train_along

    train_along(settings.home, choose_device(settings.training.device))
