"""One invocation of get-tags: its home, its settings, what it prints on, its log, and how its failure is told."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

from get_tags_train.cli.console import Console
from get_tags_train.cli.shell import write_command
from get_tags_train.core.bootstrap import chosen_language, default_home, expanded
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import OnEvent
from get_tags_train.core.i18n import Command, _, english, set_command_style, set_language

if TYPE_CHECKING:
    from get_tags_train.core.settings import Settings

Overrides = Mapping[str, Mapping[str, Any]]


@dataclass
class Session:
    """What one command line has named and opened so far; every command gets it first."""

    console: Console
    home: Path
    config_path: Path | None = None
    settings: "Settings | None" = None
    overrides: Overrides = field(default_factory=dict)
    log_path: Path | None = None
    secrets: Sequence[str] = ()
    is_home_given: bool = False
    running: str = ""
    """The command that is running, where [notify] is to hear of its end."""
    resumed_by: Command | None = None
    """What goes on where the running command is interrupted."""

    @classmethod
    def of_command_line(cls, argv: Sequence[str]) -> "Session":
        """Before anything is parsed or read: help is shown, and errors happen, in the language of this home."""
        argv = argv[: argv.index("--")] if "--" in argv else argv  # what follows are texts and names
        home, config_path = _last_value(argv, "--home"), _last_value(argv, "--config")
        set_language(chosen_language(home or default_home(), config_path))
        as_json = "--json" in argv
        session = cls(Console(as_json=as_json), default_home())
        session.use(home, config_path, as_json=as_json)
        return session

    def use(self, home: Path | None, config_path: Path | None, *, as_json: bool) -> None:
        """Work in this home under this settings file, and print for people or programs."""
        self.home = expanded(home).absolute() if home else default_home()
        self.config_path = expanded(config_path).absolute() if config_path else None
        self.is_home_given, self.console.as_json = home is not None, as_json
        # What programs read names commands plainly, whatever machine it is read on.
        set_command_style(str if as_json else self._write_command)

    def use_demo_home(self) -> None:
        """Work in the example's own home, unless another was given."""
        if not self.is_home_given:
            self.home = default_home() / "demo"

    def load_settings(self, *overrides: Overrides, **source: Any) -> "Settings":
        """The settings with these flags and answers over all others; the later ones win."""
        from get_tags_train.core.config import load_settings

        self.overrides = merged(*overrides)
        is_first = self.settings is None
        self.settings = load_settings(self.home, config_path=self.config_path, overrides=self.overrides, **source)
        if is_first and self.settings.retired:
            self.console.say(_("No longer a setting, ignored: {names}.", names="; ".join(self.settings.retired)))
        return self.settings

    def start_log(
        self, command: str, *, reads_database: bool = False, is_needed: bool = True, is_announced: bool = False
    ) -> OnEvent:
        """Open the run's log, which holds none of the secrets; returns the listener for its events.

        Commands that change something or run long have one. The rest (lists, doctor, a single text) show all they
        find, and find the same when they are run again. The end of a run that `is_announced` is told to [notify].
        Raises GetTagsError where the home cannot be written and it `is_needed`.
        """
        from get_tags_train.core.logs import log_events, log_settings, start_log
        from get_tags_train.data.database import secrets_of

        self.running = command if is_announced else ""
        if self.settings is not None:
            tokens = [self.settings.serve.token, self.settings.notify.url]
            secrets = [*tokens, *secrets_of(self.settings.database, ask_keyring=reads_database)]
            self.secrets = tuple(filter(None, secrets))  # an empty one would be found between all letters
        with nullcontext() if is_needed else suppress(GetTagsError):
            self.log_path = start_log(self.home, command, self.secrets)
            if self.settings is not None:
                log_settings(self.settings, _database_of(self.settings))
        return log_events(self.console.on_event)

    def announce(self, outcome: str, text: str, **facts: Any) -> None:
        """Tell [notify] how the run ended; what fails there is said, and changes nothing."""
        if not self.running or self.settings is None:
            return
        from get_tags_train.core.logs import logger
        from get_tags_train.maintenance.notify import notify

        message = {"text": text, "outcome": outcome, "command": self.running, "computer": gethostname()}
        message |= {"home": str(self.home), "log": str(self.log_path), **facts}
        self.running = ""
        for failure in notify(self.settings.notify, message):
            logger.warning("%s", english(failure))
            self.console.say(failure)

    def fail(self, message: str, hint: str, *, traceback: bool = False) -> None:
        """Show an error, without secrets, keep it in the log, and announce it."""
        if traceback and self.log_path is None:
            with suppress(GetTagsError):
                self.start_log("error", reads_database=True)  # it may have, so its secrets may be in what is shown
        if self.log_path is not None:
            from get_tags_train.core.logs import logger

            logger.error("%s %s", english(message), english(hint), exc_info=traceback)
        message, hint = self.without_secrets(message), self.without_secrets(hint)
        self.console.error(message, hint, self.log_path)
        failed = _("get-tags {command} did not finish: {message}", command=self.running, message=message)
        self.announce("failed", failed, hint=hint)

    def without_secrets(self, value: Any) -> Any:
        """A text without the secrets of this session; any other value as it is."""
        if isinstance(value, str):
            for secret in self.secrets:
                value = value.replace(secret, "***")
        return value

    def command_to_resume(self, data_name: str, *, deploy: bool) -> Command:
        """What resumes a training on these data: what was given or answered, and nothing to ask."""
        return self.training_command("--data", data_name, *(["--deploy"] if deploy else []), "--yes")

    def training_command(self, *flags: str) -> Command:
        """A training with these flags and with what was given or answered."""
        given = [
            word
            for values in self.overrides.values()
            for key, value in values.items()
            for word in (f"--{key.replace('_', '-')}", str(value))
        ]
        return Command("train", *flags, *given)

    def _write_command(self, command: Command) -> str:
        return write_command(command, home=self.home, config_path=self.config_path)


def _database_of(settings: "Settings") -> str:
    """Where the documents are, without a password; '' where nothing usable is set."""
    from get_tags_train.data.database import describe_url

    with suppress(InputError):
        return describe_url(settings.database.url)
    return ""


def flag_overrides(**sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The flags that were given, by section and key."""
    given = {name: {key: v for key, v in section.items() if v is not None} for name, section in sections.items()}
    return {name: section for name, section in given.items() if section}


def merged(*overrides: Overrides) -> dict[str, dict[str, Any]]:
    """Flags and answers as one, by section and key; the later ones win."""
    all_of_them: dict[str, dict[str, Any]] = {}
    for each in overrides:
        for section, values in each.items():
            all_of_them.setdefault(section, {}).update(values)
    return all_of_them


def _last_value(argv: Sequence[str], flag: str) -> Path | None:
    values = [following for word, following in pairwise(argv) if word == flag]
    values += [word.removeprefix(f"{flag}=") for word in argv if word.startswith(f"{flag}=")]
    return expanded(Path(values[-1])) if values else None
