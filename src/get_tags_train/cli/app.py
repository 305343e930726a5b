"""The frame of all commands: the flags they share, and the one place where errors become exit codes."""

import errno
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from get_tags_train.cli.help import HELP_FLAGS, translate, usage_error
from get_tags_train.cli.session import Session
from get_tags_train.cli.shell import pip_command
from get_tags_train.core.bootstrap import default_home, expanded
from get_tags_train.core.errors import GetTagsError, InputError, InterruptedByUser
from get_tags_train.core.home import check_path, data_names, model_names
from get_tags_train.core.i18n import N_, _, set_command_style

# What Windows says of a library that is missing, too old, or cannot start.
_LIBRARY_ERRORS = (126, 127, 1114)

_Function = TypeVar("_Function", bound=Callable[..., None])


def _home_of(ctx: typer.Context) -> Path:
    """The home of a command line that is still being typed."""
    home: Path | None = ctx.params.get("home")
    return expanded(home).absolute() if home else default_home()


def complete_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """The models whose names begin so, for the shell."""
    return [name for name in ["live", *model_names(_home_of(ctx))] if name.startswith(incomplete)]


def complete_data(ctx: typer.Context, incomplete: str) -> list[str]:
    """The prepared data whose names begin so, for the shell."""
    return [name for name in data_names(_home_of(ctx)) if name.startswith(incomplete)]


