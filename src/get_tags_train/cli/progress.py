"""How far a stage is: drawn in place on a terminal, of any width; elsewhere a plain line now and then."""

from textwrap import TextWrapper
from time import monotonic

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from get_tags_train.core.events import StageProgress, StageStarted
from get_tags_train.core.i18n import N_, _, counted, display_name, format_duration, number

STAGES = {
    "ids": N_("Listing the documents"),
    "compare": N_("Looking for documents that have not changed"),
    "extract": N_("Reading and preparing documents"),
    "join": N_("Joining duplicates, numbering tags"),
    "set_aside": N_("Looking for test samples and near-duplicates"),
    "train": N_("Training"),
    "baseline": N_("Training the linear baseline"),
    "evaluate": N_("Evaluating"),
    "deploy": N_("Deploying the model"),
    "predict": N_("Predicting tags"),
    "out_of_fold": N_("Scoring documents by the others"),
    "judge": N_("Comparing the tags of the two models"),
}
_PLAIN_LINE_SECONDS = 15.0
_REDRAWN_A_SECOND = 4
# A bar of these is in the fonts and code pages of every Windows console.
_DONE, _TO_DO = "█", "░"
_LONGEST_BAR, _SHORTEST_BAR = 30, 8
# An estimate from less than this is worth nothing.
_TRUSTED_SECONDS = 2.0


class Progress:
    """One stage at work."""

    def __init__(self, console: Console, started: StageStarted) -> None:
        self.stage = _(STAGES[started.stage]) if started.stage in STAGES else started.stage
        self.total, self.unit = started.total, started.unit
        self.done, self.note = 0, ""
        self.seconds_left: float | None = None
        self.began = self._last_line = monotonic()
        self._first: tuple[int, float] | None = None
        self._console = console
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(self, console=console, transient=True, refresh_per_second=_REDRAWN_A_SECOND)
            self._live.start()
        elif self.total is None:
            console.print(f"{self.stage} ...", markup=False)
        else:
            console.print(f"{self.stage}: {counted(self.total, self.unit)} ...", markup=False)

    def advance(self, event: StageProgress) -> None:
        """Take in how far the work is."""
        self.done, self.note = event.done, event.note
        now = monotonic()
        if self._first is None:
            self._first = event.done, now
        self.seconds_left = event.seconds_left if event.seconds_left is not None else self._estimate(now)
        if self._live is None and now - self._last_line > _PLAIN_LINE_SECONDS:
            self._last_line = now
            said = [f"{self.stage}: {self._how_much()}", self.note, self._left()]
            self._console.print(", ".join(filter(None, said)), markup=False)

    def stop(self) -> None:
        """Wipe the display; what follows stands in its place."""
        if self._live is not None:
            self._live.stop()

    def lines(self, width: int) -> list[str]:
        """What is drawn: the stage, how much of it is done, how fast; no line is longer than `width`."""
        if self.total is None:
            spent = format_duration(monotonic() - self.began)
            return _wrapped(f"{self.stage}, {spent}", width) + _wrapped(self.note, width)
        share = min(self.done / self.total, 1.0) if self.total else 1.0
        said = f"{number(share, '.0%'):>4}  " + ", ".join(filter(None, [self._how_much(), self._left()]))
        room = min(width - len(said) - 1, _LONGEST_BAR)
        filled = round(room * share)
        bar = [f"{_DONE * filled}{_TO_DO * (room - filled)} {said}"] if room >= _SHORTEST_BAR else _wrapped(said, width)
        return [*_wrapped(self.stage, width), *bar, *_wrapped(self.note, width)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, *rest = self.lines(options.max_width)
        yield Text(first, style="bold", overflow="crop")
        for line in rest:
            yield Text(line, overflow="crop")

    def _how_much(self) -> str:
        if self.total is None:
            return counted(self.done, self.unit)
        return _("{done:,} of {total:,} {unit}", done=self.done, total=self.total, unit=display_name(self.unit))

    def _left(self) -> str:
        return "" if self.seconds_left is None else _("{duration} left", duration=format_duration(self.seconds_left))

    def _estimate(self, now: float) -> float | None:
        assert self._first is not None
        done, since = self.done - self._first[0], now - self._first[1]
        if not self.total or not done or since < _TRUSTED_SECONDS:
            return None
        return max(self.total - self.done, 0) * since / done


def _wrapped(text: str, width: int) -> list[str]:
    return TextWrapper(width, break_on_hyphens=False).wrap(text)
