"""Whether a model goes live: what was asked for, what speaks against it, and what people answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from get_tags_train.cli import wizard
from get_tags_train.cli.console import Console
from get_tags_train.cli.desktop import open_on_desktop
from get_tags_train.cli.results import outcome_lines, report_path
from get_tags_train.evaluation.verdict import judge
from get_tags_train.pipeline import RunResult


@dataclass
class DeployGate:
    """Decides at the end of a training; `wanted` is what --deploy says, None where it says nothing.

    Where people can be asked they first see what came of the run. Without them nothing goes live that something speaks
    against: then the model `is_refused`.
    """

    wanted: bool | None
    ask: bool
    console: Console
    is_refused: bool = field(default=False, init=False)
    was_interrupted: bool = field(default=False, init=False)

    def __call__(self, result: RunResult) -> bool:
        """Whether this run's model goes live."""
        speaks_against = bool(judge(result.evaluation).concerns)
        if self.ask:
            self._show(result.as_json())
        elif self.wanted and speaks_against:
            self.is_refused = True
        if self.wanted is False or not self.ask:
            return bool(self.wanted) and not self.is_refused
        try:
            return _answer(result.model.name, is_wanted=self.wanted is True, speaks_against=speaks_against)
        except (KeyboardInterrupt, EOFError):
            self.was_interrupted = True  # the model is there: its name and folder are still to be said
            return False

    def _show(self, result: Mapping[str, Any]) -> None:
        path = report_path(result)
        self.console.show(outcome_lines(result["evaluation"], path))
        if not self.console.as_json:
            open_on_desktop(path)


def _answer(name: str, *, is_wanted: bool, speaks_against: bool) -> bool:
    """What people say, who have just read what speaks against it."""
    if speaks_against:
        return wizard.confirm_despite(name)
    return is_wanted or wizard.confirm_deploy(name)
