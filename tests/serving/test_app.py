"""The API as callers see it: answers, limits, the token, and the change-over to a newly deployed model."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from databases import silent
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from get_tags_train.core.config import load_settings
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.files import file_sha256, read_json, write_json
from get_tags_train.core.settings import ServeSettings
from get_tags_train.deployment.deploy import deploy, rollback
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.model.tagger import TagModel
from get_tags_train.serving.app import listen, make_app, serve
from get_tags_train.serving.hot_reload import LiveModel

TEXT = "Angajatorul a desfăcut contractul de muncă fără preaviz."


def limits(**changed: Any) -> ServeSettings:
    return load_settings(Path(), environ={}, overrides={"serve": changed}).serve


def follow(live: Path, on_event: Callable[[Event], None] = silent) -> LiveModel:
    return LiveModel(live, TagModel.load, on_event=on_event)


@pytest.fixture(scope="module")
def live(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live folder that is only read."""
    folder = tmp_path_factory.mktemp("serve") / "_live"
    deploy(small_model, folder, keep_versions=3, on_event=silent)
    return folder


@pytest.fixture(scope="module")
def api(live: Path) -> Iterator[TestClient]:
    with follow(live) as following:
        small = limits(max_text_characters=200, max_texts=3, max_request_bytes=5_000)
        yield TestClient(make_app(following, small))


