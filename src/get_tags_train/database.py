"""Engines, dialects, passwords, and a database's errors in words."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event
from time import monotonic
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, quote_plus

import keyring
import pyodbc
import sqlparse
from keyring.errors import KeyringError
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlparse.tokens import DDL, Punctuation
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.settings import Settings
from get_tags_train.words import N_, _

KEYRING_SERVICE = "get-tags"
# Of what a database says; drivers quote data and statements at length.
_SHOWN_CHARACTERS = 300
_CHANGING = {"INTO", "INSERT", "UPDATE", "DELETE", "EXEC", "EXECUTE"}


class _Failure(NamedTuple):
    """What a driver's words mean: `message` is said of a database, `hint` says what to do."""

    pattern: str
    message: str
    hint: str


# The first that fits is told: servers wrap one failure into the words of another.
_FAILURES = [
    _Failure(
        r"can't open lib|data source name not found|IM00[23]",
        N_("The ODBC driver for {database} is not installed"),
        N_("Install ODBC Driver 18 for SQL Server, or name an installed one in the URL (installed: {drivers})."),
    ),
    _Failure(
        r"certificate|ssl provider|ssl routines",
        N_("The certificate of {database} is refused"),
        N_("If you trust this server, add TrustServerCertificate=yes to the URL (PostgreSQL: sslmode=require)."),
    ),
    _Failure(
        r"unknown database|database \"[^\"]*\" does not exist|cannot open database|entry in sysdatabases"
        r"|access denied .* to database",
        N_("There is no database {database}, or it is closed to this user"),
        N_("Check the name after the server's in the URL, and the user's rights."),
    ),
    _Failure(
        r"login failed|authentication failed|no password supplied|role \"[^\"]*\" does not exist"
        r"|access denied for user",
        N_("The login at {database} is refused"),
        N_("Check the user and the password: in the URL, in GET_TAGS_DATABASE_PASSWORD, or in the keyring."),
    ),
    _Failure(
        r"permission (was )?denied|command denied",
        N_("The user may not read all that the queries ask of {database}"),
        N_("Have the right to SELECT from the tables of documents_query and tags_query given to the user."),
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
        N_("A query to {database} takes too long"),
        N_("Raise timeout_seconds under [database], or have the documents' ids indexed: get-tags doctor times them."),
    ),
]
_UNKNOWN = _Failure("", N_("The database {database} answered"), N_("get-tags doctor tries [database] step by step."))
# SQLSTATEs and the servers' own numbers of what passes by itself.
_DEADLOCK = {"40001", "40P01", "1213"}
_BLOCKED = {"1205", "55P03", "SQLITE_BUSY"}
_TIMEOUT = {"HYT00", "HYT01", "57014", "1969", "3024"}
_LONGEST_PAUSE_SECONDS = 30
# A link that dies without a word, as a VPN does, is noticed within about a minute (libpq's parameters).
_KEEPALIVE = {"connect_timeout": 15, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Packages that a URL without a driver's name asks for, and what serves in their place.
_INSTALL = {
    "MySQLdb": N_(
        'Run pip install ".[mysql]" in the environment of get-tags, and begin the URL with mysql+pymysql://.'
    ),
    "psycopg2": N_(
        'Run pip install ".[postgresql]" in the environment of get-tags; URLs begin with postgresql+psycopg://.'
    ),
    "psycopg": N_('Run pip install ".[postgresql]" in the environment of get-tags.'),
    "pymysql": N_('Run pip install ".[mysql]" in the environment of get-tags.'),
}
_INSTALL_ANY = N_("Install it into the environment of get-tags: pip install {name}.")
_SECRET_KEYS = re.compile(r"(pwd|password|passwd|token|secret|accesskey)", re.IGNORECASE)
_ODBC_PAIR = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)")
_T = TypeVar("_T")


