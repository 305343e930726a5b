"""A log for each run, in the home's _logs, with secrets removed."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event, Notice, OnEvent, StageProgress
from get_tags_train.core.home import logs_dir
from get_tags_train.core.i18n import _, english
from get_tags_train.core.settings import Sections, Settings
from get_tags_train.core.version import __version__

logger = logging.getLogger("get_tags_train")

# `serve` logs each request, for months: the oldest lines make room for new ones.
_LARGEST_BYTES, _OLDER_FILES = 10_000_000, 4


class _Redacting(logging.Formatter):
    """Replaces every secret in the finished line, tracebacks included."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        # The longest first: one may be part of another.
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


def start_log(home: Path, command: str, secrets: Sequence[str] = ()) -> Path:
    """Open this run's log file; returns its path. Raises GetTagsError where the home cannot be written."""
    path = logs_dir(home) / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{command}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            path,
            maxBytes=_LARGEST_BYTES,
            backupCount=_OLDER_FILES,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise GetTagsError(
            _("The home folder {home} cannot be written: {reason}.", home=home, reason=error.strerror),
            _("Check its rights, or choose another home folder."),
        ) from error
    handler.setFormatter(_Redacting(secrets))
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.info("get-tags %s %s, home %s", __version__, command, home)
    return path


def log_settings(settings: Settings, database: str) -> None:
    """Write the settings in force, secrets left out; `database` is its address without a password."""
    logger.info("settings: source %s, database %s", settings.source, database)
    for section in Sections.model_fields:
        logger.info("settings: [%s] %s", section, getattr(settings, section))


def log_result(lines: Iterable[str]) -> None:
    """Write what came of a run, last of all."""
    for line in lines:
        logger.info("result: %s", line)


def log_paths(home: Path, command: str | None = None) -> list[Path]:
    """The logs of a command, or of any, newest first."""
    return sorted(logs_dir(home).glob(f"[0-9]*-{command or '*'}.log"), reverse=True)


def log_events(on_event: OnEvent) -> OnEvent:
    """The same listener, with every event but the finest written to the log first."""

    def log_and_pass(event: Event) -> None:
        if not isinstance(event, StageProgress):
            logger.info("%s", replace(event, message=english(event.message)) if isinstance(event, Notice) else event)
        on_event(event)

    return log_and_pass
