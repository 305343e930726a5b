"""The whole chain: the only owner of the order of stages."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from get_tags_train.core.errors import TrainingInterrupted
from get_tags_train.core.events import OnEvent
from get_tags_train.core.home import find_data
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.core.system import keep_awake
from get_tags_train.data.extract import DataResult, describe, extract

if TYPE_CHECKING:
    pass
from get_tags_train.splits.set_aside import set_aside


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


@keep_awake("a model is being made")
def run(settings: Settings, on_event: OnEvent, should_deploy: Callable[[RunResult], bool]) -> RunResult:
    """Data, training, evaluation, and deployment if `should_deploy` says so of the result so far.

    All that can be known to be wrong is found before the long work begins.
    """
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.deployment import deploy
    from get_tags_train.deployment.api_switch import ApiSwitch
    from get_tags_train.evaluation import evaluate, linear_baseline, report
    from get_tags_train.maintenance.retention import keep_newest
    from get_tags_train.model.base_model import check_base_model
    from get_tags_train.model.device import choose_device
    from get_tags_train.model.metadata import read_metadata
    from get_tags_train.splits.eval_set import HELD_OUT, NEWEST, EvalSet
    from get_tags_train.splits.held_out import newest_of, texts_and_labels
    from get_tags_train.splits.test_samples import Samples
    from get_tags_train.splits.training_set import choose_training_set
    from get_tags_train.text.tokenizer import load_tokenizer
    from get_tags_train.training import train
    from get_tags_train.training.tracking import check_tracker

    started = perf_counter()
    samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
    test_set, further = EvalSet.of_samples(samples), {"rare": EvalSet.of_rare_samples(samples)}
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
        selecting = held_out.validation if held_out.validation.any() else None
        folder = train.train(
            settings, data, left_out, tokenizer=tokenizer, device=device, on_event=on_event, selecting=selecting
        )
    except KeyboardInterrupt:
        raise TrainingInterrupted(_("The training was interrupted."), data.name) from None
    untrained = left_out | held_out.validation
    report.write_pages(folder)
    facts = read_metadata(folder)
    linear = None
    if settings.evaluation.baseline:
        examples = choose_training_set(data, untrained, settings.training.min_tag_count)
        seed, seconds = settings.training.seed, facts["seconds"]
        linear = linear_baseline.fit(data, examples, training_seconds=seconds, seed=seed, on_event=on_event)
    if held_out.test.any():
        further["held_out"] = EvalSet.of_documents(HELD_OUT, *texts_and_labels(data, held_out.test))
    if (newest := newest_of(data, held_out.test)) is not None:
        further["newest"] = EvalSet.of_documents(NEWEST, *texts_and_labels(data, newest))
    evaluation = evaluate.evaluate(
        folder,
        test_set,
        further=further,
        top_k=settings.evaluation.top_k,
        device=device,
        on_event=on_event,
        references=evaluate.References(evaluate.find_live(folder, settings.live_dir), linear),
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
        keep_versions, api = settings.deploy.keep_versions, ApiSwitch.of(settings)
        live = deploy.deploy(folder, settings.live_dir, keep_versions=keep_versions, on_event=on_event, api=api)
        result = replace(result, deployed=True, live=str(live), seconds=round(perf_counter() - started, 3))
    keep_newest(settings.home, settings.live_dir, settings.keep, on_event)
    return result


def assist(settings: Settings) -> None:
    """Train along with the main process of several, which torchrun or `accelerate launch` has started."""
    from get_tags_train.model.device import choose_device
    from get_tags_train.training.train import assist as train_along

    train_along(settings.home, choose_device(settings.training.device))
