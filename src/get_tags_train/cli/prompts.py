"""How the wizard asks: by arrow keys, or by the number or letter before an answer; arrows fail in some terminals."""

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple, TypeVar

import questionary
from prompt_toolkit.application import create_app_session
from prompt_toolkit.application.current import get_app_session
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.output import create_output
from questionary.prompts.common import InquirerControl

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _

if sys.platform == "win32":
    import msvcrt
else:
    import termios

_T = TypeVar("_T")
_POINTER = ">"
MOST_CHOICES = len(InquirerControl.SHORTCUT_KEYS)


class Choice(NamedTuple):
    """One answer to choose; `unless` is why it cannot be chosen, '' where it can."""

    title: str
    value: Any
    unless: str = ""
    key: str = ""


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return bool(sys.stdin and sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty()))


def require_terminal(hint: str) -> None:
    """Raise InputError where nobody can be asked; `hint` says how to do without."""
    if not can_ask():
        raise InputError(_("There is no terminal to ask in."), hint)


def require_answers(flags: Sequence[str]) -> None:
    """Raise InputError where nobody can be asked; the hint names the flags that would answer."""
    answers = [_("Answer with flags: {flags}.", flags=", ".join(flags))] if flags else []
    require_terminal(" ".join([*answers, _("Add --yes: it takes the defaults for the rest.")]))


def prompts() -> AbstractContextManager[Any]:
    """Where the prompts are drawn: on standard error where standard output is a file or a pipe."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        return nullcontext()
    return create_app_session(output=create_output(stdout=sys.stderr))


def discard_typed() -> None:
    """Throw away what was typed before a question was there to read: long work lies before some."""
    if not (sys.stdin and sys.stdin.isatty()):
        return
    clear_typeahead(get_app_session().input)
    if sys.platform == "win32":
        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def tell(line: str) -> None:
    """A line above the next question; a long one is broken between words."""
    width = shutil.get_terminal_size().columns - 1
    indent = " " * (len(line) - len(line.lstrip(" ")))
    parts: list[str] = []
    for row in line.splitlines():
        # A path is broken by the terminal alone: whoever copies it gets it whole.
        parts += wrap(row, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    questionary.print("\n".join(parts))


def choose(question: str, choices: Iterable[Choice], default: object = None) -> Any:
    """The value of the answer that is chosen; at first the pointer stands at the value `default`."""
    offered = [
        questionary.Choice(c.title, c.value, disabled=c.unless or None, shortcut_key=c.key or True) for c in choices
    ]
    return questionary.select(
        question,
        choices=offered,
        default=next((choice for choice in offered if choice.value == default and not choice.disabled), None),
        pointer=_POINTER,
        use_shortcuts=True,
        instruction=_("(arrows or the key shown, Enter)"),
    ).unsafe_ask()


def agree(question: str, *, default: bool) -> bool:
    """Yes or no."""
    yes, no = Choice(_("Yes"), True, key=_("y")), Choice(_("No"), False, key=_("n"))
    return bool(choose(question, [yes, no], default))


def type_value(question: str, default: str, check: Callable[[str], bool | str]) -> str:
    """What is typed, once `check` has nothing to say against it; nothing typed is `default`, shown in grey."""

    def check_typed(text: str) -> bool | str:
        return check(text.strip() or default)

    offered = FormattedText([("fg:ansibrightblack", default)])
    return str(questionary.text(question, validate=check_typed, placeholder=offered).unsafe_ask()).strip() or default


def type_path(question: str, default: str, check: Callable[[str], bool | str]) -> Path:
    """A path, completed by Tab."""
    return Path(questionary.path(question, default=default, validate=check).unsafe_ask()).expanduser()
