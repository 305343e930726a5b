"""Requests computed together get their own answers, and none waits for a long one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import transformers
from numpy.typing import NDArray

from get_tags_train.model.tagger import TagModel, TagScore
from get_tags_train.serving.batcher import DynamicBatcher, QueueFull


@pytest.fixture(scope="module")
def model(small_model: Path) -> TagModel:
    return TagModel.load(small_model)


def test_requests_together_get_the_scores_of_a_plain_pipeline(model: TagModel, small_model: Path) -> None:
    texts = ["Instanța a respins cererea.", "contract de muncă " * 60, "impozit", "plata taxelor și a impozitelor"]
    running = batcher_of(model)
    answers = [running.ask([text], 3) for text in texts]
    pipeline = transformers.pipeline("text-classification", str(small_model), top_k=None)
    for text, answer in zip(texts, answers, strict=True):
        plain = {entry["label"]: entry["score"] for entry in pipeline([text], truncation=True)[0]}
        (tags,) = answer.result(timeout=30).tags
        assert [score for _, score in tags] == pytest.approx(sorted(plain.values(), reverse=True)[:3], abs=1e-4)
        assert [score for _, score in tags] == pytest.approx([plain[tag] for tag, _ in tags], abs=1e-4)
    running.close()


class Steps:
    """Passes for a model; takes a step only when it is told to, and remembers which texts were in each."""

    context_length = 512

    def __init__(self, tag: str = "tag") -> None:
        self.tag, self.steps = tag, list[list[str]]()
        self.may_go, self.has_begun = threading.Semaphore(0), threading.Semaphore(0)

    def encode(self, texts: list[str]) -> list[str]:
        self.steps.append(texts)
        self.has_begun.release()
        assert self.may_go.acquire(timeout=30)
        if "bad" in texts:
            raise ValueError("bad")
        return texts

    def score_encoded(self, encoded: list[str]) -> NDArray[np.float32]:
        return np.zeros((len(encoded), 1), np.float32)

    def top_tags(self, scores: NDArray[np.float32], top_n: int) -> list[list[TagScore]]:
        return [[TagScore(self.tag, 0.5)] for _ in scores]


def batcher_of(model: object, max_waiting_texts: int = 1_000) -> DynamicBatcher:
    return DynamicBatcher("first", model, max_waiting_texts=max_waiting_texts)  # type: ignore[arg-type]


def test_everybody_gets_their_own_answer(model: TagModel) -> None:
    asked = [([f"contract {n}", "", f"impozit {n} " * n][: 1 + n % 3], 1 + n % 4) for n in range(40)]
    running = batcher_of(model)
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda one: running.ask(*one).result(timeout=30), asked))
    running.close()
    for (texts, top_n), answer in zip(asked, answers, strict=True):
        assert answer.model == "first"
        for text, tags in zip(texts, answer.tags, strict=True):
            expected = model.predict([text], top_n)[0] if text else []
            assert [tag for tag, _ in tags] == [tag for tag, _ in expected]
            assert [score for _, score in tags] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_what_waits_is_computed_together_and_a_long_list_in_turn_with_others() -> None:
    model = Steps()
    running = batcher_of(model)
    first = running.ask(["first"], 1)
    assert model.has_begun.acquire(timeout=30)
    many = running.ask([f"many {n} " + "x" * 2_000 for n in range(10)], 1)
    single = running.ask(["single"], 1)
    model.may_go.release(2)
    assert single.result(timeout=30).tags == [[TagScore("tag", 0.5)]]
    assert not many.done()
    model.may_go.release(10)
    assert len(many.result(timeout=30).tags) == 10
    assert first.done()
    running.close()
    assert model.steps[0] == ["first"]
    assert [text.partition(" x")[0] for text in model.steps[1][:3]] == ["many 0", "single", "many 1"]


def test_a_request_is_answered_by_the_model_it_began_with() -> None:
    old, new = Steps("old"), Steps("new")
    running = batcher_of(old)
    long = running.ask(["x" * 20_000 for _ in range(9)], 1)
    assert old.has_begun.acquire(timeout=30)
    running.switch("second", new)  # type: ignore[arg-type]
    short = running.ask(["short"], 1)
    for model in (old, new):
        model.may_go.release(20)
    assert {tags[0].tag for tags in long.result(timeout=30).tags} == {"old"}
    assert (long.result().model, short.result(timeout=30).model) == ("first", "second")
    assert short.result().tags[0][0].tag == "new"
    running.close()


def test_too_many_waiting_texts_are_refused() -> None:
    model = Steps()
    running = batcher_of(model, max_waiting_texts=3)
    begun = running.ask(["begun"], 1)
    assert model.has_begun.acquire(timeout=30)
    waiting = running.ask(["a", "b"], 1)
    with pytest.raises(QueueFull):
        running.ask(["c", "d"], 1)
    model.may_go.release(5)
    assert len(waiting.result(timeout=30).tags) == 2
    assert len(running.ask(["c", "d", "e", "f"], 1).result(timeout=30).tags) == 4  # alone, any number is taken
    assert begun.done()
    running.close()


def test_an_error_is_the_answer_of_its_request_and_no_end_of_the_others() -> None:
    model = Steps()
    running = batcher_of(model)
    model.may_go.release(10)
    with pytest.raises(ValueError, match="bad"):
        running.ask(["bad", *["x" * 20_000] * 20], 1).result(timeout=30)
    assert running.ask(["good"], 1).result(timeout=30).tags == [[TagScore("tag", 0.5)]]
    assert running.ask([], 1).result().tags == []
    running.close()
