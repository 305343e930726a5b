"""Engines, dialects, passwords: how a database is opened, and what of it may be shown."""

import os
import re
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import keyring
from keyring.errors import KeyringError
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import N_, Command, _
from get_tags_train.core.settings import DatabaseSettings

KEYRING_SERVICE = "get-tags"
# A link that dies without a word, as a VPN does, is noticed within about a minute (libpq's parameters).
_KEEPALIVE = {"connect_timeout": 15, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Packages that a URL without a driver's name asks for, and what serves in their place.
_INSTALL = {
    "MySQLdb": N_("URLs of MySQL and MariaDB begin with mysql+pymysql://."),
    "psycopg2": N_("URLs of PostgreSQL begin with postgresql+psycopg://."),
}
_INSTALL_ANY = N_("Install it into the environment of get-tags: pip install {name}.")
_INSTALL_ODBC = N_(
    "Install unixODBC (Debian and Ubuntu: apt-get install unixodbc; Red Hat: dnf install unixODBC; macOS: brew install "
    "unixodbc) and then the driver, for SQL Server Microsoft's ODBC Driver 18: docs/databases.md has the commands for "
    "each system, Windows too."
)
_SECRET_KEYS = re.compile(r"(pwd|password|passwd|token|secret|accesskey)", re.IGNORECASE)
_ODBC_PAIR = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)")


def open_engine(settings: DatabaseSettings, home: Path) -> Engine:
    """An engine that only reads; a relative SQLite path lies in the home. Raises InputError on an unusable URL."""
    url = _with_password(_parse(settings.url), settings.password)
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        url = _read_only_sqlite(url, home)
    elif url.get_dialect().driver in {"psycopg", "psycopg2"}:
        options["connect_args"] = {key: value for key, value in _KEEPALIVE.items() if key not in url.query}
    elif url.get_dialect().driver == "pymysql":
        options["connect_args"] = {"connect_timeout": 15, "read_timeout": settings.timeout_seconds + 30}
    elif url.get_backend_name() == "mssql" and settings.snapshot_isolation:
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
    except ImportError as error:  # it is there, but not the system library that it is built on
        raise InputError(_without_library(error, url), _(_INSTALL_ODBC)) from None
    except SQLAlchemyError as error:
        raise InputError(_("[database] url cannot be used: {first_line}", first_line=first_line(error))) from None
    _limit_sessions(engine, settings.timeout_seconds)
    return engine


def _without_library(error: ImportError, url: URL) -> str:
    reason = first_line(error)
    if "libodbc" in reason:
        return _(
            "{drivername} needs unixODBC and an ODBC driver, and this machine has neither ({reason}).",
            drivername=url.drivername,
            reason=reason,
        )
    return _("The driver of {drivername} cannot be loaded: {reason}.", drivername=url.drivername, reason=reason)


def describe_url(text: str) -> str:
    """A database URL as it may be shown and kept: driver, server and database; no user, password or options."""
    url = _parse(text)
    host, database = url.host or "", url.database or ""
    if connection := url.query.get("odbc_connect"):
        pairs = {key.lower(): value for key, value in _ODBC_PAIR.findall(str(connection))}
        host, database = pairs.get("server", pairs.get("dsn", "")), pairs.get("database", "")
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{host}{port}/{database}"


def secrets_of(settings: DatabaseSettings, *, ask_keyring: bool = True) -> list[str]:
    """All that must never be shown or logged, as it is and as URLs spell it; the keyring may ask for a password."""
    try:
        url = _parse(settings.url)
        url = _with_password(url, settings.password) if ask_keyring else url
    except InputError:
        return [secret for secret in (settings.url, settings.password) if secret]
    found = [str(url.password or ""), settings.password]
    found += [str(value) for key, value in url.query.items() if _SECRET_KEYS.search(key)]
    pairs = _ODBC_PAIR.findall(str(url.query.get("odbc_connect", "")))
    found += [_unbraced(value) for key, value in pairs if _SECRET_KEYS.search(key)]
    spelt = {s for secret in found if secret for s in (secret, quote(secret, safe=""), quote_plus(secret))}
    return sorted(spelt, key=len, reverse=True)


def _unbraced(value: str) -> str:
    """An ODBC value without the braces that protect its characters."""
    return value[1:-1].replace("}}", "}") if value.startswith("{") and value.endswith("}") else value


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parse(text: str) -> URL:
    if not text:
        raise InputError(
            _("No database is set."),
            _(
                "Set url under [database] in get-tags.toml in your home folder; or try the example: {demo}",
                demo=Command("train", "--demo"),
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
        password = password or kept_password(user, pairs.get("server", ""))
        escaped = password.replace("}", "}}")
        return url.update_query_dict({"odbc_connect": f"{connection};PWD={{{escaped}}}"}) if password else url
    if url.password or not url.username:
        return url
    password = password or kept_password(url.username, url.host or "")
    return url.set(password=password) if password else url


def kept_password(user: str, server: str) -> str:
    """The password that the system keyring has; '' where it has none."""
    try:
        return keyring.get_password(KEYRING_SERVICE, f"{user}@{server}") or ""
    except KeyringError:
        return ""  # no keyring on this machine


def user_and_server(text: str) -> tuple[str, str]:
    """The user and the server of a URL, under which the keyring has the password; '' where it names none."""
    url = _parse(text)
    return url.username or "", url.host or ""


def keep_password(user: str, server: str, password: str) -> bool:
    """Keep a password in the system keyring, where open_engine finds it; False where the machine has none."""
    try:
        keyring.set_password(KEYRING_SERVICE, f"{user}@{server}", password)
    except KeyringError:
        return False
    return kept_password(user, server) == password  # there are keyrings that keep nothing


def _read_only_sqlite(url: URL, home: Path) -> URL:
    if not url.database or url.database.startswith("file:"):
        return url
    path = home / Path(url.database).expanduser()
    if not path.is_file():
        raise InputError(_("There is no SQLite database {path}.", path=path), _("Check url under [database]."))
    posix = quote(os.fsencode(path.absolute().as_posix()), safe="/:")
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
