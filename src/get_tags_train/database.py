"""Engines, dialects, passwords, and a database's errors in words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

import keyring
import pyodbc
import sqlparse
from keyring.errors import KeyringError
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlparse.tokens import DDL, Punctuation

from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.settings import Settings

KEYRING_SERVICE = "get-tags"
# Of what a database says; drivers quote data and statements at length.
_SHOWN_CHARACTERS = 300
_CHANGING = {"INTO", "INSERT", "UPDATE", "DELETE", "EXEC", "EXECUTE"}
_HINTS = {
    r"can't open lib|data source name not found|IM002": "Install ODBC Driver 18 for SQL Server, or name an installed "
    "one in the URL (installed: {drivers}).",
    r"timeout expired|not found or not accessible|is unavailable|connection refused|could not connect": "Check the "
    "server's name and port, the network and the VPN; the server must accept TCP connections.",
    r"no such (table|column)|invalid (object|column) name|does(n't| not) exist|unknown column": "Check "
    "documents_query and tags_query under [database].",
    r"login failed|access denied|authentication": "Check the user and the password: in the URL, in "
    "GET_TAGS_DATABASE_PASSWORD, or in the keyring.",
    r"certificate|ssl provider": "If you trust this server, add TrustServerCertificate=yes to the URL.",
}
_SECRET_KEYS = re.compile(r"(pwd|password|passwd|token|secret|accesskey)", re.IGNORECASE)
_ODBC_PAIR = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)")


def open_engine(settings: Settings) -> Engine:
    """An engine for the database of the settings, for reading. Raises InputError on a URL that cannot be used."""
    url = _with_password(_parse(settings.database.url), settings.database.password)
    options = {}
    if url.get_backend_name() == "sqlite":
        url = _read_only_sqlite(url, settings)
    elif url.get_backend_name() == "postgresql":
        options = {"execution_options": {"postgresql_readonly": True}}
    try:
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        raise InputError(
            f"The driver of {url.drivername} is not installed: there is no Python package {error.name}.",
            f"Install it into the environment of get-tags: pip install {error.name}.",
        ) from None
    except SQLAlchemyError as error:
        raise InputError(f"[database] url cannot be used: {first_line(error)}") from None


def describe_url(text: str) -> str:
    """A database URL as it may be shown and kept: driver, server and database; no user, password or options."""
    url = _parse(text)
    host, database = url.host or "", url.database or ""
    if connection := url.query.get("odbc_connect"):
        pairs = {key.lower(): value for key, value in _ODBC_PAIR.findall(str(connection))}
        host, database = pairs.get("server", pairs.get("dsn", "")), pairs.get("database", "")
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{host}{port}/{database}"


def secrets_of(settings: Settings) -> list[str]:
    """All that must never be shown or logged, as it is and as URLs spell it."""
    try:
        url = _with_password(_parse(settings.database.url), settings.database.password)
    except InputError:
        return [secret for secret in (settings.database.url, settings.database.password) if secret]
    found = [str(url.password or ""), settings.database.password]
    found += [str(value) for key, value in url.query.items() if _SECRET_KEYS.search(key)]
    pairs = _ODBC_PAIR.findall(str(url.query.get("odbc_connect", "")))
    found += [value.strip("{}") for key, value in pairs if _SECRET_KEYS.search(key)]
    spelt = {s for secret in found if secret for s in (secret, quote(secret, safe=""), quote_plus(secret))}
    return sorted(spelt, key=len, reverse=True)


def checked_select(query: str, key: str) -> str:
    """The query without comments and closing semicolon, if it is one SELECT that writes nothing.

    `key` is the setting it comes from. Raises InputError.
    """
    plain = sqlparse.format(query, strip_comments=True)
    statements = [s for s in sqlparse.parse(plain) if str(s).strip().strip(";").strip()]
    hint = "It must be one SELECT, without INTO; several statements and changes are refused."
    if len(statements) != 1 or statements[0].get_type() != "SELECT":
        raise InputError(f"[database] {key} is not a single SELECT.", hint)
    depth = 0
    for token in statements[0].flatten():
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.ttype is Punctuation else 0
        if depth < 0:  # it would close the parenthesis that it is put into
            raise InputError(f"[database] {key} closes a parenthesis that it does not open.", hint)
        if token.ttype is DDL or (token.is_keyword and token.value.upper() in _CHANGING):
            raise InputError(f"[database] {key} contains {token.value.upper()}.", hint)
    return str(statements[0]).strip().rstrip(";").strip()


@contextmanager
def translated(settings: Settings) -> Iterator[None]:
    """Raise what a database says as GetTagsError, without parameters, document text or secrets."""
    try:
        yield
    except DBAPIError as error:
        said = re.sub(r" with text '.*", "", first_line(error.orig or error))[:_SHOWN_CHARACTERS]
        for secret in secrets_of(settings):
            said = said.replace(secret, "***")
        raise GetTagsError(
            f"The database {describe_url(settings.database.url)} answered: {said}", _hint(said)
        ) from None
    except SQLAlchemyError as error:
        raise GetTagsError(f"The database cannot be read: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parse(text: str) -> URL:
    if not text:
        raise InputError(
            "No database is set.",
            "Set url under [database] in get-tags.toml in your home folder; or try the example: get-tags train --demo.",
        )
    try:
        url = make_url(text)
        url.get_dialect()
    except ModuleNotFoundError as error:
        raise InputError(
            f"The database driver is not installed: there is no Python package {error.name}.",
            f"Install it into the environment of get-tags: pip install {error.name}.",
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            "[database] url is not a database URL.",
            "It looks like mssql+pyodbc://USER@SERVER/DATABASE?driver=ODBC+Driver+18+for+SQL+Server; "
            "special characters in names are percent-encoded.",
        ) from None
    if "@" in (url.host or ""):
        raise InputError(
            "[database] url has an @ in its user or password.",
            "Write it as %40, or keep the password out of the URL: GET_TAGS_DATABASE_PASSWORD, or the keyring.",
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
        raise InputError(f"There is no SQLite database {path}.", "Check url under [database].")
    return url.set(database=f"{path.absolute().as_uri()}?mode=ro").update_query_dict({"uri": "true"})


def _hint(said: str) -> str:
    """What to do about something a database or its driver said."""
    for pattern, hint in _HINTS.items():
        if re.search(pattern, said, re.IGNORECASE):
            return hint.format(drivers=", ".join(pyodbc.drivers()) or "none")
    return "Check [database] in get-tags.toml; get-tags doctor tries it step by step."
