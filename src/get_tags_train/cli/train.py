"""The command `get-tags train`: flags, questions, the chain, and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from get_tags_train.cli.app import (
    App,
    BaseModelOption,
    DeviceOption,
    FullOption,
    IdsOption,
    TopKOption,
    YesOption,
    complete_data,
)
from get_tags_train.cli.run_source import complete, flags_of_source, source_of_flags
from get_tags_train.cli.session import Overrides, Session, flag_overrides, merged
from get_tags_train.core.errors import InterruptedByUser, NotDeployed, TrainingInterrupted
from get_tags_train.core.i18n import Command, _, in_english

if TYPE_CHECKING:
    from get_tags_train.cli.conversation import Conversation
    from get_tags_train.cli.deploy_gate import DeployGate
    from get_tags_train.cli.tables import Line
    from get_tags_train.core.settings import Settings, Source
    from get_tags_train.maintenance.check import Check

train_app = App()


@dataclass(frozen=True)
class _Request:
    """What is wanted of a training, as far as flags and answers have said."""

    overrides: Overrides
    source: "Source | None"
    deploy: bool | None
    is_demo: bool
    reads_all: bool = False

    def complete_source(self, home: Path) -> "Source":
        """Where the documents come from, as far as it is known."""
        return complete(self.source, home, reads_all=self.reads_all)


@train_app.command()
def train(
    session: Session,
    source: Annotated[
        Literal["database", "ids", "cached"] | None, typer.Option(help="Where documents come from.")
    ] = None,
    ids: IdsOption = None,
    data: Annotated[
        str | None, typer.Option(help="The prepared data, tags_vX, for --source cached.", autocompletion=complete_data)
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="How many times training goes through all documents.")] = None,
    batch_size: Annotated[
        str | None, typer.Option(help="Documents per optimizer step, or auto: what is fastest here.", metavar="N")
    ] = None,
    context_length: Annotated[int | None, typer.Option(help="Tokens per document, at most 512.")] = None,
    top_k: TopKOption = None,
    base_model: BaseModelOption = None,
    device: DeviceOption = None,
    seed: Annotated[int | None, typer.Option(help="The random seed.")] = None,
    full: FullOption = False,
    deploy: Annotated[bool | None, typer.Option("--deploy/--no-deploy", help="Deploy the model when done.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Use the built-in example, in a home of its own.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only check and show what would happen; exit code 1 if something is missing."),
    ] = False,
    if_worth_it: Annotated[
        bool,
        typer.Option(
            "--if-worth-it", help="Run drift first, and train only if that says so; else end with its exit code."
        ),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Choose data, train, evaluate and, if wanted, deploy the model."""
    from get_tags_train import pipeline
    from get_tags_train.training import distributed

    if demo:
        session.use_demo_home()
    flags = flag_overrides(
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
    settings = session.load_settings(flags)  # wrong flags and settings are found before anything is asked or written
    if distributed.is_worker():
        pipeline.assist(settings)
        return
    request = _Request(flags, source_of_flags(source, ids, data), deploy, demo, full)
    if dry_run:
        _show_only(session, request)
        return
    if if_worth_it:
        _end_unless_worth_it(session, settings)
    if not yes:
        request = _ask(session, request)
    if request.is_demo:
        write_demo(session)
    _run(session, request, ask=not yes)


def _ask(session: Session, request: _Request) -> _Request:
    """The request with what people answer; raises Exit where they do not want to start."""
    from get_tags_train.cli import prompts
    from get_tags_train.cli.conversation import Conversation

    prompts.require_answers(_flags_to_answer(request))
    home = session.home
    with prompts.prompts():
        return Conversation().hold(lambda talk: _questions(session, request, home, talk))


def _questions(session: Session, request: _Request, home: Path, talk: "Conversation") -> _Request:
    """All that is asked, in order, with `home` as the home until the example is chosen, which has its own."""
    from get_tags_train.cli import init, wizard
    from get_tags_train.cli.prompts import GoBack

    session.home = home
    if not request.is_demo:
        answer = wizard.ask_source(session.load_settings(request.overrides), request.source, request.overrides, talk)
        if answer == wizard.SET_UP:
            init.set_up(session)
            raise GoBack(to="source")  # there is a database to choose now
        if answer == wizard.EXAMPLE:
            session.home = home / "demo"
            request = replace(request, is_demo=True)
        else:
            request = replace(request, source=answer)
    planned = _settings_of_demo(session) if request.is_demo else {}
    asked_of = session.load_settings(planned, request.overrides)
    overrides = merged(request.overrides, wizard.ask_settings(asked_of, request.overrides, talk))
    request = replace(request, overrides=overrides, source=request.complete_source(session.home))
    settings = session.load_settings(planned, overrides, source=request.source)
    is_ready = _show_plan(session, settings, request)
    if not wizard.confirm_start(talk, expected=is_ready):
        _say_how_to_come_back(session, request)
        raise typer.Exit(InterruptedByUser.exit_code)
    return request


def _say_how_to_come_back(session: Session, request: _Request) -> None:
    """Nothing that was answered is lost."""
    from get_tags_train.core.settings import FROM_DATABASE

    flags = ["--demo"] if request.is_demo else flags_of_source(request.source or FROM_DATABASE)
    flags += [] if request.deploy is None else ["--deploy" if request.deploy else "--no-deploy"]
    command = session.training_command(*flags)
    session.console.say(_("Nothing was started. To come back to these answers:\n{command}", command=command))


def _flags_to_answer(request: _Request) -> list[str]:
    """The flags that would answer what is asked."""
    from get_tags_train.cli.wizard import QUESTIONS

    unanswered = [q.key for q in QUESTIONS if q.key not in request.overrides.get(q.section, {})]
    return [*([] if request.source else ["--source"]), *(f"--{key.replace('_', '-')}" for key in unanswered)]


def _end_unless_worth_it(session: Session, settings: "Settings") -> None:
    """Raise Exit where newer documents do not say that the live model should be retrained; the first model always is.

    What was found is shown, as the result where the run ends with it.
    """
    from get_tags_train.cli.drift import EXIT_CODES, check_drift
    from get_tags_train.cli.drift_lines import drift_lines
    from get_tags_train.core.home import live_name

    if not live_name(settings.live_dir):
        return
    found = check_drift(session, settings)
    if code := EXIT_CODES[found["advice"]]:
        session.console.result({"drift": found}, [*drift_lines(found), _("Nothing was trained.")])
        session.announce("done", found["sentence"], advice=found["advice"])
        raise typer.Exit(code)
    session.console.show(drift_lines(found))


def _show_only(session: Session, request: _Request) -> None:
    """What --dry-run does: nothing is asked, read from the database whole, or written."""
    planned = _settings_of_demo(session) if request.is_demo else {}
    source = request.complete_source(session.home)
    checks, lines = _plan(session, session.load_settings(planned, request.overrides, source=source), request)
    is_ready = all(check.status != "error" for check in checks)
    session.console.result({"ready": is_ready, "checks": [check._asdict() for check in checks]}, lines)
    if not is_ready:
        raise typer.Exit(1)


def _show_plan(session: Session, settings: "Settings", request: _Request) -> bool:
    """Show what will happen, and what the quick part of doctor finds; whether nothing stands in the way."""
    checks, lines = _plan(session, settings, request)
    session.console.show(lines)
    return all(check.status != "error" for check in checks)


def _plan(session: Session, settings: "Settings", request: _Request) -> "tuple[list[Check], list[Line]]":
    """What the quick part of doctor finds, and that and what will happen as people read it."""
    from get_tags_train.cli import tables
    from get_tags_train.maintenance import doctor, estimate

    session.console.say(_("Checking what this run needs ..."))
    checks = [] if request.is_demo else list(doctor.run_checks(settings, quick=True))
    lines: list[Line] = [tables.checks_table(checks)] if checks else []
    return checks, [*lines, tables.summary(settings, estimate.estimate_run(settings), request.deploy)]


def _run(session: Session, request: _Request, *, ask: bool) -> None:
    """Run the chain and show what came of it."""
    from get_tags_train import pipeline
    from get_tags_train.cli import wizard
    from get_tags_train.cli.deploy_gate import DeployGate

    source = request.complete_source(session.home)
    settings = session.load_settings(request.overrides, source=source)
    if ask:
        wizard.remember(session.home, source)
    on_event = session.start_log("train", reads_database=source.kind != "cached", is_announced=True)
    should_deploy = DeployGate(request.deploy, ask, session.console)
    try:
        result = pipeline.run(settings, on_event, should_deploy).as_json()
    except TrainingInterrupted as error:
        command = session.command_to_resume(error.data_name, deploy=bool(request.deploy))
        error.hint = _("To resume it:\n{command}", command=command)
        raise
    _finish(session, result, should_deploy)
    if should_deploy.was_interrupted:
        raise typer.Exit(InterruptedByUser.exit_code)
    if should_deploy.is_refused:
        raise typer.Exit(NotDeployed.exit_code)


def _finish(session: Session, result: Mapping[str, Any], gate: "DeployGate") -> None:
    """Show what came of a run, as far as it was not shown before a question; keep it in the log, and announce it."""
    from get_tags_train.cli import results
    from get_tags_train.core.logs import log_result

    model, evaluation = result["model"], result["evaluation"]
    lines = [] if gate.ask else results.outcome_lines(evaluation)
    lines.append(results.run_facts(result))
    if gate.is_refused:
        lines.append(_("To deploy it anyway:\n{command}", command=Command("deploy", model["name"], "--yes")))
    elif not result["deployed"]:
        lines.append(_("To deploy it:\n{command}", command=Command("deploy", model["name"])))
    with in_english():
        log_result(results.run_log_lines(result))
    session.console.result(result, lines)
    session.announce(
        "refused" if gate.is_refused else "done",
        f"{result['verdict']['sentence']} {results.decision(result)}",
        model=model["name"],
        report=str(results.report_path(result)),
        deployed=result["deployed"],
        precision_at_k=evaluation["precision_at_k"],
    )


def _settings_of_demo(session: Session) -> Mapping[str, Mapping[str, Any]]:
    """The settings of the example that is yet to be written."""
    from get_tags_train.core.bootstrap import SITE_FILE
    from get_tags_train.demo.write import SETTINGS

    return {} if (session.home / SITE_FILE).exists() else SETTINGS


def write_demo(session: Session) -> None:
    """Write the built-in example into the session's home."""
    from get_tags_train.demo import write

    session.console.say(_("Writing the example into {home} ...", home=session.home))
    write.write_demo(session.home)