def open_engine(settings: Settings) -> Engine:
    """An engine for the database of the settings, for reading. Raises InputError on a URL that cannot be used."""
    url = _with_password(_parse(settings.database.url), settings.database.password)
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        url = _read_only_sqlite(url, settings)
    elif url.get_dialect().driver in {"psycopg", "psycopg2"}:
        options["connect_args"] = {key: value for key, value in _KEEPALIVE.items() if key not in url.query}
    elif url.get_dialect().driver == "pymysql":
        options["connect_args"] = {"connect_timeout": 15, "read_timeout": settings.database.timeout_seconds + 30}
    elif url.get_backend_name() == "mssql" and settings.database.snapshot_isolation:
        options["isolation_level"] = "SNAPSHOT"
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        raise InputError(
            _(
                "The driver of {drivername} is not installed: there is no Python package {name}.",
                drivername=url.drivername,
                name=error.name,
            ),
            _(_INSTALL.get(str(error.name), _INSTALL_ANY), name=error.name),
        ) from None
    except SQLAlchemyError as error:
        raise InputError(_("[database] url cannot be used: {first_line}", first_line=first_line(error))) from None
    _limit_sessions(engine, settings.database.timeout_seconds)
    return engine


def describe_url(text: str) -> str:
    """A database URL as it may be shown and kept: driver, server and database; no user, password or options."""
    url = _parse(text)
    host, database = url.host or "", url.database or ""
    if connection := url.query.get("odbc_connect"):
        pairs = {key.lower(): value for key, value in _ODBC_PAIR.findall(str(connection))}
        host, database = pairs.get("server", pairs.get("dsn", "")), pairs.get("database", "")
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{host}{port}/{database}"


def secrets_of(settings: Settings, *, ask_keyring: bool = True) -> list[str]:
    """All that must never be shown or logged, as it is and as URLs spell it; the keyring may ask for a password."""
    try:
        url = _parse(settings.database.url)
        url = _with_password(url, settings.database.password) if ask_keyring else url
    except InputError:
        return [secret for secret in (settings.database.url, settings.database.password) if secret]
    found = [str(url.password or ""), settings.database.password]
    found += [str(value) for key, value in url.query.items() if _SECRET_KEYS.search(key)]
    pairs = _ODBC_PAIR.findall(str(url.query.get("odbc_connect", "")))
    found += [_unbraced(value) for key, value in pairs if _SECRET_KEYS.search(key)]
    spelt = {s for secret in found if secret for s in (secret, quote(secret, safe=""), quote_plus(secret))}
    return sorted(spelt, key=len, reverse=True)


def _unbraced(value: str) -> str:
    """An ODBC value without the braces that protect its characters."""
    return value[1:-1].replace("}}", "}") if value.startswith("{") and value.endswith("}") else value


def checked_select(query: str, key: str) -> str:
    """The query without comments and closing semicolon, if it is one SELECT that writes nothing.

    `key` is the setting it comes from. Raises InputError.
    """
    plain = sqlparse.format(query, strip_comments=True)
    statements = [s for s in sqlparse.parse(plain) if str(s).strip().strip(";").strip()]
    hint = _("It must be one SELECT, without INTO; several statements and changes are refused.")
    if len(statements) != 1 or statements[0].get_type() != "SELECT":
        raise InputError(_("[database] {key} is not a single SELECT.", key=key), hint)
    depth = 0
    for token in statements[0].flatten():
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.ttype is Punctuation else 0
        if depth < 0:  # it would close the parenthesis that it is put into
            raise InputError(_("[database] {key} closes a parenthesis that it does not open.", key=key), hint)
        if token.ttype is DDL or (token.is_keyword and token.value.upper() in _CHANGING):
            raise InputError(_("[database] {key} contains {word}.", key=key, word=token.value.upper()), hint)
    return str(statements[0]).strip().rstrip(";").strip()


def check_inside_select(query: str, key: str) -> None:
    """Raise InputError where SQL Server would not take a checked query inside another SELECT."""
    depth, words = 0, []
    for token in sqlparse.parse(query)[0].flatten():
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.ttype is Punctuation else 0
        if depth == 0 and not token.is_whitespace:
            words.append(" ".join(token.value.upper().split()))
    if words[0] == "WITH":
        hint = _("Make it a view in the database and select from that.")
        raise InputError(
            _("[database] {key} begins with WITH, which SQL Server does not take inside another query.", key=key), hint
        )
    if "ORDER BY" in words and not {"TOP", "OFFSET"} & set(words):
        raise InputError(
            _("[database] {key} has an ORDER BY, which SQL Server does not take inside another query.", key=key),
            _("Leave it out: get-tags sorts by id itself."),
        )


