"""The command `get-tags logs`: what the last run did and what came of it."""

from typing import Annotated

import typer

from get_tags_train.cli.app import App
from get_tags_train.cli.session import Session
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _

logs_app = App()


@logs_app.command()
def logs(
    session: Session,
    command: Annotated[
        str | None, typer.Argument(help="Of this command, such as train or deploy; default: any.")
    ] = None,
) -> None:
    """Show the log of the last run, which ends with what came of it."""
    from get_tags_train.core.home import logs_dir
    from get_tags_train.core.logs import log_paths

    paths = log_paths(session.home, command)
    if not paths:
        raise InputError(
            _("There is no log in {folder}.", folder=logs_dir(session.home)),
            _("Each run leaves one: train, extract, evaluate, deploy and others."),
        )
    text = paths[0].read_text(encoding="utf-8", errors="replace")
    session.console.result({"path": str(paths[0]), "lines": text.splitlines()}, [str(paths[0]), text])
