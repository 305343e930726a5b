"""What people see: progress, results, tables and errors, drawn with rich."""

import codecs
import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.text import Text

from get_tags_train.cli.progress import STAGES, Progress
from get_tags_train.cli.shell import is_command, split_command
from get_tags_train.cli.tables import Line
from get_tags_train.core.events import EpochFinished, Event, Notice, StageFinished, StageProgress, StageStarted
from get_tags_train.core.i18n import _, format_duration, number

# What stands for a sign that a code page lacks, the first that it has; accents are left off where nothing else helps.
_NEAREST = {
    "ș": "ş", "Ș": "Ş", "ț": "ţ", "Ț": "Ţ", "→": ">", "±": "~", "–": "-", "—": "-", "…": ".", "█": "#", "░": ".",
    "„": '"', "”": '"', "“": '"', "’": "'", "›": ">", "»": ">", "●": "*", "❯": ">",
    "─": "-", "│": "|", "━": "-", "┃": "|", "╸": "-", "╺": "-", "═": "=", "║": "|",
}  # fmt: skip
_CORNERS = range(0x250C, 0x2580)


def nearest(encoding: str) -> str:
    """The name of a codec's error handler that writes what a code page lacks in signs that it has."""

    def write(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        lacking = error.object[error.start : error.end]
        return "".join(_in_code_page(sign, encoding) for sign in lacking), error.end

    name = f"get_tags_nearest_{encoding}"  # the error itself names no code page
    codecs.register_error(name, write)
    return name


def _in_code_page(sign: str, encoding: str) -> str:
    plain = unicodedata.normalize("NFKD", sign)[:1]
    for candidate in (_NEAREST.get(sign, sign), plain):
        try:
            candidate.encode(encoding)
        except UnicodeEncodeError:
            continue
        return candidate
    return "+" if ord(sign) in _CORNERS else "?"


class Console:
    """Progress and notices on standard error; results on standard output, as tables or as one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a redirected stream is cp1252 on Windows
                encoding = stream.encoding if stream.isatty() else "utf-8"
                stream.reconfigure(encoding=encoding, errors=nearest(encoding))
        self.as_json = as_json
        self._err = RichConsole(stderr=True, highlight=False)
        self._out = RichConsole(highlight=False, stderr=as_json)
        self._progress: Progress | None = None
        self._quiet = False

    def on_event(self, event: Event) -> None:
        """Draw one event; without a terminal, a plain line now and then."""
        match event:
            case StageStarted() | StageProgress() | StageFinished() if self._quiet:
                return
            case Notice(message, level):
                style = "yellow" if level == "warning" else "cyan"
                self._err.print(f"[{style}]{'!' if level == 'warning' else 'i'}[/] {escape(message)}")
            case StageStarted():
                self._stop()
                self._progress = Progress(self._err, event)
            case StageProgress():
                if self._progress is not None:
                    self._progress.advance(event)
            case EpochFinished():
                self._err.print(_epoch_line(event))
            case StageFinished(stage, seconds):
                self._stop()
                done, name = _("done"), _(STAGES[stage]) if stage in STAGES else stage
                self._err.print(f"[green]{done}[/] {escape(name)}, {format_duration(seconds)}")

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def say(self, message: str) -> None:
        """A line for the person at the keyboard."""
        _print(self._err, message)

    def result(self, value: Any, lines: Iterable[Line] = ()) -> None:
        """The command's result: `value` as JSON, or `lines` for people."""
        self._stop()
        if self.as_json:
            sys.stdout.write(json.dumps(value) + "\n")
            sys.stdout.flush()  # `serve` goes on, and whoever started it waits for the address
            return
        for line in lines:
            _print(self._out, line)

    def write(self, pieces: Iterable[str]) -> None:
        """A result that may be long, piece by piece as it comes; on a terminal it is its own progress."""
        stream = sys.stdout  # before a progress bar puts itself in front of it
        self._quiet = stream.isatty()
        for piece in pieces:
            stream.write(piece)
        self._stop()
        stream.flush()

    def write_whole(self, pieces: Iterable[str]) -> None:
        """As `write`, but nothing at all where it fails on the way."""
        stream = sys.stdout
        with TemporaryFile("w+", encoding="utf-8") as spool:
            spool.writelines(pieces)
            self._stop()
            spool.seek(0)
            shutil.copyfileobj(spool, stream)

    def show(self, lines: Iterable[Line]) -> None:
        """Something to read before a question."""
        self._stop()
        for line in lines:
            _print(self._err, line)

    def error(self, message: str, hint: str, log: object = None) -> None:
        """What went wrong and what to do, for people on standard error; with --json also as the result."""
        self._stop()
        if self.as_json:
            sys.stdout.write(json.dumps({"error": {"message": message, "hint": hint}}) + "\n")
        wrong, advice = _("Error:"), _("What to do:")
        _print(self._err, message, before=f"[bold red]{wrong}[/] ")
        if hint:
            _print(self._err, hint, before=f"[bold]{advice}[/] ")
        if log:
            self._err.print(escape(_("The log of this run: {log}", log=log)))


def _print(console: RichConsole, line: Line, *, before: str = "") -> None:
    """Print what is to be read; the terminal alone breaks a command, which is then copied whole."""
    if not isinstance(line, str):
        console.print(line)
        return
    for part in line.splitlines() or [""]:
        words, command = split_command(part)
        if not command or Text.from_markup(before + escape(part)).cell_len <= console.width:
            console.print(before + escape(part), soft_wrap=is_command(part))
        else:
            console.print(before + escape(words))
            console.print(escape(command), soft_wrap=True)
        before = ""


def _epoch_line(event: EpochFinished) -> str:
    scores = [f"P@{k} {number(value, '.3f')}" for k, value in enumerate(event.precision_at_k, start=1)]
    figures = ", ".join([_("loss {loss:.4f}", loss=event.loss), *scores])
    place = _("epoch {epoch} of {epochs}", epoch=event.epoch, epochs=event.epochs)
    return f"[green]{place}[/] {escape(figures)}"