class Patience(NamedTuple):
    """How long reading is tried again, and who hears why and of the pause in seconds; `ended` cuts it short."""

    seconds: float
    on_retry: Callable[[str, float], None]
    ended: Event


def retrying(read: Callable[[], _T], patience: Patience) -> _T:
    """read(), again with growing pauses while a connection is lost, a deadlock or a timeout is in the way.

    Raises GetTagsError when it still fails `patience.seconds` after it first did; 0 is for a single try, whose error
    is the database's own.
    """
    if not patience.seconds:
        return read()
    failed_at: list[float] = []
    kept = _("What was read is kept: the same command continues it.")

    def has_failed_long_enough(_: RetryCallState) -> bool:
        failed_at.append(monotonic())
        return failed_at[-1] - failed_at[0] >= patience.seconds

    def tell(state: RetryCallState) -> None:
        if state.outcome and (error := state.outcome.exception()):
            patience.on_retry(passing_trouble(error), state.upcoming_sleep)

    def pause(seconds: float) -> None:
        if patience.ended.wait(seconds):
            raise GetTagsError(_("Reading was ended."), kept)

    attempts = Retrying(
        retry=retry_if_exception(lambda error: bool(passing_trouble(error))),
        wait=wait_exponential(max=_LONGEST_PAUSE_SECONDS),
        stop=has_failed_long_enough,
        before_sleep=tell,
        sleep=pause,
        reraise=True,
    )
    try:
        return attempts(read)
    except DBAPIError as error:
        if not (trouble := passing_trouble(error)):
            raise
        raise GetTagsError(
            _(
                "{trouble}, and {seconds:g} seconds of trying again did not help.",
                trouble=trouble,
                seconds=patience.seconds,
            ),
            kept,
        ) from None


def passing_trouble(error: BaseException) -> str:
    """What went wrong, where the same query may succeed a little later; '' where it would fail again."""
    if not isinstance(error, DBAPIError) or error.orig is None or is_undecodable(error):
        return ""
    orig = error.orig
    given = [getattr(orig, name, "") for name in ("sqlstate", "pgcode", "sqlite_errorname")]
    codes = {str(code) for code in (*given, *orig.args[:1]) if code} | set(re.findall(r"\((\d{4})\)", str(orig)))
    if codes & _DEADLOCK:
        return _("The database broke a deadlock at the expense of this query")
    if codes & _BLOCKED:
        return _("The documents are locked by somebody who writes")
    # Before the connection: SQLAlchemy gives one up after a timeout of SQL Server.
    if codes & _TIMEOUT:
        return _("The database took too long to answer")
    if error.connection_invalidated or any(re.fullmatch("08...", code) for code in codes):
        return _("The connection to the database was lost")
    # Not in a query: connecting anew. What the server itself refuses has a code.
    refused = any(re.fullmatch("(28|3D|42)...|IM00.|10[0-9]{2}", code) for code in codes)
    if error.statement is None and type(error) in (OperationalError, DBAPIError) and not refused:
        return _("The database cannot be reached")
    return ""


