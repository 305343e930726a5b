"""Tell somebody that a run has ended or failed: a command of the system's shell, or JSON sent to an address."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

from get_tags_train.core.i18n import _
from get_tags_train.core.settings import NotifySettings

_COMMAND_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_SHOWN_CHARACTERS = 300


def notify(settings: NotifySettings, message: Mapping[str, Any]) -> list[str]:
    """Run the command and send the JSON, as far as they are set; a sentence for each that failed.

    message: its `text` is what people read.
    """
    return [*_run(settings.command, message), *_send(settings.url, message)]


def _run(command: str, message: Mapping[str, Any]) -> Iterator[str]:
    if not command:
        return
    with tempfile.TemporaryFile() as output:  # a pipe would stay open in what the command leaves running
        try:
            code = subprocess.run(
                command,
                shell=True,
                input=json.dumps(message).encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_COMMAND_SECONDS,
                env={**os.environ, "GET_TAGS_SENTENCE": str(message["text"])},
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            yield _("The command under [notify] did not run to its end: {reason}.", reason=type(error).__name__)
            return
        if code:
            output.seek(0)
            said = " ".join(output.read().decode(errors="replace").split())[-_SHOWN_CHARACTERS:]
            yield _("The command under [notify] failed with exit code {code}: {said}", code=code, said=said)


def _send(url: str, message: Mapping[str, Any]) -> Iterator[str]:
    """The address is a secret: whoever knows it can write there."""
    if not url:
        return
    if not url.startswith(("https://", "http://")):
        yield _("The url under [notify] is no http or https address.")
        return
    try:
        request = Request(url, json.dumps(message).encode(), {"Content-Type": "application/json"})
        urlopen(request, timeout=_ANSWER_SECONDS).close()
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", "") or type(error).__name__
        yield _("The address under [notify] did not take the message: {reason}.", reason=reason)
