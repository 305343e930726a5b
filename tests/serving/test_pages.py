"""The pages of the server: their languages, that they fetch nothing elsewhere, that a real browser shows them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import browser
from databases import silent
from fastapi.testclient import TestClient

from get_tags_train.core.config import load_settings
from get_tags_train.core.settings import ServeSettings
from get_tags_train.deployment.deploy import deploy
from get_tags_train.model.tagger import TagModel
from get_tags_train.serving.app import make_app
from get_tags_train.serving.hot_reload import LiveModel

TEXT = "Angajatorul a desfăcut contractul de muncă fără preaviz."


def limits(**changed: Any) -> ServeSettings:
    return load_settings(Path(), environ={}, overrides={"serve": changed}).serve


@pytest.fixture(scope="module")
def live_dir(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live folder that is only read."""
    folder = tmp_path_factory.mktemp("serve") / "_live"
    deploy(small_model, folder, keep_versions=3, on_event=silent)
    return folder


@pytest.fixture(scope="module")
def api(live_dir: Path) -> Iterator[TestClient]:
    with LiveModel(live_dir, TagModel.load, on_event=silent) as live:
        yield TestClient(make_app(live, limits(max_texts=7)))


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [("", "ro-RO,ro;q=0.9", "ro"), ("", "fr", "en"), ("?lang=en", "ro", "en"), ("?lang=xx", "ro", "ro")],
)
def test_a_page_is_in_the_language_of_the_link_or_the_browser(
    api: TestClient, asked: str, accepted: str, language: str
) -> None:
    for address in ("/", "/docs"):
        page = api.get(address + asked, headers={"Accept-Language": accepted})
        assert f'<html lang="{language}">' in page.text


def test_pages_fetch_nothing_elsewhere(api: TestClient) -> None:
    for address in ("/", "/docs"):
        page = api.get(address)
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not re.search(r'(?:src|href)="(?!data:)[^"]*//', page.text)


def test_the_description_for_people_names_what_the_one_for_programs_does(api: TestClient) -> None:
    page, described = api.get("/docs").text, api.get("/openapi.json").json()
    for address, methods in described["paths"].items():
        for method, operation in methods.items():
            assert f"<code>{method.upper()} {address}</code>" in page
            for status in operation["responses"]:
                assert status == "200" or f"<tr><td>{status}<td>" in page
    for field in described["components"]["schemas"]["Question"]["properties"]:
        assert f"<code>{field}</code>" in page
    assert "at most 7 texts" in page
    assert "http://testserver/get_tags" in page


def test_where_a_token_is_needed_the_pages_say_so(live_dir: Path) -> None:
    with LiveModel(live_dir, TagModel.load, on_event=silent) as live:
        client = TestClient(make_app(live, limits(token="parolă")))
        assert 'id="protected">' in client.get("/").text
        assert "Authorization: Bearer TOKEN" in client.get("/docs").text
        assert "parolă" not in client.get("/").text + client.get("/docs").text


@contextmanager
def running(live_dir: Path, **serve: object) -> Iterator[str]:
    """The address of `get-tags serve` with these settings, until the block ends."""
    command = [sys.executable, "-m", "get_tags_train", "serve", "--json", "--port", "0", "--home", str(live_dir.parent)]
    named = {f"GET_TAGS_SERVE_{name.upper()}": str(value) for name, value in serve.items()}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **named})
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.terminate()
        server.communicate()


TAGS = "return [...document.querySelectorAll('#tags .tag')].map((each) => each.textContent).join('|');"


@pytest.mark.system
def test_in_a_browser_a_text_gets_its_tags(live_dir: Path, small_model: Path) -> None:
    (expected,) = TagModel.load(small_model).predict([TEXT], top_n=3)
    with running(live_dir) as address, browser(language="ro") as window:
        window.open(address)
        assert small_model.name in window.until("return document.getElementById('model').textContent;")
        window.run("document.getElementById('top-n').value = 3;")
        window.type("#text", TEXT)
        window.click("#send")
        assert window.until(TAGS).split("|") == [tag for tag, _ in expected]
        assert window.run("return document.documentElement.lang") == "ro"
        score = window.run("return document.querySelector('#tags .score').textContent")
        assert re.fullmatch(r"\d+,\d\s?%", score)
        assert window.complaints() == []


@pytest.mark.system
def test_in_a_browser_an_error_is_told_in_its_language(live_dir: Path) -> None:
    with running(live_dir, max_request_bytes=300) as address, browser() as window:
        window.open(f"{address}/?lang=ro")
        window.type("#text", "x" * 400)
        window.click("#send")
        assert "300" in window.until("const e = document.getElementById('error'); return !e.hidden && e.textContent;")
        assert "Cererea" in window.run("return document.getElementById('error').textContent")


@pytest.mark.system
def test_in_a_browser_the_token_is_typed(live_dir: Path) -> None:
    with running(live_dir, token="parolă") as address, browser() as window:
        window.open(address)
        window.type("#text", TEXT)
        window.type("#token", "parolă")
        window.click("#send")
        assert len(window.until(TAGS).split("|")) == 5
        assert window.until("return document.getElementById('model').textContent;")


@pytest.mark.system
@pytest.mark.parametrize("address", ["/", "/docs"])
def test_in_a_browser_a_page_fits_a_narrow_window(live_dir: Path, address: str) -> None:
    with running(live_dir) as base, browser() as window:
        window.look(width=360, dark=True)
        window.open(base + address)
        assert window.run("return document.documentElement.scrollWidth") <= 360
        assert window.run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 31)"
