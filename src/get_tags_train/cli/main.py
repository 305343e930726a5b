"""All commands together, and those that have no module of their own: extract, evaluate, doctor, demo."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from get_tags_train.cli.app import (
    App,
    BaseModelOption,
    CommandGroup,
    DeviceOption,
    IdsOption,
    ModelArgument,
    TopKOption,
    YesOption,
)
from get_tags_train.cli.data import data_app
from get_tags_train.cli.live import live_app
from get_tags_train.cli.logs import logs_app
from get_tags_train.cli.models import models_app
from get_tags_train.cli.predict import predict_app
from get_tags_train.cli.report import report_app
from get_tags_train.cli.run_source import complete, source_of_flags
from get_tags_train.cli.samples import samples_app
from get_tags_train.cli.session import Session, flag_overrides
from get_tags_train.cli.train import train_app, write_demo
from get_tags_train.core.i18n import Command, _, documents

single_app = App()


@single_app.command()
def extract(
    session: Session,
    source: Annotated[Literal["database", "ids"] | None, typer.Option(help="Where documents come from.")] = None,
    ids: IdsOption = None,
    base_model: BaseModelOption = None,
    yes: YesOption = False,
) -> None:
    """Prepare data from the database, without training on them."""
    from get_tags_train.cli import tables
    from get_tags_train.data import extract as stage
    from get_tags_train.maintenance.retention import keep_newest

    flags = flag_overrides(training={"base_model": base_model})
    chosen = source_of_flags(source, ids, None)
    if not yes and (chosen is None or (chosen.kind == "ids" and chosen.ids_path is None)):
        from get_tags_train.cli import prompts, wizard

        prompts.require_answers(["--source", "--ids"])
        with prompts.prompts():
            chosen = wizard.ask_extraction_source(session.load_settings(flags), chosen)
    settings = session.load_settings(flags, source=complete(chosen, session.home))
    on_event = session.start_log("extract", reads_database=True, is_announced=True)
    result = asdict(stage.extract(settings, on_event))
    keep_newest(settings.home, settings.live_dir, settings.keep, on_event)
    session.console.result({"data": result}, [tables.data_facts(result)])
    said = _("Extracted {documents} as {name}.", documents=documents(result["documents_kept"]), name=result["name"])
    session.announce("done", said, data=result["name"])


@single_app.command()
def evaluate(
    session: Session, model: ModelArgument = None, top_k: TopKOption = None, device: DeviceOption = None
) -> None:
    """Score a model on the test samples; default: the newest model."""
    from get_tags_train.core.home import find_model

    settings = session.load_settings(flag_overrides(evaluation={"top_k": top_k}, training={"device": device}))
    folder = find_model(settings.home, settings.live_dir, model)

    from get_tags_train.cli.results import evaluation_lines, verdict_lines
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.evaluation import evaluate as stage
    from get_tags_train.evaluation import report
    from get_tags_train.evaluation.verdict import judge
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
        references=stage.References.of(settings, folder),
    )
    if not folder.resolve().is_relative_to(settings.live_dir.resolve()):  # what is deployed is never changed
        report.record(folder, evaluation, on_event)
    result = evaluation.as_json()
    lines = [_("Model: {folder}", folder=folder), *verdict_lines(judge(result)), *evaluation_lines(result)]
    session.console.result(result, lines)


@single_app.command()
def doctor(session: Session) -> None:
    """Check all that a long run needs before it starts; exit code 1 if something is missing."""
    from get_tags_train.cli import tables
    from get_tags_train.maintenance.doctor import run_checks

    checks = list(run_checks(session.load_settings()))
    session.console.result({"checks": [check._asdict() for check in checks]}, [tables.checks_table(checks)])
    if any(check.status == "error" for check in checks):
        raise typer.Exit(1)


@single_app.command()
def demo(session: Session) -> None:
    """Write the built-in example into a home folder; default: the folder demo in the default home."""
    session.use_demo_home()
    write_demo(session)
    session.console.result(
        {"home": str(session.home)},
        [
            _(
                "The example is in {home}. To train on it:\n{command}",
                home=session.home,
                command=Command("train", "--demo"),
            )
        ],
    )


app = App(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Retrain the model that tags documents: from a database to a live model.",
)
for commands in (train_app, single_app, predict_app, live_app, report_app, logs_app):
    app.add_typer(commands)
for name, group in {"data": data_app, "models": models_app, "samples": samples_app}.items():
    app.add_typer(group, name=name)