@pytest.fixture
def another_model(small_model: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(small_model, tmp_path / "another"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", {**config, "number": 2})
    metadata = read_json(folder / METADATA_FILE)
    metadata["files"]["config.json"] = file_sha256(folder / "config.json")
    write_json(folder / METADATA_FILE, metadata)
    return folder


def test_a_text_gets_its_tags_and_the_name_of_the_model(api: TestClient, small_model: Path) -> None:
    answer = api.post("/get_tags", json={"text": TEXT, "TOP_N": 3})
    assert answer.status_code == 200
    (expected,) = TagModel.load(small_model).predict([TEXT], top_n=3)
    assert answer.json()["model"] == small_model.name
    assert [(tag["tag"], pytest.approx(tag["score"], abs=1e-5)) for tag in answer.json()["tags"]] == expected


def test_a_list_gets_a_list(api: TestClient) -> None:
    answer = api.post("/get_tags", json={"text": [TEXT, " ", "impozit"]}).json()
    assert [len(result["tags"]) for result in answer["results"]] == [5, 0, 5]
    alone = api.post("/get_tags", json={"text": TEXT}).json()["tags"]
    assert [tag["tag"] for tag in answer["results"][0]["tags"]] == [tag["tag"] for tag in alone]


def test_top_n_may_be_written_small(api: TestClient) -> None:
    assert len(api.post("/get_tags", json={"text": TEXT, "top_n": 2}).json()["tags"]) == 2


@pytest.mark.parametrize(
    ("question", "status", "said"),
    [
        ({"text": TEXT, "TOP_N": 0}, 422, "TOP_N: it should be at least 1."),
        ({"text": TEXT, "TOP_N": 1_001}, 422, "TOP_N: it should be at most 1000."),
        ({"text": TEXT, "TOP_N": "5"}, 422, "TOP_N: it should be a whole number."),
        ({"text": "x" * 201}, 422, "text: it should have at most 200 characters."),
        ({"text": ["x"] * 4}, 422, "text: it should hold at most 3."),
        ({"text": []}, 422, "text: it should hold at least 1."),
        ({"text": ["x", 5]}, 422, "text.1: it should be a text in quotes."),
        ({"text": 5}, 422, "text: it should be a text in quotes."),
        ({"text": TEXT, "top": 3}, 422, "top: there is no such field."),
        ({"TOP_N": 3}, 422, "text: it is missing."),
        ([TEXT], 422, "it should be a JSON object."),
        ({"text": "x" * 6_000}, 413, "larger than 5,000 bytes"),
    ],
)
def test_what_is_beyond_the_limits_is_refused_in_words(
    api: TestClient, question: object, status: int, said: str
) -> None:
    answer = api.post("/get_tags", json=question)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
    assert answer.json()["error"]["hint"]


def test_errors_speak_the_language_that_is_asked_for(api: TestClient) -> None:
    said = [
        api.post("/get_tags", json={"TOP_N": 3}, headers={"Accept-Language": accepted}).json()["error"]["message"]
        for accepted in ("ro-RO,ro;q=0.9,en;q=0.8", "de,en;q=0.5,ro;q=0.1", "de", "")
    ]
    assert said == ["text: lipsește.", "text: it is missing.", "text: it is missing.", "text: it is missing."]


def test_what_is_no_json_is_refused(api: TestClient) -> None:
    for body in (b"{", b"", b"\xff", b"[" * 3_000):
        answer = api.post("/get_tags", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        assert answer.json()["error"]["message"]


def test_half_an_emoji_is_cleaned_away_as_in_a_file(api: TestClient) -> None:
    tags = [
        api.post("/get_tags", content=body, headers={"Content-Type": "application/json"}).json()["tags"]
        for body in (b'{"text": "contract \\ud83d de munc\\u0103"}', '{"text": "contract  de muncă"}'.encode())
    ]
    assert len(tags[0]) == 5
    assert tags[0] == tags[1]


def test_a_body_in_latin_1_is_told_to_be_sent_as_utf_8(api: TestClient) -> None:
    body = '{"text": "preț"}'.encode("cp1250", errors="replace") + "é".encode("latin-1")
    answer = api.post("/get_tags", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"] == f"The request is not UTF-8: byte {len(body)} belongs to another encoding."
    assert "charset=utf-8" in error["hint"]


def test_a_body_of_unannounced_size_is_refused_when_it_grows_too_large(api: TestClient) -> None:
    answer = api.post("/get_tags", content=(b" " * 1_000 for _ in range(10)))
    assert answer.status_code == 413


def test_other_addresses_and_methods_are_refused_in_the_same_form(api: TestClient) -> None:
    assert api.get("/tags").json() == {"error": {"message": "There is no such address.", "hint": "See /docs."}}
    assert api.get("/get_tags").status_code == 405


def test_the_model_says_what_it_is(api: TestClient, small_model: Path) -> None:
    metadata = api.get("/model").json()
    assert (metadata["name"], metadata["data"], metadata["context_length"]) == (small_model.name, "tags_v1", 48)
    assert metadata["since"]
    assert api.get("/health").json() == {"status": "ok", "model": small_model.name, "problem": None}


def test_only_who_knows_the_token_may_ask(live: Path) -> None:
    with follow(live) as following:
        client = TestClient(make_app(following, limits(token="parolă")))
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "parolă".encode()}):
            answer = client.post("/get_tags", json={"text": TEXT}, headers=header)  # type: ignore[arg-type]
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        right = {"Authorization": "Bearer parolă".encode()}
        assert client.post("/get_tags", json={"text": TEXT}, headers=right).status_code == 200  # type: ignore[arg-type]
        assert [client.get(address).status_code for address in ("/model", "/metrics")] == [401, 401]
        assert client.get("/health").status_code == 200


def test_answers_are_not_held_back_for_the_acknowledgement_of_their_headers() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_deploy_and_a_rollback_are_followed(small_model: Path, another_model: Path, tmp_path: Path) -> None:
    live, events = tmp_path / "_live", list[Event]()
    deploy(small_model, live, keep_versions=3, on_event=silent)
    with follow(live, events.append) as following:
        client = TestClient(make_app(following, limits()))

        def answering() -> str:
            name: str = client.post("/get_tags", json={"text": TEXT}).json()["model"]
            return name

        deploy(another_model, live, keep_versions=3, on_event=silent)
        following.look()
        assert answering() == "another"
        rollback(live)
        following.look()
        assert answering() == small_model.name
    assert [event.message for event in events if isinstance(event, Notice)] == [
        "another answers now.",
        f"{small_model.name} answers now.",
    ]


def test_where_the_new_model_does_not_load_the_old_one_goes_on(
    small_model: Path, another_model: Path, tmp_path: Path
) -> None:
    live, events = tmp_path / "_live", list[Event]()
    deploy(small_model, live, keep_versions=3, on_event=silent)
    with follow(live, events.append) as following:
        client = TestClient(make_app(following, limits()))
        deploy(another_model, live, keep_versions=3, on_event=silent)
        (live / "versions" / "another" / "model.safetensors").write_bytes(b"torn")
        following.look()
        following.look()
        health = client.get("/health").json()
        assert (health["status"], health["model"]) == ("old_model", small_model.name)
        assert "cannot be loaded" in health["problem"]
        assert client.post("/get_tags", json={"text": TEXT}).status_code == 200
        (live / "current").unlink()
        following.look()
        assert "No model is live" in client.get("/health").json()["problem"]
        (live / "current").write_text(small_model.name, encoding="utf-8")
        following.look()
        assert client.get("/health").json()["status"] == "ok"
    assert len([event for event in events if isinstance(event, Notice)]) == 2


@pytest.mark.parametrize("path", ["/get_tags", "/health", "/model"])
def test_the_description_agrees_with_the_answers(live: Path, path: str) -> None:
    """schemathesis makes up requests from the API's own description, right ones and wrong ones."""
    with follow(live) as following:
        app = make_app(following, limits(max_text_characters=200, max_texts=3, token="token"))
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        (operation,) = schema.include(path=path).get_all_operations()

        @given(case=operation.ok().as_strategy())
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(headers={"Authorization": "Bearer token"})

        check()


def test_an_address_that_is_taken_is_said_in_words(live: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, follow(live) as following:
        port = taken.getsockname()[1]
        with pytest.raises(GetTagsError, match=f"127.0.0.1, port {port}, cannot be listened on"):
            serve(following, limits(port=port), silent, silent)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C reaches the tests too")
def test_the_command_needs_no_home_that_can_be_written(live: Path, tmp_path: Path) -> None:
    shutil.copytree(live, tmp_path / "_live")
    (tmp_path / "_logs").write_bytes(b"")  # a file in the place of the folder: nobody can write a log, root neither
    command = [sys.executable, "-m", "get_tags_train", "serve", "--json", "--port", "0", "--home", str(tmp_path)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered)
    assert running.stdout is not None
    ready = json.loads(running.stdout.readline())
    assert httpx2.get(f"{ready['url']}/health").json()["status"] == "ok"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C reaches the tests too")
def test_the_command_answers_until_ctrl_c(live: Path) -> None:
    command = [sys.executable, "-m", "get_tags_train", "serve", "--json", "--port", "0", "--home", str(live.parent)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered)
    assert running.stdout is not None
    ready = json.loads(running.stdout.readline())
    answer = httpx2.post(f"{ready['url']}/get_tags", json={"text": TEXT, "TOP_N": 2})
    assert len(answer.json()["tags"]) == 2
    assert answer.json()["model"] == ready["model"]
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in said


def test_with_why_each_tag_has_its_reasons(blended_model: Path, tmp_path: Path) -> None:
    deploy(blended_model, tmp_path / "_live", keep_versions=2, on_event=silent)
    with follow(tmp_path / "_live") as following:
        asked = TestClient(make_app(following, limits()))
        plain, explained = (asked.post("/get_tags", json={"text": TEXT, "why": why}).json() for why in (False, True))
    assert [tag["tag"] for tag in plain["tags"]] == [tag["tag"] for tag in explained["tags"]]
    assert all(set(tag) == {"tag", "score"} for tag in plain["tags"])
    assert all(set(tag["why"]) == {"words", "documents"} for tag in explained["tags"])
    assert any(tag["why"]["words"] or tag["why"]["documents"] for tag in explained["tags"])


def test_a_model_without_reasons_answers_without_them(api: TestClient) -> None:
    answer = api.post("/get_tags", json={"text": TEXT, "why": True}).json()
    assert all(set(tag) == {"tag", "score"} for tag in answer["tags"])