def is_undecodable(error: BaseException) -> bool:
    """Whether a text is not in the encoding that it should be in."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(orig, UnicodeDecodeError) or "could not decode" in str(orig).lower()


@contextmanager
def translated(settings: Settings) -> Iterator[None]:
    """Raise what a database says as GetTagsError, without parameters, document text or secrets."""
    try:
        yield
    except DBAPIError as error:
        said = re.sub(r" with text '.*", "", first_line(error.orig or error))
        failure = next((f for f in _FAILURES if re.search(f.pattern, said, re.IGNORECASE)), _UNKNOWN)
        for secret in secrets_of(settings):
            said = said.replace(secret, "***")
        database = describe_url(settings.database.url)
        raise GetTagsError(
            f"{_(failure.message, database=database)}: {said[:_SHOWN_CHARACTERS]}",
            _(failure.hint, drivers=", ".join(pyodbc.drivers()) or _("none")),
        ) from None
    except SQLAlchemyError as error:
        raise GetTagsError(_("The database cannot be read: {first_line}", first_line=first_line(error))) from None


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parse(text: str) -> URL:
    if not text:
        raise InputError(
            _("No database is set."),
            _(
                "Set url under [database] in get-tags.toml in your home folder; or try the example: "
                "get-tags train --demo."
            ),
        )
    try:
        url = make_url(text)
        url.get_dialect()
    except ModuleNotFoundError as error:
        raise InputError(
            _("The database driver is not installed: there is no Python package {name}.", name=error.name),
            _("Install it into the environment of get-tags: pip install {name}.", name=error.name),
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            _("[database] url is not a database URL."),
            _(
                "It looks like mssql+pyodbc://USER@SERVER/DATABASE?driver=ODBC+Driver+18+for+SQL+Server; "
                "special characters in names are percent-encoded."
            ),
        ) from None
    if "@" in (url.host or ""):
        raise InputError(
            _("[database] url has an @ in its user or password."),
            _("Write it as %40, or keep the password out of the URL: GET_TAGS_DATABASE_PASSWORD, or the keyring."),
        )
    return url


def _with_password(url: URL, password: str) -> URL:
    """The URL with its own password, else the setting's, else the system keyring's."""
    if connection := url.query.get("odbc_connect"):
        pairs = {key.lower(): value for key, value in _ODBC_PAIR.findall(str(connection))}
        user = pairs.get("uid", "")
        if not user or "pwd" in pairs or "password" in pairs:
            return url
        password = password or _from_keyring(user, pairs.get("server", ""))
        escaped = password.replace("}", "}}")
        return url.update_query_dict({"odbc_connect": f"{connection};PWD={{{escaped}}}"}) if password else url
    if url.password or not url.username:
        return url
    password = password or _from_keyring(url.username, url.host or "")
    return url.set(password=password) if password else url


def _from_keyring(user: str, server: str) -> str:
    try:
        return keyring.get_password(KEYRING_SERVICE, f"{user}@{server}") or ""
    except KeyringError:
        return ""  # no keyring on this machine


def _read_only_sqlite(url: URL, settings: Settings) -> URL:
    if not url.database or url.database.startswith("file:"):
        return url
    path = settings.path(url.database)
    if not path.is_file():
        raise InputError(_("There is no SQLite database {path}.", path=path), _("Check url under [database]."))
    posix = quote(path.absolute().as_posix(), safe="/:")
    # C:/x is /C:/x in a file URI, and a network share //server/x has an empty server of its own before it.
    root = "//" if posix.startswith("//") else "" if posix.startswith("/") else "/"
    return url.set(database=f"file:{root}{posix}?mode=ro").update_query_dict({"uri": "true"})


def _limit_sessions(engine: Engine, timeout_seconds: int) -> None:
    """Have each new connection refuse changes and end queries that take too long, where the server can."""

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        statements = []
        if engine.dialect.name == "postgresql":
            statements.append("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            statements.append(f"SET statement_timeout = {timeout_seconds * 1000}")
        elif engine.dialect.name in {"mysql", "mariadb"}:
            statements.append("SET SESSION TRANSACTION READ ONLY")
            is_mariadb = getattr(engine.dialect, "is_mariadb", False)
            own_name = ("max_statement_time", 1) if is_mariadb else ("max_execution_time", 1000)
            statements.append(f"SET SESSION {own_name[0]} = {timeout_seconds * own_name[1]}")
        elif engine.dialect.name == "mssql" and engine.driver == "pyodbc":
            connection.timeout = timeout_seconds  # of each query; to read only is the user's rights' business there
        if statements:
            with closing(connection.cursor()) as cursor:
                for statement in statements:
                    cursor.execute(statement)
            connection.commit()  # else PostgreSQL forgets it with the transaction
