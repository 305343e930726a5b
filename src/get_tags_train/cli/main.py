"""The commands: flags -> settings -> stages -> results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from get_tags_train.cli.data import data_app
from get_tags_train.cli.live import live_app
from get_tags_train.cli.models import models_app
from get_tags_train.cli.samples import samples_app
from get_tags_train.cli.session import (
    BaseModelOption,
    Commands,
    ConfigOption,
    DeviceOption,
    HomeOption,
    IdsOption,
    Job,
    JsonOption,
    ModelArgument,
    TopKOption,
    YesOption,
    overrides,
    session,
    someone_to_ask,
)
from get_tags_train.core.errors import InputError, InterruptedByUser, TrainingInterrupted
from get_tags_train.core.i18n import _

if TYPE_CHECKING:
    from types import ModuleType

    from get_tags_train.core.settings import Settings, Source, SourceKind


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Retrain the model that tags documents: from a database to a live model.",
)
app.add_typer(data_app, name="data")
app.add_typer(models_app, name="models")
app.add_typer(samples_app, name="samples")
app.add_typer(live_app)


@app.command()
def train(
    source: Annotated[
        Literal["database", "ids", "cached"] | None, typer.Option(help="Where documents come from.")
    ] = None,
    ids: IdsOption = None,
    data: Annotated[str | None, typer.Option(help="The prepared data, tags_vX, for --source cached.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times training goes through all documents.")] = None,
    batch_size: Annotated[
        str | None, typer.Option(help="Documents per optimiser step, or auto: what is fastest here.", metavar="N")
    ] = None,
    context_length: Annotated[int | None, typer.Option(help="Tokens per document, at most 512.")] = None,
    top_k: TopKOption = None,
    base_model: BaseModelOption = None,
    device: DeviceOption = None,
    seed: Annotated[int | None, typer.Option(help="Fixes all chance.")] = None,
    deploy: Annotated[bool | None, typer.Option("--deploy/--no-deploy", help="Make the model live when done.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Use the built-in example, in a home of its own.")] = False,
    yes: YesOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Choose data, train, evaluate and, if wanted, make the model live."""
    from get_tags_train import pipeline
    from get_tags_train.core.bootstrap import default_home
    from get_tags_train.training import distributed

    job = Job.of(home or (default_home() / "demo" if demo else None), config, json_)
    flags = overrides(
        training={
            "epochs": epochs,
            "batch_size": int(batch_size) if batch_size and batch_size.isdecimal() else batch_size,
            "context_length": context_length,
            "base_model": base_model,
            "device": device,
            "seed": seed,
        },
        evaluation={"top_k": top_k},
    )
    if distributed.is_assistant():
        pipeline.assist(job.settings(flags))
        return
    chosen = _source_of_flags(source, ids, data)
    job.settings(flags)  # wrong flags and settings are found before the example is written
    if yes:
        if demo:
            _write_demo(job)
        _train(job, job.settings(flags, source=_complete(chosen, job.home)), deploy, ask=False)
        return
    wizard = _wizard([*([] if chosen else ["--source"]), *_unanswered(flags)])
    with wizard.prompts():
        picked = chosen if demo else wizard.ask_source(job.settings(flags), chosen)
        if picked is None and not demo:
            demo, job = True, Job.of(job.home / "demo", config, json_)
        planned = _planned_demo(job.home) if demo else {}
        answers = wizard.ask_settings(job.settings(planned, flags), flags)
        used = _complete(picked, job.home)
        is_fine = _look_ahead(job, job.settings(planned, flags, answers, source=used), deploy, check=not demo)
        if not wizard.confirm_start(expected=is_fine):
            job.console.say(_("Nothing was started."))
            raise typer.Exit(InterruptedByUser.exit_code)
        if demo:
            _write_demo(job)
        wizard.remember(job.home, used)
        _train(job, job.settings(flags, answers, source=used), deploy, ask=True)


def _look_ahead(job: Job, settings: "Settings", deploy: bool | None, *, check: bool) -> bool:
    """Show what will happen, and what the quick part of doctor finds; whether nothing stands in the way."""
    from get_tags_train.cli import tables
    from get_tags_train.maintenance import doctor, estimate

    job.console.say(_("Looking at what this run needs ..."))
    checks = list(doctor.run_checks(settings, quick=True)) if check else []
    if checks:
        job.console.show([tables.checks_table(checks)])
    job.console.show([tables.summary(settings, estimate.estimate_run(settings), deploy)])
    return all(found.status != "error" for found in checks)


