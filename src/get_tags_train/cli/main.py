"""All commands together, and those that have no module of their own: extract, evaluate, doctor, demo."""

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from get_tags_train.cli.app import (
    App,
    BaseModelOption,
    CommandGroup,
    DeviceOption,
    FullOption,
    IdsOption,
    ModelArgument,
    TopKOption,
    YesOption,
)
from get_tags_train.cli.audit import audit_app
from get_tags_train.cli.bases import bases_app
from get_tags_train.cli.config import config_app
from get_tags_train.cli.data import data_app
from get_tags_train.cli.drift import drift_app
from get_tags_train.cli.help import HELP_FLAGS
from get_tags_train.cli.judge import judge_app
from get_tags_train.cli.live import live_app
from get_tags_train.cli.logs import logs_app
from get_tags_train.cli.models import models_app
from get_tags_train.cli.predict import predict_app
from get_tags_train.cli.report import report_app
from get_tags_train.cli.run_source import complete, source_of_flags
from get_tags_train.cli.samples import samples_app
from get_tags_train.cli.session import Overrides, Session, flag_overrides
from get_tags_train.cli.train import train_app, write_demo
from get_tags_train.core.i18n import Command, _, documents, english, in_english
from get_tags_train.core.version import __version__

if TYPE_CHECKING:
    from get_tags_train.core.settings import Source

single_app = App()


@single_app.command()
def extract(
    session: Session,
    source: Annotated[Literal["database", "ids"] | None, typer.Option(help="Where documents come from.")] = None,
    ids: IdsOption = None,
    base_model: BaseModelOption = None,
    full: FullOption = False,
    yes: YesOption = False,
) -> None:
    """Prepare data from the database, without training on them."""
    from get_tags_train.cli import tables
    from get_tags_train.core.logs import log_result
    from get_tags_train.data import extract as stage
    from get_tags_train.maintenance.retention import keep_newest

    flags = flag_overrides(training={"base_model": base_model})
    chosen = source_of_flags(source, ids, None)
    if not yes and (chosen is None or (chosen.kind == "ids" and chosen.ids_path is None)):
        chosen = _ask_source(session, flags, chosen)
    settings = session.load_settings(flags, source=complete(chosen, session.home, reads_all=full))
    on_event = session.start_log("extract", reads_database=True, is_announced=True)
    result = asdict(stage.extract(settings, on_event))
    keep_newest(settings.home, settings.live_dir, settings.keep, on_event)
    session.console.result({"data": result}, [tables.data_facts(result)])
    said = _("Extracted {documents} as {name}.", documents=documents(result["documents_kept"]), name=result["name"])
    log_result([english(said)])
    session.announce("done", said, data=result["name"])


def _ask_source(session: Session, flags: Overrides, chosen: "Source | None") -> "Source":
    from get_tags_train.cli import init, prompts, wizard
    from get_tags_train.cli.conversation import Conversation

    def questions(talk: Conversation) -> "Source":
        answer = wizard.ask_extraction_source(session.load_settings(flags), chosen, talk)
        if not isinstance(answer, str):
            return answer
        init.set_up(session)
        raise prompts.GoBack(to="source")

    prompts.require_answers(["--source", "--ids"])
    with prompts.prompts():
        return Conversation().hold(questions)


@single_app.command()
def evaluate(
    session: Session, model: ModelArgument = None, top_k: TopKOption = None, device: DeviceOption = None
) -> None:
    """Score a model on the test samples; default: the newest model."""
    from get_tags_train.core.home import find_model

    settings = session.load_settings(flag_overrides(evaluation={"top_k": top_k}, training={"device": device}))
    folder = find_model(settings.home, settings.live_dir, model)

    from get_tags_train.cli.results import evaluation_lines, log_lines, verdict_lines
    from get_tags_train.core.logs import log_result
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
        further=EvalSet.of_chosen_samples(samples),
        top_k=settings.evaluation.top_k,
        device=choose_device(settings.training.device),
        on_event=on_event,
        references=stage.References.of(settings, folder),
    )
    if not folder.resolve().is_relative_to(settings.live_dir.resolve()):  # what is deployed is never changed
        report.record(folder, evaluation, on_event)
    result = evaluation.as_json()
    lines = [_("Model: {folder}", folder=folder), *verdict_lines(judge(result)), *evaluation_lines(result)]
    with in_english():
        log_result(log_lines(result))
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


@single_app.command()
def init(session: Session) -> None:
    """Set up the database: asks, tests each answer at once, and writes get-tags.toml."""
    from get_tags_train.cli import init as stage
    from get_tags_train.cli import prompts
    from get_tags_train.core.bootstrap import SITE_FILE

    prompts.require_terminal(_("Write {path} by hand, as docs/databases.md says.", path=session.home / SITE_FILE))
    with prompts.prompts():
        found = None
        while found is None:
            with suppress(prompts.GoBack):  # from the first question there is nothing to go back to
                found = stage.set_up(session)
    said = _(
        "To check all that a run needs:\n{doctor}\nTo train:\n{train}", doctor=Command("doctor"), train=Command("train")
    )
    session.console.result(found, [said])


app = typer.Typer(
    cls=CommandGroup,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_FLAGS},
    help="Retrain the model that tags documents: from a database to a live model.",
)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"get-tags {__version__}")
    elif ctx.invoked_subcommand is None:
        ctx.get_help()  # rich prints it itself
        raise typer.Exit(2)


for commands in (train_app, single_app, bases_app, predict_app, live_app, report_app, logs_app, drift_app):
    app.add_typer(commands)
_GROUPS = {
    "data": data_app,
    "models": models_app,
    "samples": samples_app,
    "config": config_app,
    "audit": audit_app,
    "judge": judge_app,
}
for name, group in _GROUPS.items():
    app.add_typer(group, name=name)
