"""What a database says when it fails, in words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import N_, Command, _
from get_tags_train.core.settings import DatabaseSettings
from get_tags_train.data.database import describe_url, first_line, open_engine, secrets_of

# Of what a database says; drivers quote data and statements at length.
_SHOWN_CHARACTERS = 300
_T = TypeVar("_T")


class CertificateRefused(GetTagsError):
    """The server's certificate is not one that this machine trusts."""


class _Failure(NamedTuple):
    """What a driver's words mean: `message` is said of a database, `hint` says what to do."""

    pattern: str
    message: str
    hint: str
    kind: type[GetTagsError] = GetTagsError


# The first that fits is told: servers wrap one failure into the words of another.
_FAILURES = [
    _Failure(
        r"SQLITE_READONLY_(ROLLBACK|RECOVERY|CANTINIT|CANTLOCK)|SQLITE_CANTOPEN_DIRTYWAL",
        N_("A program was stopped while it wrote to {database}; its changes are still to be completed or undone"),
        N_(
            "Start that program again, or open the database once with one that may write to it, such as sqlite3; "
            "keep its files -journal and -wal until then."
        ),
    ),
    _Failure(
        r"can't open lib|data source name not found|IM00[23]",
        N_("The ODBC driver for {database} is not installed"),
        N_(
            "Install ODBC Driver 18 for SQL Server, as docs/databases.md says for each system, or name an installed "
            "one in the URL (installed: {drivers})."
        ),
    ),
    _Failure(
        r"certificate|ssl provider|ssl routines",
        N_("The certificate of {database} is not trusted"),
        N_("If you trust this server, add TrustServerCertificate=yes to the URL (PostgreSQL: sslmode=require)."),
        CertificateRefused,
    ),
    _Failure(
        r"unknown database|database \"[^\"]*\" does not exist|cannot open database|entry in sysdatabases"
        r"|access denied .* to database",
        N_("There is no database {database}, or this user may not open it"),
        N_("Check the name after the server's in the URL, and the user's rights."),
    ),
    _Failure(
        r"login failed|authentication failed|no password supplied|role \"[^\"]*\" does not exist"
        r"|access denied for user",
        N_("The login at {database} was refused"),
        N_("Check the user and the password: in the URL, in GET_TAGS_DATABASE_PASSWORD, or in the keyring."),
    ),
    _Failure(
        r"permission (was )?denied|command denied",
        N_("The user may not read everything that the queries need in {database}"),
        N_("Have the user granted SELECT on the tables of documents_query and tags_query."),
    ),
    _Failure(
        r"snapshot isolation",
        N_("Snapshot isolation is not allowed in {database}"),
        N_("Have it allowed (ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON), or set snapshot_isolation = false."),
    ),
    _Failure(
        r"no such (table|column)|invalid (object|column) name|unknown (column|table)|could not be bound"
        r"|does(n't| not) exist",
        N_("A table or column of the queries is not in {database}"),
        N_("Check documents_query and tags_query under [database]."),
    ),
    _Failure(
        r"login timeout expired|connection timeout expired|not found or not accessible|is unavailable|refused|no route"
        r"|could not connect|can't connect|connection failed|unknown .*server host|network-related",
        N_("The server of {database} cannot be reached"),
        N_("Check the server's name and port, the network and the VPN; the server must accept TCP connections."),
    ),
    _Failure(
        r"timeout expired|statement timeout|max_statement_time|maximum statement execution time",
        N_("A query to {database} took too long"),
        N_("Raise timeout_seconds under [database], or have the documents' ids indexed. To time the queries: {doctor}"),
    ),
]
_UNKNOWN = _Failure("", N_("The database {database} answered"), N_("To check [database] step by step: {doctor}"))


def is_undecodable(error: BaseException) -> bool:
    """Whether a text is not in the encoding that it should be in."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(orig, UnicodeDecodeError) or "could not decode" in str(orig).lower()


@contextmanager
def as_user_errors(settings: DatabaseSettings) -> Iterator[None]:
    """Raise what a database says as GetTagsError, without parameters, document text or secrets."""
    try:
        yield
    except DBAPIError as error:
        said = re.sub(r" with text '.*", "", first_line(error.orig or error))
        named = f"{said} {getattr(error.orig, 'sqlite_errorname', '')}"
        failure = next((f for f in _FAILURES if re.search(f.pattern, named, re.IGNORECASE)), _UNKNOWN)
        for secret in secrets_of(settings):
            said = said.replace(secret, "***")
        database = describe_url(settings.url)
        raise failure.kind(
            f"{_(failure.message, database=database)}: {said[:_SHOWN_CHARACTERS]}",
            _(failure.hint, drivers=_odbc_drivers(), doctor=Command("doctor")),
        ) from None
    except SQLAlchemyError as error:
        raise GetTagsError(_("The database cannot be read: {first_line}", first_line=first_line(error))) from None


@contextmanager
def opened(settings: DatabaseSettings, home: Path) -> Iterator[Engine]:
    """The database, open for a moment. Raises GetTagsError where it cannot be opened or read."""
    engine = open_engine(settings, home)
    try:
        with as_user_errors(settings):
            yield engine
    finally:
        engine.dispose()


def _odbc_drivers() -> str:
    """Names of the ODBC drivers on this machine."""
    try:
        import pyodbc  # here alone: it needs unixODBC, which other databases do without
    except ImportError:
        return _("none")
    return ", ".join(pyodbc.drivers()) or _("none")
