"""The commands around the live model: deploy, rollback, history, serve."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from get_tags_train.cli.app import App, DeviceOption, ModelArgument, YesOption
from get_tags_train.cli.session import Session, flag_overrides
from get_tags_train.core.errors import GetTagsError, InterruptedByUser, NotDeployed
from get_tags_train.core.i18n import Command, _

live_app = App()


@live_app.command()
def deploy(session: Session, model: ModelArgument = None, yes: YesOption = False) -> None:
    """Deploy a model, after comparing it with the live one; default: the newest."""
    from get_tags_train.core.home import find_model

    settings = session.load_settings()
    folder = find_model(settings.home, settings.live_dir, model)

    from get_tags_train.deployment import deploy as stage
    from get_tags_train.deployment.api_switch import ApiSwitch
    from get_tags_train.evaluation import deploy_gate

    on_event = session.start_log("deploy")
    evaluation = deploy_gate.evaluation_to_judge(settings, folder, on_event)
    if evaluation is not None:
        _judge(session, evaluation, yes=yes)
    keep_versions, api = settings.deploy.keep_versions, ApiSwitch.of(settings.deploy, token=settings.serve.token)
    live = stage.deploy(folder, settings.live_dir, keep_versions=keep_versions, on_event=on_event, api=api)
    session.console.result({"deployed": True, "live": str(live)}, [_("Live: {live}", live=live)])


def _judge(session: Session, evaluation: Mapping[str, Any], *, yes: bool) -> None:
    """Show how good a model is, and stop where something speaks against it and nobody wants it so."""
    from get_tags_train.cli import prompts, wizard
    from get_tags_train.cli.results import outcome_lines
    from get_tags_train.evaluation.verdict import judge

    session.console.show(outcome_lines(evaluation))
    concerns = judge(evaluation).concerns
    if yes or not concerns:
        return
    name = evaluation["model"]
    if not prompts.can_ask():
        reason = _("{name} was not deployed: {reason}.", name=name, reason=concerns[0])
        raise NotDeployed(reason, _("To deploy it anyway, add --yes."))
    if not wizard.confirm_despite(name):
        raise typer.Exit(InterruptedByUser.exit_code)


@live_app.command()
def rollback(session: Session) -> None:
    """Go back to the model that was live before."""
    from get_tags_train.deployment import deploy as stage
    from get_tags_train.deployment.api_switch import ApiSwitch

    settings = session.load_settings()
    on_event = session.start_log("rollback")
    live = stage.rollback(settings.live_dir, on_event, ApiSwitch.of(settings.deploy, token=settings.serve.token))
    session.console.result({"deployed": True, "live": str(live)}, [_("Live: {live}", live=live)])


@live_app.command()
def history(session: Session) -> None:
    """Show what was live, since when, by whom, and how good it was; newest first."""
    from get_tags_train.cli import listings
    from get_tags_train.deployment.history import read_history

    live_dir = session.load_settings().live_dir
    changes = [line for line in reversed(read_history(live_dir)) if line.get("versions")]
    session.console.result(changes, [listings.history_table(live_dir, changes)])


@live_app.command()
def serve(
    session: Session,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on; 0.0.0.0 for all.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port to listen on; 0 for any that is free.")] = None,
    device: DeviceOption = None,
) -> None:
    """Answer HTTP requests with the live model, following each deploy and rollback."""
    settings = session.load_settings(flag_overrides(serve={"host": host, "port": port}, training={"device": device}))
    try:
        from get_tags_train.serving import app as stage
    except ModuleNotFoundError as error:
        raise GetTagsError(
            _("{command} needs the package {name}.", command=Command("serve"), name=error.name),
            _("Run the set-up again: scripts/train_tags."),
        ) from error
    from get_tags_train.model.device import choose_device, prediction_precision
    from get_tags_train.model.tagger import TagModel
    from get_tags_train.serving.hot_reload import LiveModel

    on_event = session.start_log("serve", is_needed=False)  # it only reads
    on_device = choose_device(settings.training.device)
    precision = prediction_precision(settings.serve.precision, on_device)
    live_model = LiveModel(
        settings.live_dir,
        lambda folder: TagModel.load(folder, device=on_device, precision=precision, on_event=on_event),
        on_event=on_event,
    )

    def say_ready(url: str) -> None:
        name = live_model.batcher.live[0]
        said = _("{name} answers at {url}; the API is described at {url}/docs", name=name, url=url)
        session.console.result({"url": url, "model": name}, [said])

    stage.serve(live_model, settings.serve, say_ready, on_event)
