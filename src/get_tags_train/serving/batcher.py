"""Texts of many requests computed together: while one batch is computed, the next gathers."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import NamedTuple

from get_tags_train.model.tagger import TagModel, TagScore

# About as many tokens as keep the processor busy; more would make whoever comes next wait longer.
_STEP_TOKENS = 4_096
_CHARACTERS_PER_TOKEN = 4
_MAX_WAITING_TEXTS = 2_000


class QueueFull(Exception):
    """So many texts wait already that one more request would wait too long."""


class Answer(NamedTuple):
    """The tags of each text of a request, and the name of the model that named them."""

    model: str
    tags: list[list[TagScore]]


@dataclass
class _Request:
    texts: Sequence[str]
    top_n: int
    answer: "Future[Answer]"
    name: str = ""
    model: TagModel | None = None  # the one it began with: a change-over never mixes two in one answer
    begun: int = 0
    tags: list[list[TagScore]] = field(default_factory=list)


class DynamicBatcher:
    """Computes requests in one thread, a text of each in turn, so that a long list delays nobody."""

    def __init__(self, name: str, model: TagModel, *, max_waiting_texts: int = _MAX_WAITING_TEXTS) -> None:
        self._live = name, model
        self._max_waiting_texts = max_waiting_texts
        self._waiting = 0
        self._requests: deque[_Request] = deque()
        self._changed = Condition()
        self._is_closed = False
        self._thread = Thread(target=self._work, name="together", daemon=True)
        self._thread.start()

    @property
    def live(self) -> tuple[str, TagModel]:
        """The name and the model that the next request gets."""
        return self._live

    def change_over(self, name: str, model: TagModel) -> None:
        """Give every request that has not begun to another model."""
        self._live = name, model

    def ask(self, texts: Sequence[str], top_n: int) -> "Future[Answer]":
        """The tags of these texts, when they are computed. Raises Busy."""
        request = _Request(texts, top_n, Future())
        if not texts:
            request.answer.set_result(Answer(self._live[0], []))
            return request.answer
        with self._changed:
            if self._waiting + len(texts) > self._max_waiting_texts and self._waiting:
                raise QueueFull
            self._waiting += len(texts)
            self._requests.append(request)
            self._changed.notify()
        return request.answer

    def close(self) -> None:
        """Compute what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while step := self._next_step():
            requests = [request for request, _ in step]
            try:
                self._compute(step)
            except Exception as error:  # noqa: BLE001  it is the answer of these requests, and no end of the thread
                self._drop(requests, error)
            for request in requests:
                if len(request.tags) == len(request.texts) and not request.answer.done():
                    request.answer.set_result(Answer(request.name, request.tags))

    def _next_step(self) -> list[tuple[_Request, str]]:
        """The next text of each request in turn until they fill a step; empty where all is done and closed."""
        with self._changed:
            while not self._requests and not self._is_closed:
                self._changed.wait()
            step: list[tuple[_Request, str]] = []
            tokens, model = 0, None
            passed: list[_Request] = []
            while self._requests and tokens < _STEP_TOKENS:
                request = self._requests.popleft()
                if request.model is None:
                    request.name, request.model = self._live
                model = model or request.model
                if request.model is not model:
                    passed.append(request)
                    continue
                text = request.texts[request.begun]
                request.begun += 1
                step.append((request, text))
                tokens += min(len(text) // _CHARACTERS_PER_TOKEN + 2, request.model.context_length)
                if request.begun < len(request.texts):
                    self._requests.append(request)
            self._requests.extendleft(reversed(passed))
            self._waiting -= len(step)
            return step

    def _compute(self, step: Sequence[tuple[_Request, str]]) -> None:
        model = step[0][0].model
        assert model is not None
        asked = [(request, text) for request, text in step if text.strip()]
        scores = model.score_encoded(model.encode([text for _, text in asked]))
        rows = iter(scores)
        for request, text in step:  # a blank text has no tags
            request.tags += model.top_tags(next(rows)[None], request.top_n) if text.strip() else [[]]

    def _drop(self, requests: Sequence[_Request], error: Exception) -> None:
        """Answer these requests with an error, and compute nothing more of them."""
        with self._changed:
            for request in requests:
                if request in self._requests:
                    self._requests.remove(request)
                    self._waiting -= len(request.texts) - request.begun
        for request in requests:
            if not request.answer.done():
                request.answer.set_exception(error)
