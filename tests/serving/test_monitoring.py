"""What administrators see of requests: the log and /metrics, and that no text is in either."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import silent
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from get_tags_train.core.config import load_settings
from get_tags_train.core.logs import logger, start_log
from get_tags_train.deployment.deploy import deploy
from get_tags_train.model.tagger import TagModel
from get_tags_train.serving.app import make_app
from get_tags_train.serving.hot_reload import LiveModel

TEXT = "Un text secret"


@pytest.fixture
def api(small_model: Path, tmp_path: Path) -> Iterator[TestClient]:
    deploy(small_model, tmp_path / "_live", keep_versions=3, on_event=silent)
    settings = load_settings(Path(), environ={}).serve
    with LiveModel(tmp_path / "_live", TagModel.load, on_event=silent) as live:
        yield TestClient(make_app(live, settings), raise_server_exceptions=False)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = start_log(tmp_path, "serve")
    yield path
    for handler in logger.handlers:
        handler.close()
    logger.handlers = []
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def samples(api: TestClient) -> dict[tuple[str, str], float]:
    """The metrics' values, by name and status."""
    families = text_string_to_metric_families(api.get("/metrics").text)
    return {(s.name, s.labels.get("status", "")): s.value for family in families for s in family.samples}


def test_requests_are_logged_without_their_texts(api: TestClient, log: Path) -> None:
    api.post("/get_tags", json={"text": [TEXT, TEXT]})
    api.post("/get_tags", json={"text": TEXT, TEXT: 1})
    api.get(f"/{TEXT}?text={TEXT}")
    lines = log.read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(" INFO ")[1].rsplit(", ", 1)[0] for line in lines] == [
        "POST /get_tags: status 200, texts 2",
        "POST /get_tags: status 422, texts 0",
        "GET other: status 404, texts 0",
    ]
    assert "secret" not in log.read_text(encoding="utf-8")


def test_what_programs_ask_all_the_time_is_not_logged_where_all_is_well(api: TestClient, log: Path) -> None:
    api.get("/health")
    api.get("/metrics")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1


def test_a_fault_of_ours_is_told_and_logged_without_what_it_says(
    api: TestClient, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(TEXT)

    monkeypatch.setattr(TagModel, "encode", fail)
    answer = api.post("/get_tags", json={"text": TEXT})
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "Internal error."
    logged = log.read_text(encoding="utf-8")
    assert "ValueError" in logged
    assert "secret" not in logged


def test_metrics_count_requests_and_texts(api: TestClient, small_model: Path) -> None:
    api.post("/get_tags", json={"text": [TEXT, TEXT]})
    api.post("/get_tags", json={"text": TEXT, "TOP_N": 0})
    counted = samples(api)
    assert counted["get_tags_texts_total", ""] == 2
    assert counted["get_tags_request_seconds_count", "200"] == 1
    assert counted["get_tags_request_seconds_count", "422"] == 1
    assert counted["get_tags_old_model", ""] == 0
    assert f'get_tags_model_info{{name="{small_model.name}"}} 1.0' in api.get("/metrics").text


def test_addresses_that_are_made_up_are_counted_as_one(api: TestClient) -> None:
    for n in range(3):
        api.get(f"/made-up-{n}")
    assert "made-up" not in api.get("/metrics").text
    assert samples(api)["get_tags_request_seconds_count", "404"] == 3
