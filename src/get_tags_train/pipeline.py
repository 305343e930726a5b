"""The whole chain: the only owner of the order of stages.

Stages are imported where they are run: the command line imports this module, and waits for no library it does not need.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from get_tags_train.core.errors import TrainingInterrupted
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.home import find_data
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings, TrainingSettings
from get_tags_train.core.system import keep_awake
from get_tags_train.data.extract import DataResult, describe, extract

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.evaluation.linear_baseline import LinearBaseline
    from get_tags_train.model.metadata import ModelMetadata
    from get_tags_train.splits.eval_set import EvalSet
    from get_tags_train.splits.held_out import HeldOut
    from get_tags_train.splits.test_samples import Samples


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


@dataclass(frozen=True)
class _Inputs:
    """What can be wrong before any work begins, checked and read."""

    samples: "Samples"
    test_set: "EvalSet"
    rare_set: "EvalSet"
    device: str
    tokenizer: "PreTrainedTokenizerFast"


@dataclass(frozen=True)
class _Split:
    """Which documents train: left_out are neither trained on nor validated with. (documents,) each."""

    left_out: "NDArray[np.bool_]"
    held_out: "HeldOut"

    @property
    def untrained(self) -> "NDArray[np.bool_]":
        return self.left_out | self.held_out.validation


@keep_awake("a model is being made")
def run(settings: Settings, on_event: OnEvent, should_deploy: Callable[[RunResult], bool]) -> RunResult:
    """Data, training, evaluation, and deployment if `should_deploy` says so of the result so far.

    All that can be known to be wrong is found before the long work begins.
    """
    from get_tags_train.deployment import deploy
    from get_tags_train.deployment.api_switch import ApiSwitch
    from get_tags_train.evaluation import evaluate, report
    from get_tags_train.maintenance.retention import keep_newest
    from get_tags_train.model.metadata import own_metadata

    started = perf_counter()
    inputs = _check_inputs(settings, on_event)
    data, data_result = _get_data(settings, on_event)
    split = _split(settings, data, inputs.samples, on_event)
    model_dir = _train(settings, inputs, data, split, on_event)
    report.write_pages(model_dir)
    metadata = own_metadata(model_dir)
    baseline = None
    if settings.evaluation.baseline:
        baseline = _train_baseline(settings.training, data, split, metadata.seconds, on_event)
    evaluation = evaluate.evaluate(
        model_dir,
        inputs.test_set,
        further={"rare": inputs.rare_set, **_held_out_sets(data, split.held_out)},
        top_k=settings.evaluation.top_k,
        device=inputs.device,
        on_event=on_event,
        references=evaluate.References(evaluate.find_live(model_dir, settings.live_dir), baseline),
    )
    report.record(model_dir, evaluation, on_event)
    seconds = round(perf_counter() - started, 3)
    result = RunResult(data_result, _describe_model(model_dir, metadata), evaluation.as_json(), False, None, seconds)
    if should_deploy(result):
        keep_versions, api = settings.deploy.keep_versions, ApiSwitch.of(settings.deploy, token=settings.serve.token)
        live = deploy.deploy(model_dir, settings.live_dir, keep_versions=keep_versions, on_event=on_event, api=api)
        result = replace(result, deployed=True, live=str(live), seconds=round(perf_counter() - started, 3))
    keep_newest(settings.home, settings.live_dir, settings.keep, on_event)
    return result


def assist(settings: Settings) -> None:
    """Train along with the main process of several, which torchrun has started."""
    from get_tags_train.model.device import choose_device
    from get_tags_train.training.train import train_as_worker

    train_as_worker(settings.home, choose_device(settings.training.device))


def _check_inputs(settings: Settings, on_event: OnEvent) -> _Inputs:
    """Read and check all that the chain needs; raises InputError or GetTagsError naming what is wrong."""
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.model.base_model import check_base_model
    from get_tags_train.model.device import choose_device
    from get_tags_train.splits.eval_set import EvalSet
    from get_tags_train.splits.test_samples import Samples
    from get_tags_train.text.romanian import romanian_loss
    from get_tags_train.text.tokenizer import load_tokenizer
    from get_tags_train.training.tracking import check_tracker

    samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
    test_set, rare_set = EvalSet.of_samples(samples), EvalSet.of_rare_samples(samples)
    device = choose_device(settings.training.device)
    tokenizer = load_tokenizer(settings.base_model)
    check_tracker(settings.training.report_to)
    check_base_model(settings.base_model, settings.training.context_length, tokenizer)
    if settings.source.kind == "cached" and (lost := romanian_loss(tokenizer)):  # an extraction says it by itself
        on_event(Notice(lost, "warning"))
    return _Inputs(samples, test_set, rare_set, device, tokenizer)


def _get_data(settings: Settings, on_event: OnEvent) -> "tuple[PreparedData, DataResult]":
    """The prepared data that the source names, else a new extraction."""
    from get_tags_train.data.prepared import PreparedData

    if settings.source.kind == "cached":
        opened = perf_counter()
        data = PreparedData(find_data(settings.home, settings.source.data_name))
        return data, describe(data, "cached", opened, resumed=False)
    result = extract(settings, on_event)
    return PreparedData(Path(result.path)), result


def _split(settings: Settings, data: "PreparedData", samples: "Samples", on_event: OnEvent) -> _Split:
    """Held-out documents, and those that leaked into the test samples, do not train."""
    from get_tags_train.splits.set_aside import set_aside

    leaked, held_out = set_aside(settings, data, samples, on_event)
    left_out = held_out.left_out | leaked if settings.evaluation.leaks == "leave_out" else held_out.left_out
    return _Split(left_out, held_out)


def _train(settings: Settings, inputs: _Inputs, data: "PreparedData", split: _Split, on_event: OnEvent) -> Path:
    """The folder of the trained model."""
    from get_tags_train.training.train import train

    validation = split.held_out.validation
    try:
        return train(
            settings,
            data,
            split.left_out,
            tokenizer=inputs.tokenizer,
            device=inputs.device,
            on_event=on_event,
            validation=validation if validation.any() else None,
        )
    except KeyboardInterrupt:
        raise TrainingInterrupted(_("The training was interrupted."), data.name) from None


def _train_baseline(
    training: TrainingSettings, data: "PreparedData", split: _Split, training_seconds: float, on_event: OnEvent
) -> "LinearBaseline":
    """The linear baseline, trained on the model's documents in a share of its time."""
    from get_tags_train.evaluation import linear_baseline
    from get_tags_train.splits.training_set import choose_training_set

    training_set = choose_training_set(data, split.untrained, training.min_tag_count)
    return linear_baseline.fit(
        data, training_set, training_seconds=training_seconds, seed=training.seed, on_event=on_event
    )


def _held_out_sets(data: "PreparedData", held_out: "HeldOut") -> "dict[str, EvalSet]":
    """The held-out test documents as sets to evaluate on, where there are any: all of them, and the newest."""
    from get_tags_train.splits.eval_set import HELD_OUT, NEWEST, EvalSet
    from get_tags_train.splits.held_out import newest_of, texts_and_labels

    sets = {}
    if held_out.test.any():
        sets["held_out"] = EvalSet.of_documents(HELD_OUT, *texts_and_labels(data, held_out.test))
    if (newest := newest_of(data, held_out.test)) is not None:
        sets["newest"] = EvalSet.of_documents(NEWEST, *texts_and_labels(data, newest))
    return sets


def _describe_model(model_dir: Path, metadata: "ModelMetadata") -> ModelResult:
    return ModelResult(
        name=model_dir.name,
        path=str(model_dir),
        base_model=metadata.base_model,
        epochs=metadata.settings.epochs,
        batch_size=metadata.settings.batch_size,
        context_length=metadata.settings.context_length,
        examples=metadata.examples,
        device=metadata.device,
        precision=metadata.precision,
        resumed=metadata.resumed,
        seconds=metadata.seconds,
    )
