"""The hub: asked once and briefly, and then no more."""

import socket
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from get_tags_train.core.errors import GetTagsError
from get_tags_train.text import hub
from get_tags_train.text.tokenizer import load_tokenizer


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A hub that takes calls and never answers."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_ANSWER_SECONDS", 0.2)
    hub.why_unreachable.cache_clear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server
    hub.why_unreachable.cache_clear()


def test_a_hub_that_does_not_answer_is_asked_once(silent_hub: socket.socket) -> None:
    for _ in range(2):
        with pytest.raises(GetTagsError, match=r"not on this machine, and http://127.* does not answer") as caught:
            load_tokenizer("no/such-model")
    assert "hf download no/such-model" in caught.value.hint
    silent_hub.setblocking(False)
    silent_hub.accept()[0].close()
    with pytest.raises(BlockingIOError):
        silent_hub.accept()


def test_offline_nothing_is_asked() -> None:
    hub.why_unreachable.cache_clear()
    assert hub.why_unreachable() == "HF_HUB_OFFLINE is set"


def test_a_name_that_is_none_is_not_on_this_machine() -> None:
    assert not hub.is_on_this_machine("C:\\no such/folder at all")
