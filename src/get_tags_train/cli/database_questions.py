"""Which database: its kind, server, login and name, each tried before the next is asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from get_tags_train.cli.conversation import Conversation
from get_tags_train.cli.prompts import Choice, agree, choose, tell, type_path, type_secret, type_value
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import _, _n
from get_tags_train.core.settings import DatabaseSettings
from get_tags_train.data.database import describe_url, kept_password, secrets_of
from get_tags_train.data.database_errors import CertificateRefused, opened
from get_tags_train.data.database_url import (
    KINDS,
    SQLITE,
    Kind,
    Server,
    file_url,
    find_odbc_driver,
    parse_server,
    reach,
    server_url,
    split_password,
)
from get_tags_train.data.survey import SurveyedTable, read_databases, read_tables

_T = TypeVar("_T")
_F = TypeVar("_F")
_OTHER = "other"


class Login(NamedTuple):
    """Who reads on which server; `password` is what was typed, '' where none was."""

    kind: Kind
    server: Server
    user: str = ""
    password: str = ""
    trusts: bool = False

    def url(self, database: str = "") -> str:
        """The URL of one of the server's databases, without the password."""
        return server_url(self.kind, self.server, self.user, database=database, trusts=self.trusts)


class Database(NamedTuple):
    """A database that answers: its settings, the password among them, and its tables."""

    settings: DatabaseSettings
    home: Path
    tables: list[SurveyedTable]


class DatabaseQuestions:
    """The questions, with what they need to know: the settings so far, and the home, where SQLite files lie."""

    def __init__(self, settings: DatabaseSettings, home: Path) -> None:
        self._settings, self._home = settings, home

    def ask(self, talk: Conversation) -> Database:
        """The database that is chosen in the end."""
        kind = talk.ask("kind", _ask_kind)
        if kind == _OTHER:
            return talk.ask("url", self._ask_url)
        if kind == SQLITE:
            return talk.ask("file", self._ask_file)
        server = talk.ask("server", partial(self._ask_server, kind))
        if not kind.has_user:
            login, names = server
        else:
            user = talk.ask("user", _ask_user)
            login, names = talk.ask("password", partial(self._ask_password, Login(kind, server, user)))
        return talk.ask("database", partial(self._ask_database, login, names))

    def _ask_server(self, kind: Kind, earlier: Any) -> Any:
        """A server that answers; where the login is that of Windows, with it and the names of its databases."""
        tell(_("The name of the server, as SERVER, SERVER:PORT or SERVER\\INSTANCE."))
        known: Server | None = earlier[0].server if earlier and isinstance(earlier[0], Login) else earlier
        default = "" if not known else f"{known.host}:{known.port}" if known.port else known.host

        def test(written: str) -> Any:
            server = parse_server(written)
            reach(server, kind)
            return server if kind.has_user else self._log_in(Login(kind, server))

        return _until_it_works(lambda: type_value(_("Server:"), default, _is_given), test)

    def _ask_password(self, login: Login, _earlier: Any) -> Any:
        """The login with its password, and the names of the databases that it may open."""
        tell(_("It is kept in the system keyring, never in a file; what you type is not shown."))
        if self._settings.password or kept_password(login.user, login.server.host):
            tell(_("Enter alone takes the password that is kept already."))
        return _until_it_works(
            lambda: type_secret(_("Password:")), lambda password: self._log_in(login._replace(password=password))
        )

    def _log_in(self, login: Login) -> tuple[Login, list[str]]:
        try:
            with self._open(login.url(), login.password) as engine:
                return login, read_databases(engine)
        except CertificateRefused as error:
            say_problem(error)
            if login.trusts or not agree(_("Trust this server anyway?"), default=False):
                raise
            return self._log_in(login._replace(trusts=True))

    def _ask_database(self, login: Login, names: list[str], earlier: Database | None) -> Database:
        def ask() -> str:
            if not names:
                return type_value(_("Name of the database:"), "", _is_given)
            last = earlier and next((name for name in names if login.url(name) == earlier.settings.url), None)
            return str(choose(_("Which database?"), [Choice(name, name) for name in names], last))

        return _until_it_works(ask, lambda name: self._survey(login.url(name), login.password))

    def _ask_file(self, _earlier: Any) -> Database:
        tell(_("A relative path starts at the home, {home}; Tab completes a name.", home=self._home))
        return _until_it_works(
            lambda: type_path(_("SQLite file:"), "", _is_given), lambda path: self._survey(file_url(path), "")
        )

    def _ask_url(self, _earlier: Any) -> Database:
        tell(_("Any URL of SQLAlchemy, such as oracle+oracledb://USER@SERVER/?service_name=NAME."))

        def test(written: str) -> Database:
            url, password = split_password(written)
            settings = self._settings.model_copy(update={"url": url, "password": ""})
            if secrets_of(settings, ask_keyring=False):
                raise InputError(_("The URL has a password among its options."), _("Leave it out there."))
            return self._survey(url, password)

        return _until_it_works(lambda: type_value(_("Database URL:"), "", _is_given), test)

    def _survey(self, url: str, password: str) -> Database:
        with self._open(url, password) as engine:
            tables = read_tables(engine)
        if not tables:
            raise InputError(
                _("{database} has no tables that this user may see.", database=describe_url(url)),
                _("Choose another database, or have the user granted SELECT."),
            )
        found = _n(
            "{database} has {count:,} table.",
            "{database} has {count:,} tables.",
            len(tables),
            database=describe_url(url),
        )
        tell(f"✓ {found}")
        settings = self._with(url, password)
        return Database(settings, self._home, tables)

    def _open(self, url: str, password: str) -> AbstractContextManager[Any]:
        tell(_("Connecting to {database} ...", database=describe_url(url)))
        return opened(self._with(url, password), self._home)

    def _with(self, url: str, password: str) -> DatabaseSettings:
        return self._settings.model_copy(update={"url": url, "password": password or self._settings.password})


def say_problem(error: GetTagsError) -> None:
    """An error above the question that is asked again."""
    tell(f"✗ {error.message}")
    if error.hint:
        tell(f"  {error.hint}")


def _ask_kind(earlier: Any) -> Any:
    choices = [Choice(_(kind.title), kind) for kind in KINDS]
    choices.append(Choice(_("Another one: by its SQLAlchemy URL"), _OTHER))

    def test(kind: Any) -> Any:
        if kind != _OTHER and kind.drivername.startswith("mssql"):
            find_odbc_driver()
        return kind

    return _until_it_works(lambda: choose(_("Where are the documents?"), choices, earlier), test)


def _ask_user(earlier: str | None) -> str:
    tell(_("A user that may read is enough: nothing is ever written into the database."))
    return type_value(_("User:"), earlier or "", _is_given)


def _until_it_works(ask: Callable[[], _T], test: Callable[[_T], _F]) -> _F:
    """What `test` makes of an answer that it has nothing against."""
    while True:
        try:
            return test(ask())
        except GetTagsError as error:
            say_problem(error)


def _is_given(text: str) -> bool | str:
    return bool(text.strip()) or _("Please type something; Esc goes back.")
