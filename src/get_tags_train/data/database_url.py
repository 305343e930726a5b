"""Database URLs from what people know: the kind of database, server, user and name."""

import re
import socket
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import N_, _

_CONNECT_SECONDS = 10
_SERVER = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:,/?#@\[\]]+)([:,](?P<port>\d{1,5}))?")


class Kind(NamedTuple):
    """A kind of database: how its URLs begin, where its servers listen, and what can be opened before one is chosen."""

    title: str
    drivername: str
    port: int = 0
    first_database: str = ""
    has_user: bool = True


SQL_SERVER_WINDOWS = Kind(
    N_("SQL Server, with the Windows login (no password)"), "mssql+pyodbc", 1433, "master", has_user=False
)
SQLITE = Kind(N_("SQLite: a file"), "sqlite", has_user=False)
KINDS = [
    SQL_SERVER_WINDOWS,
    Kind(N_("SQL Server, with a user and a password"), "mssql+pyodbc", 1433, "master"),
    Kind(N_("PostgreSQL"), "postgresql+psycopg", 5432, "postgres"),
    Kind(N_("MySQL or MariaDB"), "mysql+pymysql", 3306),
    SQLITE,
]


class Server(NamedTuple):
    """Where a server is; no port is the usual one, which a named instance of SQL Server has not."""

    host: str
    port: int | None = None


def parse_server(written: str) -> Server:
    """SERVER, SERVER:PORT or SERVER\\INSTANCE as people write them. Raises InputError."""
    found = _SERVER.fullmatch(written.strip())
    if not found or int(found["port"] or 1) not in range(1, 65_536):
        raise InputError(
            _("{server} is not the name of a server.", server=written),
            _("Write SERVER, SERVER:PORT or SERVER\\INSTANCE."),
        )
    return Server(found["host"].strip("[]"), int(found["port"]) if found["port"] else None)


def reach(server: Server, kind: Kind) -> None:
    """Raise GetTagsError where no program answers at the server's port; an instance's port only the driver knows."""
    host, is_instance, _instance = server.host.partition("\\")
    if is_instance:
        return
    port = server.port or kind.port
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise GetTagsError(
            _("{host} does not answer at port {port}: {error}.", host=host, port=port, error=error),
            _("Check the server's name and port, the network and the VPN; the server must accept TCP connections."),
        ) from None


def find_odbc_driver() -> str:
    """Microsoft's newest ODBC driver for SQL Server on this machine. Raises InputError where there is none."""
    try:
        import pyodbc  # here alone: it needs unixODBC, which other databases do without
    except ImportError:
        drivers: list[str] = []
    else:
        drivers = pyodbc.drivers()
    found = [name for name in drivers if re.fullmatch(r"ODBC Driver \d+ for SQL Server", name)]
    if not found:
        raise InputError(
            _("This machine has no ODBC driver for SQL Server."),
            _("Install Microsoft's ODBC Driver 18; docs/databases.md says how for each system."),
        )
    return max(found, key=lambda name: int(name.split()[2]))


def server_url(kind: Kind, server: Server, user: str, *, database: str = "", trusts: bool = False) -> str:
    """The URL of a database on a server, without a password; `trusts` takes any certificate of a SQL Server."""
    query: dict[str, str] = {}
    if kind.drivername.startswith("mssql"):
        query["driver"] = find_odbc_driver()
        query |= {} if user else {"Trusted_Connection": "yes"}
        query |= {"TrustServerCertificate": "yes"} if trusts else {}
    elif kind.drivername.startswith("mysql"):
        query["charset"] = "utf8mb4"
    url = URL.create(
        kind.drivername,
        username=user or None,
        host=server.host,
        port=server.port,
        database=database or kind.first_database or None,
        query=query,
    )
    return url.render_as_string(hide_password=False)


def file_url(path: Path) -> str:
    """The URL of a SQLite file; a relative one lies in the home."""
    return URL.create("sqlite", database=path.as_posix()).render_as_string()


def split_password(written: str) -> tuple[str, str]:
    """A URL without its password, and the password. Raises InputError where it is no URL."""
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):
        raise InputError(
            _("This is not a database URL."), _("It looks like DIALECT+DRIVER://USER@SERVER/DATABASE.")
        ) from None
    bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string(hide_password=False), str(url.password or "")