YesOption = Annotated[bool, typer.Option("--yes", help="Ask nothing: take the defaults for what no flag answers.")]
IdsOption = Annotated[Path | None, typer.Option("--ids", help="The file with document ids, for --source ids.")]
FullOption = Annotated[
    bool, typer.Option("--full", help="Read all texts, also those whose version says that they have not changed.")
]
BaseModelOption = Annotated[str | None, typer.Option("--base-model", help="A BERT by hub name, or a folder.")]
TopKOption = Annotated[int | None, typer.Option("--top-k", help="The k of precision@k, for evaluation only.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
NAME_HELP = N_("Its name, as the list shows it.")
ModelArgument = Annotated[
    str | None,
    typer.Argument(help="A name under _models, a folder, or live.", show_default=False, autocompletion=complete_models),
]


def _shared(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="The home folder; default GET_TAGS_HOME, else C:\\allan or ~/allan.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file of settings over the home's own.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> Session:
    """What every command takes; returns the session it works in."""
    session: Session = ctx.obj
    session.use(home, config, as_json=json_)
    for path in filter(None, (session.home, session.config_path)):
        check_path(path)
    return session


class App(typer.Typer):
    """Commands whose first parameter is the Session; --home, --config and --json come with it."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[_Function], _Function]:
        """Add a command."""

        def add(function: _Function) -> _Function:
            @wraps(function)
            def run(ctx: typer.Context, *, home: Any, config: Any, json_: Any, **own: Any) -> None:
                session = _shared(ctx, home, config, json_)
                for path in (value for value in own.values() if isinstance(value, Path)):
                    check_path(path)
                function(session, **own)

            register(_with_shared_flags(run, function))
            return function

        register = super().command(name, **options)
        return add

    def callback(self, **options: Any) -> Callable[[_Function], _Function]:
        """Add what a group does when no subcommand is named."""

        def add(function: _Function) -> _Function:
            @wraps(function)
            def run(ctx: typer.Context, *, home: Any, config: Any, json_: Any) -> None:
                if ctx.invoked_subcommand is None:
                    function(_shared(ctx, home, config, json_))
                elif home or config or json_:  # the subcommand would not hear of them
                    raise InputError(
                        _("--home, --config and --json go after the subcommand."),
                        _("Write: {words} ... --home DIR", words=f"{ctx.command_path} {ctx.invoked_subcommand}"),
                    )

            register(_with_shared_flags(run, function))
            return function

        register = super().callback(invoke_without_command=True, **options)
        return add


def _with_shared_flags(run: Callable[..., None], function: Callable[..., None]) -> Callable[..., None]:
    """Tell typer that `run` takes what `function` takes after its session, and what all commands share."""
    _session, *own = inspect.signature(function).parameters.values()
    ctx, *shared = inspect.signature(_shared).parameters.values()
    parameters = [ctx, *own, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


class RunsByDefault(TyperGroup):
    """A group whose first command is meant where none is named: `judge MODEL` is `judge draw MODEL`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name where it was left out."""
        if not args or (args[0] not in self.commands and args[0] not in HELP_FLAGS):
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the commands, then the arguments and options of the first, as they stand after the group's name."""
        super().format_help(ctx, formatter)
        first = next(iter(self.commands.values()))
        own = typer.Context(first, parent=ctx.parent, info_name=ctx.info_name, help_option_names=HELP_FLAGS)
        first.format_help(own, formatter)


class CommandGroup(TyperGroup):
    """Every way a command can end, as an exit code and a message."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run the command line; errors become exit codes here and nowhere else."""
        argv = list(sys.argv[1:] if args is None else args)
        session = Session.of_command_line(argv)
        translate(self)
        run = super().main
        try:
            code = _guarded(session, argv, lambda: run(argv, standalone_mode=False, obj=session, **extra))
        finally:
            set_command_style(str)  # whoever goes on in this process stands elsewhere
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Run a command; typer alone would end Ctrl-C and Ctrl-D without a word."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, EOFError):
            raise InterruptedByUser(_("Interrupted."), _after_interrupt(ctx.obj)) from None


def _after_interrupt(session: Session) -> str:
    """What is left of an interrupted command."""
    if session.log_path is None:
        return _("Nothing was started.")
    if session.resumed_by is None:
        return _("What was done is kept.")
    return _("What was done is kept. To continue:\n{command}", command=session.resumed_by)


def _guarded(session: Session, argv: Sequence[str], command: Callable[[], object]) -> int:
    """The exit code of a command, its error shown if it has one."""
    try:
        code = command()
    except GetTagsError as error:
        session.fail(error.message, error.hint)
        return error.exit_code
    except typer.exceptions.TyperException as error:
        session.fail(*usage_error(error, argv))
        return 2
    except Exception as error:  # noqa: BLE001  a traceback is for the log, never for the screen
        session.fail(*_describe(error), traceback=True)
        return 1
    return code if isinstance(code, int) else 0


def _describe(error: Exception) -> tuple[str, str]:
    """What failed that no stage has words for, and what to do."""
    first_line = str(error).strip().partition("\n")[0]
    if _lacks_library(error):
        return _("A library cannot be loaded: {first_line}", first_line=first_line), _(
            "Microsoft's Visual C++ runtime is missing or too old. To install it without an administrator's rights:\n"
            "{command}\nOr have an administrator install {url}.",
            command=pip_command("msvc-runtime"),
            url="https://aka.ms/vc14/vc_redist.x64.exe",
        )
    if isinstance(error, OSError):
        return f"{error.filename or 'A file'}: {error.strerror or error}.", _os_hint(error)
    message = _("Internal error: {name}: {first_line}", name=type(error).__name__, first_line=first_line)
    return message, _("This is a bug in get-tags. Please report it, with the log.")


def _lacks_library(error: Exception) -> bool:
    """Whether Windows could not load a library: most of torch's need a runtime that Windows itself does not have."""
    if isinstance(error, ImportError):
        return str(error).startswith("DLL load failed")
    return getattr(error, "winerror", None) in _LIBRARY_ERRORS or "or one of its dependencies" in str(error)


def _os_hint(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return _("The disk is full. Free some space and run the same command again: it resumes, nothing is lost.")
    if isinstance(error, PermissionError):
        return _("Another program may be using it (the API, Explorer, antivirus), or you lack the rights. Try again.")
    return _("Check the disk and the folder, then run the same command again: it resumes.")
