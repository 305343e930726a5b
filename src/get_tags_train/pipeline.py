"""The whole chain: the only owner of the order of stages.

Stages are imported where they are run: the command line imports this module, and waits for no library it does not need.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from get_tags_train.core.claims import claimed, holders
from get_tags_train.core.errors import GetTagsError, InputError, TrainingInterrupted
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.home import find_data
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.settings import Settings, TrainingSettings
from get_tags_train.core.system import keep_awake
from get_tags_train.data.extract import DataResult, describe, extract

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.model.linear_reader import LinearReader
    from get_tags_train.model.metadata import ModelMetadata
    from get_tags_train.splits.eval_set import EvalSet
    from get_tags_train.splits.held_out import HeldOut
    from get_tags_train.splits.test_samples import Samples
    from get_tags_train.training.train import Trained


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
    verdict: dict[str, Any]
    deployed: bool
    live: str | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Inputs:
    """What can be wrong before any work begins, checked and read; `test_set` is None where there is none yet."""

    samples: "Samples"
    test_set: "EvalSet | None"
    chosen_sets: "dict[str, EvalSet]"
    device: str
    tokenizer: "PreTrainedTokenizerFast"


@dataclass(frozen=True)
class _Split:
    """Which documents of the data train: left_out are neither trained on nor validated with. (documents,) each."""

    data: "PreparedData"
    left_out: "NDArray[np.bool_]"
    held_out: "HeldOut"

    @property
    def untrained(self) -> "NDArray[np.bool_]":
        return self.left_out | self.held_out.validation


@keep_awake("a model is being made")
def run(settings: Settings, on_event: OnEvent, should_deploy: Callable[[RunResult], bool]) -> RunResult:
    """Data, training, evaluation, and deployment if `should_deploy` says so of the result so far.

    All that can be known to be wrong is found before the long work begins. Raises GetTagsError where another process is
    at the same work in this home.
    """
    from get_tags_train.deployment import deploy
    from get_tags_train.deployment.api_switch import ApiSwitch
    from get_tags_train.evaluation import report
    from get_tags_train.evaluation.verdict import judge
    from get_tags_train.maintenance.retention import keep_newest
    from get_tags_train.model.metadata import own_metadata

    started, work = perf_counter(), _work_name(settings)
    if who := holders(settings.home).get(work):
        raise _under_way(who)
    inputs = _check_inputs(settings, on_event)
    data, data_result = _get_data(settings, on_event)
    with claimed(settings.home, work, _under_way):
        split = _split(settings, data, inputs.samples, on_event)
        trained = _train(settings, inputs, split, on_event)
        model_dir = trained.folder
        report.write_pages(model_dir)
        scores = _evaluate(settings, inputs, split, trained, on_event)
    seconds = round(perf_counter() - started, 3)
    model_result = _describe_model(model_dir, own_metadata(model_dir))
    result = RunResult(data_result, model_result, scores, asdict(judge(scores)), False, None, seconds)
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


def _work_name(settings: Settings) -> str:
    """The name that two runs share whose source and settings give the same model."""
    source, database = settings.source, settings.database
    queries = [] if source.kind == "cached" else [database.documents_query, database.tags_query]
    decides = [list(map(str, source)), queries, settings.training.deciding()]
    return f"train-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:12]}"


def _under_way(who: str) -> GetTagsError:
    return GetTagsError(
        _("The same training is under way in this home: {who}.", who=who),
        _("Wait until it is done, or stop it there with Ctrl-C: the same command then continues it."),
    )


def _check_inputs(settings: Settings, on_event: OnEvent) -> _Inputs:
    """Read and check all that the chain needs; raises InputError or GetTagsError naming what is wrong."""
    from get_tags_train.core.trackers import check_tracker
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.model.base_model import check_base_model
    from get_tags_train.model.device import choose_device
    from get_tags_train.splits.eval_set import EvalSet
    from get_tags_train.splits.test_samples import Samples
    from get_tags_train.text.romanian import romanian_loss
    from get_tags_train.text.tokenizer import load_tokenizer

    samples = Samples.read_if_there(settings.samples_path, read_tags_map(settings.tags_map_path))
    test_set = EvalSet.of_samples(samples) if samples.of_part(None, "random").texts else None
    device = choose_device(settings.training.device)
    tokenizer = load_tokenizer(settings.base_model)
    check_tracker(settings.training.report_to)
    check_base_model(settings.base_model, settings.training.context_length, tokenizer)
    if test_set is None:
        _say_that_there_are_no_samples(settings, on_event)
    if settings.source.kind == "cached" and (lost := romanian_loss(tokenizer)):  # an extraction says it by itself
        on_event(Notice(lost, "warning"))
    return _Inputs(samples, test_set, EvalSet.of_chosen_samples(samples), device, tokenizer)


def _say_that_there_are_no_samples(settings: Settings, on_event: OnEvent) -> None:
    """Held-out documents stand in for them. Raises InputError where none are held out."""
    if not settings.evaluation.held_out:
        raise _nothing_to_score_on(settings)
    said = _(
        "There are no test samples yet ({path}): the model is scored on held-out documents. After this run this "
        "command makes them: {command}",
        path=settings.samples_path,
        command=Command("samples", "add"),
    )
    on_event(Notice(said, "warning"))


def _nothing_to_score_on(settings: Settings) -> InputError:
    return InputError(
        _(
            "There is nothing to score the model on: no test samples ({path}), no held-out documents.",
            path=settings.samples_path,
        ),
        _(
            "Write test samples, a table with the columns text and labels; or raise held_out under [evaluation], which "
            "is {share} now.",
            share=settings.evaluation.held_out,
        ),
    )


def _get_data(settings: Settings, on_event: OnEvent) -> "tuple[PreparedData, DataResult]":
    """The prepared data that the source names, else a new extraction; with people's decisions where they are wanted."""
    from get_tags_train.data.decisions import read_decisions
    from get_tags_train.data.prepared import PreparedData

    if settings.source.kind == "cached":
        opened = perf_counter()
        data = PreparedData(find_data(settings.home, settings.source.data_name))
        result = describe(data, "cached", opened, resumed=False)
    else:
        result = extract(settings, on_event)
        data = PreparedData(Path(result.path))
    return data.with_decisions(read_decisions(settings.home)) if settings.data.decisions else data, result


