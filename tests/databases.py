"""Databases for tests: tables filled with given rows, and private servers that live as long as a test module."""

import os
import shutil
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Unicode, UnicodeText, create_engine, insert
from sqlalchemy.types import TypeEngine

from get_tags_train.core.config import load_settings
from get_tags_train.core.events import Event
from get_tags_train.core.settings import FROM_DATABASE, Settings, Source
from get_tags_train.data.extract import extract
from get_tags_train.data.input_files import read_ids
from get_tags_train.data.source import DocumentSource, RawDocument

Documents = Sequence[tuple[Any, str | None, str | None]]
Tags = Iterable[tuple[Any, str | None]]

_START_SECONDS = 60


def fill(url: str, documents: Documents, pairs: Tags, *, id_type: TypeEngine[Any] | None = None) -> None:
    """Make the tables documents, tags and document_tags with (id, title, text) and (document id, tag) rows."""
    id_type = id_type or Integer()
    metadata = MetaData()
    # No primary key: NULL and repeated ids are among the things to be tested.
    documents_table = Table(
        "documents", metadata, Column("id", id_type), Column("title", UnicodeText), Column("text", UnicodeText)
    )
    tags_table = Table("tags", metadata, Column("id", Integer, primary_key=True), Column("name", Unicode(200)))
    pairs_table = Table("document_tags", metadata, Column("document_id", id_type), Column("tag_id", Integer))
    pairs = list(pairs)
    numbers = {tag: tag_number(tag) for _, tag in pairs}
    engine = create_engine(url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        rows: list[tuple[Table, list[dict[str, Any]]]] = [
            (documents_table, [{"id": i, "title": title, "text": text} for i, title, text in documents]),
            (tags_table, [{"id": number, "name": tag} for tag, number in numbers.items()]),
            (pairs_table, [{"document_id": i, "tag_id": numbers[tag]} for i, tag in pairs]),
        ]
        for table, values in rows:
            if values:
                connection.execute(insert(table), values)
    engine.dispose()


def tag_number(tag: str | None) -> int:
    """The id that `fill` gives a tag; the same in every database."""
    return zlib.crc32(str(tag).encode()) >> 1


def settings_for(
    home: Path, *, url: str = "sqlite:///test.db", source: Source = FROM_DATABASE, **sections: Mapping[str, Any]
) -> Settings:
    """Settings of a home for tests: a database, the processor, and what the sections say."""
    overrides = {name: dict(values) for name, values in sections.items()}
    overrides["database"] = {"url": url, **overrides.get("database", {})}
    overrides["training"] = {"device": "cpu", "precision": "fp32", **overrides.get("training", {})}
    return load_settings(home, overrides=overrides, source=source, environ={})


def write_settings(home: Path, url: str, base_model: str) -> None:
    """The get-tags.toml of a home whose database is read in small pages."""
    lines = ["[database]", f"url = '{url}'", "page_size = 20", "[training]", f"base_model = '{base_model}'"]
    (home / "get-tags.toml").write_text("\n".join(lines), encoding="utf-8")


def prepare_small(home: Path, demo_home: Path, base_model: Path) -> Path:
    """Extract about 60 documents of the example into a home, for a base model; returns the tags_v1."""
    home.mkdir(exist_ok=True)
    ids = home / "ids.csv"
    ids.write_text("\n".join(read_ids(demo_home / "ids.csv")[:64]), encoding="utf-8")
    url, source = f"sqlite:///{demo_home / 'demo.db'}", Source("ids", ids)
    return Path(
        extract(settings_for(home, url=url, source=source, training={"base_model": str(base_model)}), silent).path
    )


def read(source: DocumentSource, ids: Sequence[Any]) -> list[RawDocument]:
    """A page of documents without the numbers that `fill` gave their tags."""
    return [document._replace(tag_ids=()) for document in source.page(ids)]


def silent(_: Event) -> None:
    """A listener that wants to know nothing."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unavailable(reason: str) -> None:
    """Skip for a reason; where servers are required, fail for it."""
    if os.environ.get("GET_TAGS_TEST_REQUIRE_SERVERS") == "1":
        pytest.fail(f"GET_TAGS_TEST_REQUIRE_SERVERS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


class Proxy:
    """A TCP link to a server on this machine, which can be cut in the middle of an answer and come back."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._sockets: list[socket.socket] = []
        self._bytes_left: float = float("inf")
        self._down_seconds = 0.0
        self._up_at = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, answered_bytes: int, *, down_seconds: float) -> None:
        """Cut all connections once the server has sent so much more, and refuse new ones for a while."""
        self._bytes_left, self._down_seconds = answered_bytes, down_seconds

    def close(self) -> None:
        """Cut all, for good."""
        self._up_at = float("inf")
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if time.monotonic() < self._up_at:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            threading.Thread(target=self._forward, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, True), daemon=True).start()

    def _forward(self, sender: socket.socket, receiver: socket.socket, is_answer: bool) -> None:
        try:
            while data := sender.recv(4096):
                if is_answer:
                    self._bytes_left -= len(data)
                    if self._bytes_left < 0:
                        self._bytes_left, self.cuts = float("inf"), self.cuts + 1
                        self._up_at = time.monotonic() + self._down_seconds
                        self._cut()
                        return
                receiver.sendall(data)
        except OSError:
            return

    def _cut(self) -> None:
        while self._sockets:
            ended = self._sockets.pop()
            try:
                ended.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                ended.close()


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A private PostgreSQL, run by the user postgres; yields its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    _need_root_with("postgres", "PostgreSQL", bool(found))
    try:
        import psycopg  # noqa: F401
    except ImportError:
        unavailable("the Python package psycopg is not installed")
    programs, port = found[-1].parent, free_port()
    _open_to(folder, "postgres")
    as_user = ["runuser", "-u", "postgres", "--"]
    data = str(folder / "data")
    initdb = [programs / "initdb", "-D", data, "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8"]
    _run([*as_user, *initdb, "--locale=C.UTF-8"], folder)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    _run([*control, "-l", folder / "log", "-o", options, "start"], folder)
    try:
        yield f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "-m", "immediate", "stop"], folder)


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """A private MariaDB, run by the user mysql; yields its URL through pyodbc and the MariaDB driver."""
    _need_root_with("mysql", "MariaDB", bool(shutil.which("mariadbd") and shutil.which("mariadb-install-db")))
    import pyodbc

    if "MariaDB Unicode" not in pyodbc.drivers():
        unavailable("the ODBC driver of MariaDB is not installed")
    port = free_port()
    _open_to(folder, "mysql")
    data = [f"--datadir={folder}/data"]
    install = ["mariadb-install-db", "--no-defaults", "--user=mysql", *data, "--skip-test-db"]
    _run([*install, "--auth-root-authentication-method=normal"], folder)
    options = [f"--port={port}", f"--socket={folder}/s.sock", f"--pid-file={folder}/pid", "--skip-log-bin"]
    started = ["mariadbd", "--no-defaults", "--user=mysql", *data, "--bind-address=127.0.0.1", *options]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*started, "--character-set-server=utf8mb4"], stdout=log, stderr=log, cwd=folder)
    try:
        client = ["-uroot", f"--socket={folder}/s.sock"]
        _until(lambda: _succeeds(["mariadb-admin", "--no-defaults", *client, "ping"], folder), server, folder / "log")
        made = "CREATE DATABASE t CHARACTER SET utf8mb4; CREATE USER u@'127.0.0.1' IDENTIFIED BY 'geheim';"
        made += "GRANT ALL ON t.* TO u@'127.0.0.1';"
        _run(["mariadb", "--no-defaults", *client, "-e", made], folder)
        yield f"mysql+pyodbc://u:geheim@127.0.0.1/t?driver=MariaDB+Unicode&port={port}&charset=utf8mb4"
    finally:
        server.terminate()
        server.wait(_START_SECONDS)


def _need_root_with(user: str, server: str, installed: bool) -> None:
    if not installed:
        unavailable(f"{server} is not installed")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        unavailable(f"only root can start {server} as the user {user}")
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        unavailable(f"there is no user {user} to run {server}")


def _open_to(folder: Path, user: str) -> None:
    """Give the folder to the server's user, and let that user pass through pytest's folders above it."""
    shutil.chown(folder, user)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent.name.startswith(("pytest", "popen")):
            parent.chmod(parent.stat().st_mode | 0o011)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    # Into a file, not a pipe: a server that is started here would hold the pipe open.
    with (folder / "commands.log").open("ab") as log:
        code = subprocess.run([str(part) for part in command], stdout=log, stderr=log, cwd=folder, check=False)
    if code.returncode:
        said = "\n".join(p.read_text(errors="replace")[-2000:] for p in folder.glob("*log") if p.is_file())
        pytest.fail(f"{command} ended with {code.returncode}:\n{said}", pytrace=False)


def _succeeds(command: Sequence[str], folder: Path) -> bool:
    return subprocess.run(command, capture_output=True, cwd=folder, check=False).returncode == 0


def _until(ready: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}", pytrace=False)
        time.sleep(0.1)
