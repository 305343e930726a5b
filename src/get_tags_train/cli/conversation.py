"""Questions one after the other, any of which can be answered again; the other answers are kept."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from get_tags_train.cli.prompts import GoBack

_T = TypeVar("_T")


class Conversation:
    """The answers of somebody who is asked; questions have names, and a function asks them in their order.

    The function is run from its start whenever somebody goes back. It gets the answers that hold without asking, so it
    can be written as if nobody ever went back; what it does between questions it does again.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Any] = {}
        self._earlier: dict[str, Any] = {}  # offered again
        self._asked: list[str] = []  # in this pass, in order

    def hold(self, questions: Callable[["Conversation"], _T], *, is_inner: bool = False) -> _T:
        """What `questions` returns in the end.

        Before the first question is nothing, so it is asked again; in an inner conversation GoBack is raised for the
        outer one.
        """
        while True:
            self._asked = []
            try:
                return questions(self)
            except GoBack as back:
                answered = [name for name in self._asked if name in self._answers]
                if is_inner and not (back.to or answered):
                    raise
                self._answers.pop(back.to or (answered or [""])[-1], None)

    def ask(self, name: str, prompt: Callable[[Any], _T]) -> _T:
        """The answer that holds, else that of `prompt`, which gets the one given before (None where there was none)."""
        self._asked.append(name)
        if name not in self._answers:
            self._answers[name] = self._earlier[name] = prompt(self._earlier.get(name))
        answer: _T = self._answers[name]
        return answer

    def fill(self, answers: Mapping[str, Any]) -> None:
        """Take these answers, as if somebody had given them; they can be changed like others."""
        self._answers.update(answers)
        self._earlier.update(answers)

    def answers(self) -> dict[str, Any]:
        """The answers so far, in the order of the questions."""
        return {name: self._answers[name] for name in self._asked if name in self._answers}
