"""The commands `get-tags config ...`: which settings are in force, where each was set, and what is wrong with them."""

from collections.abc import Callable
from functools import partial

import typer

from get_tags_train.cli.app import App
from get_tags_train.cli.session import Session
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import Command, _

config_app = App(help="Show the settings in force, and check them.")


@config_app.callback()
@config_app.command("show")
def config_show(session: Session) -> None:
    """Show each setting and where it was set; no passwords."""
    from get_tags_train.cli import listings
    from get_tags_train.core.config import explain_settings
    from get_tags_train.data.database import secrets_of

    settings = session.load_settings()
    secrets = [*secrets_of(settings.database, ask_keyring=False), settings.serve.token]
    session.secrets = tuple(filter(None, secrets))
    shown = [
        {**setting._asdict(), "value": session.without_secrets(setting.value)}
        for setting in explain_settings(session.home, session.config_path)
    ]
    session.console.result({"settings": shown}, listings.settings_lines(shown))


@config_app.command("check")
def config_check(session: Session) -> None:
    """Check names, types and limits of all settings, and the form of URL and queries; exit code 2 if any is wrong."""
    from get_tags_train.core.config import find_problems

    problems: list[GetTagsError] = [*find_problems(session.home, session.config_path)]
    if not problems:
        problems = _database_problems(session)
    result = {"problems": [{"message": problem.message, "hint": problem.hint} for problem in problems]}
    lines = [
        line
        for problem in problems
        for line in (f"✗ {problem.message}", *([f"  {problem.hint}"] if problem.hint else []))
    ]
    tried = _("To try them against the database:\n{doctor}", doctor=Command("doctor"))
    session.console.result(result, lines or [_("The settings are valid."), tried])
    if problems:
        raise typer.Exit(InputError.exit_code)


def _database_problems(session: Session) -> list[GetTagsError]:
    """What can be found out without asking the database; an URL that is not set yet is none."""
    from get_tags_train.data.database import describe_url
    from get_tags_train.data.queries import checked_select

    database = session.load_settings().database
    checks: list[Callable[[], object]] = [partial(checked_select, database.documents_query, "documents_query")]
    if database.url:
        checks.append(partial(describe_url, database.url))
    if database.tags_query.strip():
        checks.append(partial(checked_select, database.tags_query, "tags_query"))
    found: list[GetTagsError] = []
    for check in checks:
        try:
            check()
        except GetTagsError as error:
            found.append(error)
    return found