def _unanswered(flags: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The flags that would answer the wizard's questions."""
    from get_tags_train.cli.wizard import QUESTIONS

    return [f"--{q.key.replace('_', '-')}" for q in QUESTIONS if q.key not in flags.get(q.section, {})]


def _train(job: Job, settings: "Settings", deploy: bool | None, *, ask: bool) -> None:
    from get_tags_train import pipeline
    from get_tags_train.cli import tables, wizard
    from get_tags_train.cli import wizard as cli_wizard

    on_event = session.start_log("train", reads_database=settings.source.kind != "cached")
    left = False

    def should_deploy(result: pipeline.RunResult) -> bool:
        nonlocal left
        if deploy is False or not (deploy or ask):
            return False
        if deploy is None:
            session.console.show(tables.evaluation_lines(result.evaluation))
        try:
            return (deploy or wizard.confirm_deploy(result.model.name)) and cli_wizard.confirm_concerns(
                result.evaluation, result.model.name, ask=ask, say=session.console.say
            )
        except (KeyboardInterrupt, EOFError):
            left = True  # the model is there: its name and folder are still to be said
            return False

    try:
        result = pipeline.run(settings, on_event, should_deploy).as_json()
    except TrainingInterrupted as error:
        again = job.to_continue(error.data_name, deploy=bool(deploy))
        error.hint = _("To continue it:") + f"\n{again}"
        raise
    seen = [] if ask and deploy is None else tables.evaluation_lines(result["evaluation"])
    to_deploy = [] if result["deployed"] else [_("To make it live:"), job.command("deploy", result["model"]["name"])]
    session.console.result(result, [*seen, tables.run_facts(result), *to_deploy])
    if left:
        raise typer.Exit(InterruptedByUser.exit_code)


@app.command()
def extract(
    source: Annotated[Literal["database", "ids"] | None, typer.Option(help="Where documents come from.")] = None,
    ids: IdsOption = None,
    base_model: BaseModelOption = None,
    yes: YesOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Prepare data from the database, without training on them."""
    from get_tags_train.cli import tables
    from get_tags_train.data import extract as data_extract
    from get_tags_train.maintenance.retention import keep_newest

    job = Job.of(home, config, json_)
    flags = overrides(training={"base_model": base_model})
    chosen = _source_of_flags(source, ids, None)
    if not yes and (chosen is None or (chosen.kind == "ids" and chosen.ids_path is None)):
        wizard = _wizard(["--source", "--ids"])
        with wizard.prompts():
            chosen = wizard.ask_source(job.settings(flags), chosen, only_extraction=True)
    settings = job.settings(flags, source=_complete(chosen, job.home))
    on_event = session.start_log("extract", reads_database=True)
    result = asdict(data_extract.extract(settings, on_event))
    keep_newest(settings.home, settings.live_dir, settings.keep, on_event)
    job.console.result({"data": result}, [tables.data_facts(result)])


@app.command()
def evaluate(
    model: ModelArgument = None,
    top_k: TopKOption = None,
    device: DeviceOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Score a model on the test samples; default: the newest model."""
    from get_tags_train.cli import tables
    from get_tags_train.core.home import find_model

    job = Job.of(home, config, json_)
    settings = job.settings(overrides(evaluation={"top_k": top_k}, training={"device": device}))
    folder = find_model(settings.home, settings.live_dir, model)

    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.evaluation import evaluate as stage
    from get_tags_train.evaluation import report
    from get_tags_train.model.device import choose_device
    from get_tags_train.splits.eval_set import EvalSet
    from get_tags_train.splits.test_samples import Samples

    on_event = session.start_log("evaluate")
    samples = Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
    evaluation = stage.evaluate(
        folder,
        EvalSet.of_samples(samples),
        further={"rare": EvalSet.of_rare_samples(samples)},
        top_k=settings.evaluation.top_k,
        device=choose_device(settings.training.device),
        on_event=on_event,
        references=stage.References(live=stage.find_live(folder, settings.live_dir)),
    )
    if not folder.resolve().is_relative_to(settings.live_dir.resolve()):  # what is deployed is never changed
        report.record(folder, evaluation, on_event)
    result = evaluation.as_json()
    job.console.result(result, [_("Model: {folder}", folder=folder), *tables.evaluation_lines(result)])


@app.command()
def doctor(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Check all that a long run needs before it starts; exit code 1 if something is missing."""
    from get_tags_train.cli import tables
    from get_tags_train.maintenance.doctor import run_checks

    job = Job.of(home, config, json_)
    settings = job.settings()
    checks = list(run_checks(settings))
    job.console.result({"checks": [check._asdict() for check in checks]}, [tables.checks_table(checks)])
    if any(check.status == "error" for check in checks):
        raise typer.Exit(1)


@app.command()
def demo(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Write the built-in example into a home folder; default: the folder demo in the default home."""
    from get_tags_train.core.bootstrap import default_home

    job = Job.of(home or default_home() / "demo", config, json_)
    _write_demo(job)
    job.console.result(
        {"home": str(job.home)},
        [_("The example is in {home}. To train on it:", home=job.home), job.command("train", "--demo")],
    )


def _wizard(flags: Sequence[str]) -> "ModuleType":
    """The wizard, where somebody is there to ask; `flags` would answer in its place."""
    answers = [_("Answer with flags: {flags}.", flags=", ".join(flags))] if flags else []
    return someone_to_ask(" ".join([*answers, _("Add --yes: it takes the defaults for the rest.")]))


def _source_of_flags(kind: "SourceKind | None", ids: Path | None, data_name: str | None) -> "Source | None":
    """What the flags say of the source: None where nothing; --ids and --data imply their kind."""
    from get_tags_train.core.settings import Source

    kind = kind or ("ids" if ids else "cached" if data_name else None)
    if (ids and kind != "ids") or (data_name and kind != "cached"):
        raise InputError(
            _(
                "--source {kind} does not go with {value}.",
                kind=kind,
                value="--ids" if ids and kind != "ids" else "--data",
            ),
            _("--ids goes with --source ids, --data with --source cached."),
        )
    return Source(kind, ids, data_name) if kind else None


def _complete(source: "Source | None", home: Path) -> "Source":
    """The source with its default file; the default source is the database."""
    from get_tags_train.core.settings import Source

    if source is None:
        return Source("database")
    return source._replace(ids_path=home / "ids.csv") if source.kind == "ids" and not source.ids_path else source


def _planned_demo(home: Path) -> Mapping[str, Mapping[str, Any]]:
    """The settings of the example that is yet to be written."""
    from get_tags_train.core.bootstrap import SITE_FILE
    from get_tags_train.demo.write import SETTINGS

    return {} if (home / SITE_FILE).exists() else SETTINGS


def _write_demo(job: Job) -> None:
    from get_tags_train.demo.write import write_demo

    job.console.say(_("Writing the example into {home} ...", home=job.home))
    write_demo(job.home)