def _split(settings: Settings, data: "PreparedData", samples: "Samples", on_event: OnEvent) -> _Split:
    """Held-out documents, and those that leaked into the test samples, do not train."""
    from get_tags_train.splits.set_aside import set_aside

    leaked, held_out = set_aside(settings, data, samples, on_event)
    if not samples.of_part(None, "random").texts and not held_out.test.any():
        raise _nothing_to_score_on(settings)
    left_out = held_out.left_out | leaked if settings.evaluation.leaks == "leave_out" else held_out.left_out
    return _Split(data, left_out, held_out)


def _train(settings: Settings, inputs: _Inputs, split: _Split, on_event: OnEvent) -> "Trained":
    """The trained model."""
    from get_tags_train.training.train import train

    validation = split.held_out.validation
    try:
        return train(
            settings,
            split.data,
            split.left_out,
            tokenizer=inputs.tokenizer,
            device=inputs.device,
            on_event=on_event,
            validation=validation if validation.any() else None,
        )
    except KeyboardInterrupt:
        raise TrainingInterrupted(_("The training was interrupted."), split.data.name) from None


def _evaluate(
    settings: Settings, inputs: _Inputs, split: _Split, trained: "Trained", on_event: OnEvent
) -> dict[str, Any]:
    """The evaluation of the model, as JSON, kept beside it and told to the tracker."""
    from get_tags_train.evaluation import evaluate, report
    from get_tags_train.model.metadata import own_metadata
    from get_tags_train.training.tracking import track_scores

    model_dir, baseline = trained.folder, None
    if settings.evaluation.baseline:
        baseline = _linear_baseline(settings.training, split, trained, on_event)
    test_set, further = _eval_sets(inputs, split)
    evaluation = evaluate.evaluate(
        model_dir,
        test_set,
        further=further,
        top_k=settings.evaluation.top_k,
        device=inputs.device,
        on_event=on_event,
        references=evaluate.References.of(settings, model_dir, baseline),
    )
    report.record(model_dir, evaluation, on_event)
    scores = evaluation.as_json()
    track_scores(settings, model_dir.name, step=own_metadata(model_dir).steps, evaluation=scores, on_event=on_event)
    return scores


def _linear_baseline(
    training: TrainingSettings, split: _Split, trained: "Trained", on_event: OnEvent
) -> "LinearReader":
    """The linear reader of the model where it has one, else the one fitted in the training, else one fitted now."""
    from get_tags_train.model.second_reader import linear_reader_of
    from get_tags_train.splits.training_set import choose_training_set
    from get_tags_train.training.linear_baseline import fit_linear_baseline

    if (reader := linear_reader_of(trained.folder) or trained.linear) is not None:
        return reader
    training_set = choose_training_set(split.data, split.untrained, training.min_tag_count)
    validation = split.held_out.validation
    return fit_linear_baseline(split.data, training_set, validation, seed=training.seed, on_event=on_event)


def _eval_sets(inputs: _Inputs, split: _Split) -> "tuple[EvalSet, dict[str, EvalSet]]":
    """The leading set, which is the test samples or else the held-out documents, and further ones by their name."""
    further = {**inputs.chosen_sets, **_held_out_sets(split.data, split.held_out)}
    return (further.pop("held_out") if inputs.test_set is None else inputs.test_set), further


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
