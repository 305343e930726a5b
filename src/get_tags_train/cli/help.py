"""Help and usage errors in the reader's language; typer itself speaks English."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from typer import Context, rich_utils
from typer.core import TyperGroup
from typer.exceptions import TyperException

from get_tags_train.cli.shell import command_line
from get_tags_train.core.i18n import N_, Command, _, validation_message

# What typer prints around the help texts, by the name it has there.
_FRAME = {
    "ARGUMENTS_PANEL_TITLE": N_("Arguments"),
    "OPTIONS_PANEL_TITLE": N_("Options"),
    "COMMANDS_PANEL_TITLE": N_("Commands"),
    "DEFAULT_STRING": N_("[default: {}]"),
    "REQUIRED_LONG_STRING": N_("[required]"),
}
_HELP = N_("Show this message and exit.")
HELP_FLAGS = ["-h", "--help"]
# Of the flags that typer adds.
_FLAGS = [
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
]
# What it says of a command line that it does not understand, and how we say it.
_COMPLAINTS = [
    (r"No such command (?P<name>.+?)\. Did you mean (?P<near>.*?)\?", N_("There is no {name}; there is {near}.")),
    (r"No such command (?P<name>.+?)\.", N_("There is no {name}.")),
    (r"Missing command\.", N_("The command is missing.")),
    (r"Missing (argument|option|parameter):? '?(?P<name>[^']*)'?.*", N_("{name} is missing.")),
    (r"Option '(?P<name>.*)' requires an argument\.", N_("{name} needs a value.")),
    (r"Option '(?P<name>.*)' does not take a value\.", N_("{name} takes no value.")),
    (r"Got unexpected extra argument\S* \((?P<name>.*)\)", N_("{name} is one argument too many.")),
]


_LONG_OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?", re.DOTALL)  # which no text or name is


def translate(command: Any) -> None:
    """Put a command's help, and that of all below it, into the reader's language."""
    for name, text in _FRAME.items():
        setattr(rich_utils, name, _(text))
    _translate(command, Context(command, help_option_names=HELP_FLAGS))


def _translate(command: Any, ctx: Context) -> None:
    usage = command.get_usage
    command.get_usage = lambda ctx: usage(ctx).replace("Usage:", _("Usage:"), 1)
    for described in (command, *command.params):
        if described.help:
            described.help = _(described.help)
    if option := command.get_help_option(ctx):
        option.help = _(_HELP)
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            _translate(below, ctx)


def usage_error(error: TyperException, argv: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a command line, in our words (in typer's own where we have none), and what to do."""
    hint = _("See {help}, and --help after a command.", help=Command("--help"))
    option, ctx = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if not option:
        return _usage_error_message(error), hint
    word = next((word for word in argv if _is_meant(word, option)), option)
    may_be_name = not _LONG_OPTION.fullmatch(word)
    if ctx and may_be_name and any(parameter.param_type_name == "argument" for parameter in ctx.command.params):
        example = command_line(_with_names_last(argv, argv.index(word) if word in argv else 0, ctx))
        said = _("A text or a name that begins with a dash goes last, after two dashes: {example}", example=example)
        hint = f"{hint}\n{said}"
    if not hasattr(error, "possibilities"):
        return _usage_error_message(error), hint
    if near := ", ".join(sorted(error.possibilities or [])):
        return _("There is no option {name}; there is {near}.", name=word, near=near), hint
    return _("There is no option {name}.", name=word), hint


def _with_names_last(argv: Sequence[str], first: int, ctx: Context) -> list[str]:
    """The words of a command line, those from `first` on that look like options and are none after two dashes."""
    known = {flag for parameter in ctx.command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    names = {place for place in range(first, len(argv)) if argv[place][0:1] == "-" and argv[place] not in known}
    rest = [word for place, word in enumerate(argv) if place not in names]
    return [*rest, "--", *(argv[place] for place in sorted(names))]


def _is_meant(word: str, option: str) -> bool:
    """Whether typer means this word of a command line; of one after a single dash it names a letter only."""
    is_cluster = len(option) == 2 and word[:1] == "-" != word[1:2]
    return word.startswith(option) or (is_cluster and option[1] in word)


def _usage_error_message(error: TyperException) -> str:
    message = error.format_message()
    if isinstance(refused := error.__cause__, ValidationError):
        option = message.removeprefix("Invalid value for ").partition(":")[0].strip("'")
        return _("{name}: {reason}.", name=option, reason=_why_refused(refused))
    for pattern, text in _COMPLAINTS:
        if found := re.fullmatch(pattern, message.strip(), re.DOTALL):
            return _(text, **{key: value.strip("'") for key, value in found.groupdict().items()})
    return message.strip()


def _why_refused(error: ValidationError) -> str:
    problem = error.errors()[0]
    value, is_choice, choices = str(problem.get("ctx", {}).get("error", "")).rstrip(".").partition(" is not one of ")
    if is_choice:
        return _("{value} is not one of {choices}", value=value, choices=choices)
    return validation_message(problem)
