"""What all commands share: flags that many have, the settings they make, and the one place that handles errors."""

import errno
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from get_tags_train.cli.console import Console
from get_tags_train.cli.help import translate, usage_error_message
from get_tags_train.core.errors import GetTagsError, InputError, InterruptedByUser
from get_tags_train.core.events import OnEvent
from get_tags_train.core.i18n import _, english, set_language

if TYPE_CHECKING:
    from types import ModuleType

    from get_tags_train.core.settings import Settings


@dataclass
class Session:
    """What the command line has opened so far, for the moment when it fails."""

    console: Console
    home: Path | None = None
    settings: "Settings | None" = None
    log_path: Path | None = None
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: Sequence[str] = ()

    def begin(self, *, as_json: bool) -> None:
        """Start anew, for another command line."""
        self.console = Console(as_json=as_json)
        self.home = self.settings = self.log_path = None
        self.given, self.secrets = {}, ()

    def fail(self, message: str, hint: str, *, traceback: bool = False) -> None:
        """Show an error, without secrets, and keep it in the log."""
        if traceback and self.log_path is None and self.home is not None:
            with suppress(GetTagsError):
                self.start_log("error", reads_database=True)  # it may have, so its secrets may be in what is shown
        if self.log_path is not None:
            from get_tags_train.core.logs import logger

            logger.error("%s %s", english(message), english(hint), exc_info=traceback)
        for secret in self.secrets:
            message, hint = message.replace(secret, "***"), hint.replace(secret, "***")
        self.console.error(message, hint, self.log_path)

    def start_log(self, command: str, *, reads_database: bool = False, is_needed: bool = True) -> OnEvent:
        """Open the run's log, which holds none of the secrets; returns the listener for its events.

        Commands that change something or run long have one. The rest (lists, doctor, a single text) show all they
        find, and find the same when they are run again. Raises GetTagsError where the home cannot be written and it
        `is_needed`.
        """
        from get_tags_train.core.bootstrap import default_home
        from get_tags_train.core.logs import log_events, start_log

        if self.settings is not None:
            from get_tags_train.data.database import secrets_of

            secrets = [self.settings.serve.token, *secrets_of(self.settings.database, ask_keyring=reads_database)]
            self.secrets = tuple(filter(None, secrets))  # an empty one would be found between all letters
        with nullcontext() if is_needed else suppress(GetTagsError):
            self.log_path = start_log(self.home or default_home(), command, self.secrets)
        return log_events(self.console.on_event)


session = Session(Console(as_json=False))


class Commands(TyperGroup):
    """Every way a command can end, as an exit code and a message."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run the command line; errors become exit codes here and nowhere else."""
        argv = list(sys.argv[1:] if args is None else args)
        _speak(argv)
        translate(self)
        code = _guarded(lambda: super(Commands, self).main(argv, standalone_mode=False, **extra), argv)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Run a command; typer alone would end Ctrl-C and Ctrl-D without a word."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, EOFError):
            hint = _("What was done is kept.") if session.log_path else _("Nothing was started.")
            raise InterruptedByUser(_("Interrupted."), hint) from None


def _speak(argv: Sequence[str]) -> None:
    """Choose the language before anything is said: help is shown, and errors happen, before settings are read."""
    from get_tags_train.core.bootstrap import chosen_language, default_home, expanded

    places = {}
    for flag in ("--home", "--config"):
        given = [argv[n + 1] for n, word in enumerate(argv[:-1]) if word == flag]
        given += [word.removeprefix(f"{flag}=") for word in argv if word.startswith(f"{flag}=")]
        places[flag] = expanded(Path(given[-1])) if given else None
    set_language(chosen_language(places["--home"] or default_home(), places["--config"]))


def _guarded(command: Callable[[], object], argv: Sequence[str]) -> int:
    """The exit code of a command, its error shown if it has one."""
    session.begin(as_json="--json" in argv)
    try:
        code = command()
    except GetTagsError as error:
        session.fail(error.message, error.hint)
        return error.exit_code
    except typer.exceptions.TyperException as error:
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        session.fail(usage_error_message(said), _("See get-tags --help, and --help after a command."))
        return 2
    except OSError as error:
        session.fail(f"{error.filename or 'A file'}: {error.strerror or error}.", _os_hint(error), traceback=True)
        return 1
    except Exception as error:  # noqa: BLE001  a traceback is for the log, never for the screen
        first_line = str(error).strip().partition("\n")[0]
        message = _(
            "Something went wrong that should not: {name}: {first_line}",
            name=type(error).__name__,
            first_line=first_line,
        )
        session.fail(message, _("This is a fault of get-tags. Please report it, with the log."), traceback=True)
        return 1
    return code if isinstance(code, int) else 0


