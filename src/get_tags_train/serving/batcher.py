"""Dynamic batching: texts of many requests are computed in one batch; while it is computed, the next gathers."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import NamedTuple

from get_tags_train.model.second_reader import Reason
from get_tags_train.model.tagger import TagModel, TagScore

# About as many tokens as keep the processor busy; more would make the next request wait longer.
_BATCH_TOKENS = 4_096
_CHARACTERS_PER_TOKEN = 4
_MAX_WAITING_TEXTS = 2_000


class QueueFull(Exception):
    """So many texts wait already that one more request would wait too long."""


class Answer(NamedTuple):
    """The tags of each text of a request, and the name of the model that predicted them.

    reasons: those of each text's tags, in order; none where they were not asked, or the model has none.
    """

    model: str
    tags: list[list[TagScore]]
    reasons: list[list[Reason]]


@dataclass(eq=False)
class _Request:
    """Texts of one caller, for the model that was live when they came: a reload never mixes two in one answer.

    `taken` texts are in a batch already; `tags` and `reasons` hold the results so far.
    """

    texts: Sequence[str]
    top_n: int
    name: str
    model: TagModel
    answer: "Future[Answer]" = field(default_factory=Future)
    why: bool = False
    taken: int = 0
    tags: list[list[TagScore]] = field(default_factory=list)
    reasons: list[list[Reason]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many texts are not in a batch yet."""
        return len(self.texts) - self.taken

    def take(self) -> str:
        """The next text, which goes into a batch now."""
        self.taken += 1
        return self.texts[self.taken - 1]


class DynamicBatcher:
    """Computes requests in one thread. Requests take turns, a text at a time, so a long list delays nobody."""

    def __init__(self, name: str, model: TagModel, *, max_waiting_texts: int = _MAX_WAITING_TEXTS) -> None:
        self._live = name, model
        self._max_waiting_texts = max_waiting_texts
        self._waiting: deque[_Request] = deque()
        self._changed = Condition()
        self._is_closed = False
        self._thread = Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def live(self) -> tuple[str, TagModel]:
        """The name and the model that the next request gets."""
        return self._live

    @property
    def waiting_texts(self) -> int:
        """How many texts are in no batch yet."""
        with self._changed:
            return self._count_waiting()

    def switch(self, name: str, model: TagModel) -> None:
        """Give the requests that come from now on to another model."""
        self._live = name, model

    def ask(self, texts: Sequence[str], top_n: int, *, why: bool = False) -> "Future[Answer]":
        """The tags of these texts, and their reasons if asked, when they are computed. Raises QueueFull."""
        request = _Request(texts, top_n, *self._live, why=why)
        if not texts:
            request.answer.set_result(Answer(request.name, [], []))
            return request.answer
        with self._changed:
            waiting = self._count_waiting()
            if waiting and waiting + len(texts) > self._max_waiting_texts:
                raise QueueFull
            self._waiting.append(request)
            self._changed.notify()
        return request.answer

    def close(self) -> None:
        """Compute what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _count_waiting(self) -> int:
        return sum(request.left for request in self._waiting)

    def _work(self) -> None:
        while batch := self._next_batch():
            requests = [request for request, _ in batch]
            try:
                self._compute(batch)
            except Exception as error:  # noqa: BLE001  it is the answer of these requests, and no end of the thread
                self._fail(requests, error)
            for request in requests:
                if len(request.tags) == len(request.texts) and not request.answer.done():
                    request.answer.set_result(Answer(request.name, request.tags, request.reasons))

    def _next_batch(self) -> list[tuple[_Request, str]]:
        """Texts of one model, one of each request in turn until the batch is full; empty once all is done and closed.

        Requests for the other model, just after a reload, come first in the next batch.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            batch: list[tuple[_Request, str]] = []
            tokens = 0
            turns = deque(request for request in self._waiting if request.model is self._waiting[0].model)
            others = [request for request in self._waiting if request.model is not self._waiting[0].model]
            while turns and tokens < _BATCH_TOKENS:
                request = turns.popleft()
                text = request.take()
                batch.append((request, text))
                tokens += min(len(text) // _CHARACTERS_PER_TOKEN + 2, request.model.context_length)
                if request.left:
                    turns.append(request)
            self._waiting = deque([*others, *turns])
            return batch

    def _compute(self, batch: Sequence[tuple[_Request, str]]) -> None:
        model = batch[0][0].model
        scores = iter(model.score_encoded(model.encode([text for _, text in batch if text.strip()])))
        for request, text in batch:  # a blank text has no tags
            tags = model.top_tags(next(scores)[None], request.top_n)[0] if text.strip() else []
            can_say = request.why and model.second_reader is not None
            request.reasons.append(model.reasons(text, [tag for tag, _ in tags]) if can_say else [])
            request.tags.append(tags)

    def _fail(self, requests: Sequence[_Request], error: Exception) -> None:
        """Answer these requests with an error, and compute nothing more of them."""
        with self._changed:
            self._waiting = deque(request for request in self._waiting if request not in requests)
        for request in requests:
            if not request.answer.done():
                request.answer.set_exception(error)
