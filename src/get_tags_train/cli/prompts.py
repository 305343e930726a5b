"""How questions are asked: by arrow keys, or by the key before an answer, for arrows fail in some terminals."""

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import questionary
from prompt_toolkit.application import create_app_session
from prompt_toolkit.application.current import get_app, get_app_session
from prompt_toolkit.filters import Always, Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import create_output

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _

if sys.platform == "win32":
    import msvcrt
else:
    import termios

_POINTER = ">"
_BACK = "<"  # besides Esc, which some terminals keep for themselves
_MOST_KEYS = 36  # digits and letters
_ROWS_AROUND = 5  # of a list: what is said above, its question, and the last row, which is never written
_BEFORE_CHOICE = 6  # columns, for the pointer and the key


class GoBack(Exception):
    """Somebody wants to give another answer: to the question called `to`, else to the one before this."""

    def __init__(self, to: str = "") -> None:
        super().__init__(to)
        self.to = to


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


def choose(question: str, choices: Iterable[Choice], default: object = None, *, can_go_back: bool = True) -> Any:
    """The value of the answer that is chosen; at first the pointer stands at the value `default`.

    What does not fit on the screen is found by typing a part of it. Raises GoBack.
    """
    titles = [(c, _broken(f"{c.title} ({c.unless})" if c.unless else c.title, _BEFORE_CHOICE)) for c in choices]
    rows = sum(title.count("\n") + 1 for _choice, title in titles)
    is_long = len(titles) > _MOST_KEYS or rows > shutil.get_terminal_size().lines - _ROWS_AROUND
    if is_long:  # a search would find what cannot be chosen, too
        titles = [(choice, title) for choice, title in titles if not choice.unless]
    offered = [
        questionary.Choice(title, c.value, disabled=True if c.unless else None, shortcut_key=c.key or True)  # type: ignore[arg-type]
        for c, title in titles
    ]
    instruction = _instruction(len(titles), is_long=is_long, can_go_back=can_go_back)
    asked = questionary.select(
        question,
        choices=offered,
        default=next((choice for choice in offered if choice.value == default and not choice.disabled), None),
        pointer=_POINTER,
        use_shortcuts=not is_long,
        use_search_filter=is_long,
        use_jk_keys=False,
        instruction=_below(question, instruction),
    )
    return _ask(asked, back_keys=[] if not can_go_back else ["escape"] if is_long else ["escape", _BACK])


def agree(question: str, *, default: bool, can_go_back: bool = False) -> bool:
    """Yes or no."""
    yes, no = Choice(_("Yes"), True, key=_("y")), Choice(_("No"), False, key=_("n"))
    return bool(choose(question, [yes, no], default, can_go_back=can_go_back))


def type_value(question: str, default: str, check: Callable[[str], bool | str]) -> str:
    """What is typed, once `check` has nothing to say against it; nothing typed is `default`, shown in grey.

    Raises GoBack.
    """

    def check_typed(text: str) -> bool | str:
        return check(text.strip() or default)

    offered = FormattedText([("fg:ansibrightblack", default)])
    asked = questionary.text(question, validate=check_typed, placeholder=offered)
    return str(_ask(asked, back_keys=["escape", _BACK])).strip() or default


def type_secret(question: str) -> str:
    """What is typed, shown as stars; it may be nothing. Raises GoBack."""
    return str(_ask(questionary.password(question), back_keys=["escape"]))


def type_path(question: str, default: str, check: Callable[[str], bool | str]) -> Path:
    """A path, completed by Tab. Raises GoBack."""
    asked = questionary.path(question, default=default, validate=check)
    return Path(_ask(asked, back_keys=["escape", _BACK])).expanduser()


def _ask(question: questionary.Question, back_keys: Sequence[str]) -> Any:
    """The answer; long lines are broken, not cut, and these keys go back."""
    going_back = KeyBindings()

    @Condition
    def nothing_typed() -> bool:
        return not get_app().current_buffer.text

    for key in back_keys:

        @going_back.add(key, eager=True, filter=Always() if key == "escape" else nothing_typed)
        def go_back(event: Any) -> None:
            event.app.erase_when_done = True
            event.app.exit(exception=GoBack())

    app = question.application
    app.key_bindings = merge_key_bindings([app.key_bindings or KeyBindings(), going_back])
    for window in app.layout.find_all_windows():
        window.wrap_lines = Always()
        if isinstance(window.content, FormattedTextControl) and window.height == 1:
            window.height, window.dont_extend_height = None, Always()  # why an answer is refused may be long
    return question.unsafe_ask()


def _instruction(count: int, *, is_long: bool, can_go_back: bool) -> str:
    keys = (
        _("{count} answers: type a part of one, or use the arrows; Enter", count=count)
        if is_long
        else _("arrows or the key shown, Enter")
    )
    back = _("Esc goes back")
    return f"({keys}; {back})" if can_go_back else f"({keys})"


def _broken(text: str, indent: int) -> str:
    """A text on lines that fit on the screen, broken between words, those after the first indented."""
    room = shutil.get_terminal_size().columns - 1 - indent
    return f"\n{' ' * indent}".join(wrap(text, max(room, 1), break_on_hyphens=False)) or text


def _below(question: str, instruction: str) -> str:
    """The instruction as it stands after the question: on a line of its own where one is too short for both."""
    fits = len(question) + len(instruction) + 4 < shutil.get_terminal_size().columns
    return instruction if fits else "\n  " + _broken(instruction, 2)
