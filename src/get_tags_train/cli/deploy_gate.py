"""Whether a model goes live: what was asked for, what speaks against it, and what people answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from get_tags_train.cli import wizard
from get_tags_train.cli.console import Console
from get_tags_train.cli.tables import evaluation_lines
from get_tags_train.core.i18n import Command, _
from get_tags_train.evaluation.tag_changes import deploy_concerns
from get_tags_train.pipeline import RunResult


def confirm_concerns(evaluation: Mapping[str, Any], name: str, *, ask: bool, say: Callable[[str], None]) -> bool:
    """True where nothing speaks against making the model live, or somebody was asked again and wants it."""
    concerns = deploy_concerns(evaluation)
    if not concerns:
        return True
    for concern in concerns:
        say(concern)
    if ask and wizard.confirm_despite(name):
        return True
    say(_("Not deployed. To deploy it anyway: {deploy}", deploy=Command("deploy", name, "--yes")))
    return False


@dataclass
class DeployGate:
    """Decides at the end of a training; `wanted` is what --deploy says, None where it says nothing."""

    wanted: bool | None
    ask: bool
    console: Console
    was_interrupted: bool = False

    def __call__(self, result: RunResult) -> bool:
        """Whether this run's model goes live."""
        if self.wanted is False or not (self.wanted or self.ask):
            return False
        if self.wanted is None:
            self.console.show(evaluation_lines(result.evaluation))
        name = result.model.name
        try:
            return (self.wanted or wizard.confirm_deploy(name)) and confirm_concerns(
                result.evaluation, name, ask=self.ask, say=self.console.say
            )
        except (KeyboardInterrupt, EOFError):
            self.was_interrupted = True  # the model is there: its name and folder are still to be said
            return False
