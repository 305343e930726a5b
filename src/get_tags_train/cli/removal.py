"""Remove prepared data, models and unfinished work, after a last question."""

from pathlib import Path

import typer

from get_tags_train.cli import prompts, wizard
from get_tags_train.cli.session import Session
from get_tags_train.core.errors import InterruptedByUser
from get_tags_train.core.events import Notice
from get_tags_train.core.i18n import _
from get_tags_train.maintenance import inventory


def remove(session: Session, folder: Path, *, yes: bool) -> None:
    """Remove a folder of the home for good, once somebody has agreed."""
    if not yes:
        prompts.require_terminal(_("Add --yes: it removes it without asking."))
        if not wizard.confirm_removal(folder):
            raise typer.Exit(InterruptedByUser.exit_code)
    on_event = session.start_log("remove")
    inventory.remove(session.home, folder)
    on_event(Notice(_("Removed {folder}.", folder=folder)))
    session.console.result({"removed": str(folder)})
