"""The API switch: stop the API, start it, and check its health, which is answering as the new model does."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from time import monotonic, sleep
from typing import Any, Literal
from urllib.request import ProxyHandler, Request, build_opener

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import DeploySettings
from get_tags_train.model.metadata import Probe

_ASKED = 5
# An API may compute in another number format; tags whose scores are nearer than this may change places.
_NEAR_TIE = 0.02
_PAUSE_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class ApiSwitch:
    """What is known of the API: commands of the system's shell, an address, a token; empty ones are left out.

    `seconds`: how long a command may run, and how long the API may take until it answers as the new model; `read_by`:
    what it reads model folders with.
    """

    before_command: str = ""
    after_command: str = ""
    check_url: str = ""
    token: str = ""
    seconds: float = 60.0
    read_by: Literal["get-tags", "transformers"] = "get-tags"

    @classmethod
    def of(cls, settings: DeploySettings, *, token: str) -> "ApiSwitch":
        """As the settings say; the token is sent with the health check."""
        return cls(
            before_command=settings.before_command,
            after_command=settings.after_command,
            check_url=settings.check_url,
            token=token,
            seconds=settings.api_seconds,
            read_by=settings.read_by,
        )

    @property
    def is_switched(self) -> bool:
        """Whether a change has to stop or start anything."""
        return bool(self.before_command or self.after_command)

    def stop(self) -> None:
        """Run before_command. Raises GetTagsError where it fails."""
        self._run("before_command", self.before_command)

    def start(self) -> None:
        """Run after_command. Raises GetTagsError where it fails."""
        self._run("after_command", self.after_command)

    def check(self, probes: Sequence[Probe]) -> None:
        """Send the probe texts and compare the tags, until they agree. Raises GetTagsError where they never do."""
        if not self.check_url:
            return
        give_up = monotonic() + self.seconds
        while wrong := self._difference(probes):
            if monotonic() > give_up:
                raise GetTagsError(
                    _(
                        "The API at {check_url} does not answer as the model does: {wrong}",
                        check_url=self.check_url,
                        wrong=wrong,
                    ),
                    _(
                        "Check that it is running, reads this model and takes text and TOP_N (check_url and "
                        "api_seconds under [deploy])."
                    ),
                )
            sleep(_PAUSE_SECONDS)

    def _run(self, name: str, command: str) -> None:
        if not command:
            return
        hint = _("Fix {name} under [deploy], or the program it runs, and try again.", name=name)
        with tempfile.TemporaryFile() as output:  # a pipe would stay open in an API that goes on running
            try:
                done = subprocess.run(
                    command,
                    shell=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=self.seconds,
                )
            except subprocess.TimeoutExpired:
                raise GetTagsError(
                    _(
                        "{name} ran longer than {seconds:.0f} s: {command}",
                        name=name,
                        seconds=self.seconds,
                        command=command,
                    ),
                    hint,
                ) from None
            if done.returncode:
                output.seek(0)
                said = " ".join(output.read().decode(errors="replace").split())[-_SHOWN_CHARACTERS:]
                raise GetTagsError(
                    _(
                        "{name} failed with exit code {returncode}: {command}: {said}",
                        name=name,
                        returncode=done.returncode,
                        command=command,
                        said=said,
                    ),
                    hint,
                )

    def _difference(self, probes: Sequence[Probe]) -> str:
        """What is wrong with the API's answers; '' where nothing is."""
        for probe in probes:
            if "<" in probe.text:
                continue  # an API of plain transformers does not remove markup
            try:
                answer = self._ask(probe.text)
            except (OSError, HTTPException, ValueError) as error:
                return f"{type(error).__name__}: {error}."
            scores = probe.scores if self.read_by == "get-tags" else probe.plain_scores
            if wrong := _wrong_tags(scores, answer):
                return wrong
        return ""

    def _ask(self, text: str) -> Any:
        body = json.dumps({"text": text, "TOP_N": _ASKED}).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        opener = build_opener(ProxyHandler({}))  # the API is near; a proxy for the internet does not know it
        with opener.open(Request(self.check_url, body, headers), timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer)


def _wrong_tags(score_of: Mapping[str, float], answer: Any) -> str:
    """Why an API's answer is not this model's; '' where it is. Of the answer only the texts count, in their order."""
    answered = [text for text in dict.fromkeys(_texts(answer)) if text in score_of]
    expected = list(score_of)[:_ASKED]
    least = score_of[expected[-1]] - _NEAR_TIE
    if len(answered) == len(expected) and all(score_of[tag] >= least for tag in answered):
        return ""
    return _(
        "for one of its probe texts it answered {answered} instead of {expected}.", answered=answered, expected=expected
    )


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, names of numbers included, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if isinstance(entry, int | float):  # {tag: score}
                yield key
            yield from _texts(entry)
