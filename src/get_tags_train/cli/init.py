"""`get-tags init`: what is asked and tested, and get-tags.toml written of it."""

import os
from typing import TYPE_CHECKING, Any

import typer

from get_tags_train.cli.conversation import Conversation
from get_tags_train.cli.database_questions import Database, DatabaseQuestions
from get_tags_train.cli.prompts import agree, tell
from get_tags_train.cli.table_questions import Queries, TableQuestions
from get_tags_train.core.bootstrap import ENV_PREFIX, SITE_FILE
from get_tags_train.core.errors import InterruptedByUser
from get_tags_train.core.i18n import _
from get_tags_train.core.site_file import toml_text, with_database, write_site_file
from get_tags_train.data.database import keep_password, secrets_of, user_and_server

if TYPE_CHECKING:
    from get_tags_train.cli.session import Session

_PASSWORD_VARIABLE = f"{ENV_PREFIX}DATABASE_PASSWORD"


def set_up(session: "Session") -> dict[str, Any]:
    """Ask for the database and write get-tags.toml; returns what was found.

    Raises GoBack where somebody goes back from the first question, and Exit where nothing is to be written.
    """
    settings = session.load_settings().database

    def questions(talk: Conversation) -> dict[str, Any]:
        database = DatabaseQuestions(settings, session.home).ask(talk)
        session.secrets = tuple(secrets_of(database.settings))
        return _write(session, database, TableQuestions(database).ask(talk))

    return Conversation().hold(questions, is_inner=True)


def _write(session: "Session", database: Database, queries: Queries) -> dict[str, Any]:
    """Show what would be written, and write it."""
    url, password = database.settings.url, database.settings.password
    values = {"url": url, "documents_query": queries.documents_query, "tags_query": queries.tags_query}
    path = session.home / SITE_FILE
    with_database(session.home, values, "")  # whether it can be written is known before it is asked
    for key, value in values.items():
        tell(f"{key} = {toml_text(value)}")
    if not agree(_("Write this into {path}?", path=path), default=True, can_go_back=True):
        session.console.say(_("Nothing was written."))
        raise typer.Exit(InterruptedByUser.exit_code)
    place = _keep_password(url, password)
    backup = write_site_file(session.home, with_database(session.home, values, _note_of(place, url)))
    tell(f"✓ {path}")
    if backup:
        tell(_("The file before it is {backup}.", backup=backup))
    if note := _note_of(place, url):
        tell(note)
    return {
        "path": str(path),
        "backup": str(backup) if backup else None,
        "password": place,
        "documents": queries.coverage.tagged + queries.coverage.untagged,
        "documents_with_tags": queries.coverage.tagged,
    }


def _keep_password(url: str, password: str) -> str | None:
    """Where the password is from now on: keyring, environment, or None where there is none.

    Without a keyring only this process knows it, so that the run that follows can start.
    """
    user, server = user_and_server(url)
    if not password or not user:
        return None
    if os.environ.get(_PASSWORD_VARIABLE) == password:
        return "environment"
    if keep_password(user, server, password):
        return "keyring"
    os.environ[_PASSWORD_VARIABLE] = password
    return "environment"


def _note_of(place: str | None, url: str) -> str:
    if place == "keyring":
        user, server = user_and_server(url)
        return _("The password is in the system keyring: get-tags, {user}@{server}.", user=user, server=server)
    if place == "environment":
        return _(
            "The password is not in this file, and this machine has no keyring: set {variable} before each run.",
            variable=_PASSWORD_VARIABLE,
        )
    return ""
