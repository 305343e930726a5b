"""[notify]: the command and the address get the message; what fails is said, and nothing more."""

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from get_tags_train.core.settings import NotifySettings
from get_tags_train.maintenance.notify import notify

MESSAGE = {"text": "Puneți tags_v1 live.", "outcome": "done"}


def test_nothing_is_set() -> None:
    assert notify(NotifySettings(command="", url=""), MESSAGE) == []


def test_a_command_gets_json_and_the_sentence(tmp_path: Path) -> None:
    script = (
        "import os, sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read() + os.environb[b'GET_TAGS_SENTENCE'])"
    )
    if sys.platform == "win32":
        script = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    (tmp_path / "note.py").write_text(script)
    command = f'"{sys.executable}" "{tmp_path / "note.py"}" "{tmp_path / "got"}"'
    assert notify(NotifySettings(command=command, url=""), MESSAGE) == []
    got = (tmp_path / "got").read_text(encoding="utf-8")
    assert json.JSONDecoder().raw_decode(got)[0] == MESSAGE
    if sys.platform != "win32":
        assert got.endswith(MESSAGE["text"])


def test_a_command_that_fails_is_said() -> None:
    command = f'"{sys.executable}" -c "import sys; sys.exit(\'no post office\')"'
    (said,) = notify(NotifySettings(command=command, url=""), MESSAGE)
    assert said == "The command under [notify] failed with exit code 1: no post office"


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Takes what is sent to /ok, and refuses the rest."""

    class Server(HTTPServer):
        bodies: list[Any]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/ok" else 403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.bodies = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_gets_json(server: Any) -> None:
    address = f"http://127.0.0.1:{server.server_port}"
    assert notify(NotifySettings(command="", url=f"{address}/ok"), MESSAGE) == []
    assert server.bodies == [MESSAGE]
    (said,) = notify(NotifySettings(command="", url=f"{address}/secret-token"), MESSAGE)
    assert "did not take the message: Forbidden" in said
    assert "secret-token" not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret-token", "file:///etc/secret-token", "http://[secret-token"])
def test_an_address_that_cannot_be_reached_is_said_without_it(url: str) -> None:
    (said,) = notify(NotifySettings(command="", url=url), MESSAGE)
    assert "[notify]" in said
    assert "secret-token" not in said
