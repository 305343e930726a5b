"""How requests fare: a line each in the log, and Prometheus metrics. Nothing of a text is in either."""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from traceback import format_tb
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from get_tags_train.core.logs import logger
from get_tags_train.serving.hot_reload import LiveModel

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Somebody may write a text behind the slash: only addresses of ours are told by name.
ADDRESSES = {"/", "/docs", "/openapi.json", "/get_tags", "/model", "/health", "/metrics"}
# Programs ask these every few seconds: where all is well, the log does not speak of it.
_POLLED = {"/health", "/metrics"}


class RequestMetrics:
    """What /metrics answers, of the server from its start on."""

    def __init__(self, live: LiveModel) -> None:
        registry = self._registry = CollectorRegistry()
        self._live = live
        self._seconds = Histogram(
            "get_tags_request_seconds",
            "Requests by address and status, and how long they took.",
            ["address", "status"],
            registry=registry,
        )
        self._texts = Counter("get_tags_texts", "Texts that got their tags.", registry=registry)
        waiting = Gauge("get_tags_waiting_texts", "Texts that wait for their batch.", registry=registry)
        waiting.set_function(lambda: live.batcher.waiting_texts)
        failed = Gauge("get_tags_old_model", "1 where a newer model is live and cannot be loaded.", registry=registry)
        failed.set_function(lambda: live.problem is not None)
        self._model = Info("get_tags_model", "The model that answers.", registry=registry)
        ProcessCollector(registry=registry)

    def note(self, address: str, status: int, seconds: float, texts: int) -> None:
        """Count a request."""
        self._seconds.labels(address, status).observe(seconds)
        if status == 200:
            self._texts.inc(texts)

    def as_text(self) -> bytes:
        """All of them in the text format of Prometheus."""
        self._model.info({"name": self._live.batcher.live[0]})
        return generate_latest(self._registry)


class Monitor:
    """Notes each request of an application: when, which address, how many texts, the status, how long it took."""

    def __init__(self, app: App, metrics: RequestMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def send_and_note(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        scope["state"] = {**scope.get("state", {}), "texts": 0}
        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            # What the error says may hold a text; where it happened does not.
            logger.error("%s\n%s", type(error).__name__, "".join(format_tb(error.__traceback__)))
            raise
        finally:
            self._note(scope, status, perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        address = scope["path"] if scope["path"] in ADDRESSES else "other"
        texts = scope["state"]["texts"]
        self._metrics.note(address, status, seconds, texts)
        if address not in _POLLED or status != 200:
            method = scope["method"] if scope["method"].isalpha() else "-"
            logger.info("%s %s: status %d, texts %d, %d ms", method, address, status, texts, round(seconds * 1_000))