def _os_hint(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return _("The disk is full. Free some space; then the same command continues, nothing is lost.")
    if isinstance(error, PermissionError):
        return _("Another program may hold it (the API, Explorer, antivirus), or its rights forbid it. Then try again.")
    return _("Check the disk and the folder; then the same command continues.")


HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The home folder; default GET_TAGS_HOME, else C:\\allan or ~/allan.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings over the home's own.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Ask nothing: take the defaults for what no flag answers.")]
IdsOption = Annotated[Path | None, typer.Option("--ids", help="The file with document ids, for --source ids.")]
BaseModelOption = Annotated[str | None, typer.Option("--base-model", help="A BERT by hub name, or a folder.")]
TopKOption = Annotated[int | None, typer.Option("--top-k", help="The k of precision@k, for evaluation only.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
ModelArgument = Annotated[
    str | None, typer.Argument(help="A name under _models, a folder, or live.", show_default=False)
]
NameArgument = Annotated[str, typer.Argument(help="Its name, as the list shows it.")]


@dataclass(frozen=True)
class Job:
    """What all commands share: where, under which settings file, and how to speak."""

    home: Path
    config_path: Path | None

    @classmethod
    def of(cls, home: Path | None, config_path: Path | None, as_json: bool) -> "Job":
        from get_tags_train.core.bootstrap import default_home, expanded
        from get_tags_train.core.home import check_home

        session.console.as_json = as_json
        home = expanded(home).absolute() if home else default_home()
        check_home(home)
        session.home = home
        return cls(home, config_path)

    @property
    def console(self) -> Console:
        return session.console

    def settings(self, *layers: Mapping[str, Mapping[str, Any]], **source: Any) -> "Settings":
        """The settings with these flags and answers over all others."""
        from get_tags_train.core.config import load_settings

        merged: dict[str, dict[str, Any]] = {}
        for layer in layers:
            for section, values in layer.items():
                merged.setdefault(section, {}).update(values)
        session.given = merged
        session.settings = load_settings(self.home, config_path=self.config_path, overrides=merged, **source)
        return session.settings

    def command(self, *words: str) -> str:
        """A command of ours for the same home and under the same settings file."""
        from get_tags_train.cli.shell import command

        config = ["--config", str(self.config_path.expanduser().absolute())] if self.config_path else []
        return command(*words, *config, home=self.home)

    def to_continue(self, data_name: str, *, deploy: bool) -> str:
        """The command that continues a training on these data: what was given or answered, and nothing to ask."""
        words = ["train", "--data", data_name]
        for values in session.given.values():
            for key, value in values.items():
                words += [f"--{key.replace('_', '-')}", str(value)]
        return self.command(*words, *(["--deploy"] if deploy else []), "--yes")


def overrides(**sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The flags that were given, by section and key."""
    given = {name: {key: v for key, v in section.items() if v is not None} for name, section in sections.items()}
    return {name: section for name, section in given.items() if section}


def someone_to_ask(otherwise: str) -> "ModuleType":
    """The wizard, where somebody is there to ask. Raises InputError whose hint is what to do `otherwise`."""
    from get_tags_train.cli import wizard

    if not wizard.can_ask():
        raise InputError(_("There is no terminal to ask in."), otherwise)
    return wizard


def refuse_flags_before(ctx: typer.Context, home: Path | None, config: Path | None, json_: bool) -> None:
    """Raise InputError where a flag stands before the subcommand, which would not hear of it."""
    if home or config or json_:
        raise InputError(
            _("--home, --config and --json stand after the subcommand."),
            _(
                "Write: get-tags {info_name} {invoked_subcommand} ... --home DIR",
                info_name=ctx.info_name,
                invoked_subcommand=ctx.invoked_subcommand,
            ),
        )
