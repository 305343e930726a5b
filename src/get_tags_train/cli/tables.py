"""Results as people read them: tables and sentences, drawn by console.py."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE, SQUARE
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from get_tags_train.core.i18n import (
    N_,
    _,
    display_name,
    documents,
    format_duration,
    format_minutes,
    number,
    tags_of,
)

if TYPE_CHECKING:
    from get_tags_train.core.settings import Settings
    from get_tags_train.maintenance.estimate import RunEstimate


_STATUSES = {"ok": ("green", N_("ok")), "warning": ("yellow", N_("warning")), "error": ("bold red", N_("error"))}


class Listing:
    """A table of texts; where a terminal is too narrow for whole words, a block of lines for each row."""

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
        self._columns, self._title = columns, title
        self._rows = [[str(cell) for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if widths := self._widths(options.max_width):
            yield self._as_table(widths)
        else:
            yield from self._as_blocks()

    def _widths(self, room: int) -> list[int]:
        """The width of each column, the widest ones shortened first and no word broken; empty where that cannot be."""
        texts = [[column, *(row[place] for row in self._rows)] for place, column in enumerate(self._columns)]
        widths = [max(map(cell_len, own)) for own in texts]
        longest_words = [max(cell_len(word) for text in own for word in text.split() or [""]) for own in texts]
        room -= 3 * len(widths) + 1  # the frame
        while sum(widths) > room:
            spare = [width if width > least else 0 for width, least in zip(widths, longest_words, strict=True)]
            if not any(spare):
                return []
            widths[spare.index(max(spare))] -= 1
        return widths

    def _as_table(self, widths: Sequence[int]) -> Table:
        drawn = Table(title=escape(self._title) if self._title else None, title_justify="left", box=SQUARE)
        for column, width in zip(self._columns, widths, strict=True):
            drawn.add_column(escape(column), width=width)
        for row in self._rows:
            drawn.add_row(*map(escape, row))
        return drawn

    def _as_blocks(self) -> Iterator[RenderableType]:
        if self._title:
            yield escape(self._title)
        for first, *rest in self._rows:
            yield f"[bold]{escape(f'{self._columns[0]} {first}'.strip())}[/]"
            block = Table.grid(padding=(0, 1))
            for column_overflow in ("ellipsis", "fold", "fold"):
                block.add_column(overflow=column_overflow)
            for column, cell in zip(self._columns[1:], rest, strict=True):
                if cell:
                    block.add_row("", escape(column), escape(cell))
            yield block


Line = str | Table | Panel | Listing


def facts(title: str, entries: Mapping[str, object]) -> Table:
    """Names and values, a row each."""
    drawn = Table(title=escape(title), title_justify="left", show_header=False, box=SIMPLE if title else None)
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in entries.items():
        drawn.add_row(escape(name), escape(str(value)))
    return drawn


def checks_table(checks: Iterable[tuple[str, str, str, str]]) -> Table:
    """(name, status, message, hint) of each check, in the colour of its status."""
    drawn = Table(box=SQUARE)
    for column in (_("Check"), "", _("What was found")):
        drawn.add_column(column, overflow="fold")
    for name, status, message, hint in checks:
        style, said = _STATUSES[status]
        advice = _("What to do:")
        what_to_do = f"\n[dim]{advice}[/] {escape(hint)}" if hint else ""
        drawn.add_row(escape(_(name)), f"[{style}]{_(said)}[/]", escape(message) + what_to_do)
    return drawn


def data_facts(data: Mapping[str, Any]) -> Table:
    """Prepared data at the end of an extraction."""
    parts = ", ".join(f"{display_name(part)} {format_duration(seconds)}" for part, seconds in data["parts"].items())
    time = _("{duration}; side by side {parts}", duration=format_duration(data["seconds"]), parts=parts)
    return facts(_("Done"), data_entries(data) | {_("Checksum"): data["checksum"], _("Time"): time})


def summary(settings: "Settings", outlook: "RunEstimate", deploy: bool | None) -> Panel:
    """What is about to happen."""
    source, training = settings.source, settings.training
    chosen = {
        "database": _("all of the database"),
        "ids": _("those named in {ids_path}", ids_path=source.ids_path),
        "cached": _("prepared earlier as {data_name}", data_name=source.data_name or _("the newest data")),
    }[source.kind]
    if outlook.documents is not None:
        count = documents(outlook.documents)
        chosen += ", " + (_("about {documents}", documents=count) if source.kind == "database" else count)
    live = {True: _("when done"), False: _("no"), None: _("you are asked after the evaluation")}
    entries = {
        _("Documents"): chosen,
        _("Base model"): settings.base_model,
        _("Epochs"): training.epochs,
        _("Batch size"): training.batch_size,
        _("Context length"): training.context_length,
        _("Evaluation"): _evaluated_on(settings),
        _("Goes live"): live[deploy],
        _("Takes about"): _expected_time(outlook),
        _("Prepared data"): outlook.data_path,
        _("Model and report"): outlook.models_path,
        _("Log"): outlook.logs_path,
    }
    return Panel(facts("", entries), title=_("About to start"), box=SQUARE, expand=False)


def _evaluated_on(settings: "Settings") -> str:
    top_k, samples_path = settings.evaluation.top_k, settings.samples_path
    if samples_path.exists():
        return _("precision@1 to precision@{top_k} on {samples_path}", top_k=top_k, samples_path=samples_path)
    return _(
        "precision@1 to precision@{top_k} on held-out documents, as there are no test samples ({samples_path})",
        top_k=top_k,
        samples_path=samples_path,
    )


def _expected_time(outlook: "RunEstimate") -> str:
    parts = []
    if outlook.data_seconds:
        parts.append(
            _("data {duration} (as {name} took)", duration=format_minutes(outlook.data_seconds), name=outlook.data_like)
        )
    elif outlook.changed_since:
        parts.append(_("data: only documents that changed since {name} are read", name=outlook.changed_since))
    if outlook.training_seconds:
        parts.append(
            _(
                "training {duration} (as {name} took)",
                duration=format_minutes(outlook.training_seconds),
                name=outlook.model_like,
            )
        )
    else:
        parts.append(_("training: shown once it has begun, as no earlier run is comparable"))
    return "; ".join(parts)


def data_entries(data: Mapping[str, Any]) -> dict[str, object]:
    """What every view of prepared data begins with."""
    dropped = ", ".join(f"{number(count)} {display_name(reason)}" for reason, count in data["dropped"].items() if count)
    said = _(
        "{name}: {kept:,} of {read}, {tags}",
        name=data["name"],
        kept=data["documents_kept"],
        read=documents(data["documents_read"]),
        tags=tags_of(data["tags"]),
    )
    left_out = " " + _("(left out: {dropped})", dropped=dropped) if dropped else ""
    return {_("Data"): said + left_out, _("Data folder"): data["path"]}
