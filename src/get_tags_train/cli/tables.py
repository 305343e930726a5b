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
    _n,
    display_name,
    documents,
    format_duration,
    format_minutes,
    interval_text,
    number,
    tags_of,
)

if TYPE_CHECKING:
    from get_tags_train.core.settings import Settings
    from get_tags_train.maintenance.estimate import RunEstimate


_SHOWN = 5
_SHOWN_TAGS = 20
_RIVALS = {"live": N_("live model"), "baseline": N_("linear baseline")}
_BRIEFLY = {"newest": "newest held-out documents", "rare": "test samples chosen for rare tags"}
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


def evaluation_lines(evaluation: Mapping[str, Any]) -> list[Line]:
    """An evaluation as people read it, in short; report.html has the rest."""
    lines = _set_lines(evaluation, display_name("test samples"))
    if held_out := evaluation.get("held_out"):
        lines += _set_lines(held_out, display_name("held-out documents"))
    lines += [_brief(evaluation[key], display_name(name)) for key, name in _BRIEFLY.items() if evaluation.get(key)]
    return lines + comparison_lines(evaluation)


def _set_lines(figures: Mapping[str, Any], name: str) -> list[Line]:
    intervals = figures.get("intervals", {})
    columns = {
        "precision@k": figures["precision_at_k"],
        "95 %": {k: _interval(*ends) for k, ends in intervals.get("precision_at_k", {}).items()},
        _("best possible"): figures.get("best_possible_precision_at_k"),
        _("BERT alone"): (figures.get("bert_alone") or {}).get("precision_at_k"),
        **{_rival(c): c["rival_precision_at_k"] for c in figures.get("comparisons", [])},
        _("always the most frequent"): figures["most_frequent_precision_at_k"],
    }
    shown = {title: values for title, values in columns.items() if values}
    rows = [
        [k, *(v[k] if isinstance(v[k], str) else number(v[k], ".3f") for v in shown.values())]
        for k in figures["precision_at_k"]
    ]
    title = _("Evaluation on {examples} {name}", examples=figures["examples"], name=name)
    lines: list[Line] = [Listing(["k", *shown], rows, title)]
    if intervals:
        lines.append(_other_figures(figures))
    if count := figures["examples_without_tags"]:
        said = _n(
            "{count} example has no labels and was left out.",
            "{count} examples have no labels and were left out.",
            count,
        )
        lines.append(said)
    if unknown := figures["unknown_tags"]:
        listed = first_of([f"{tag} ({count})" for tag, count in unknown.items()], shown=_SHOWN_TAGS, joined=", ")
        said = _n(
            "{count} true tag is not known to the model and counts as missed: {named}.",
            "{count} true tags are not known to the model and count as missed: {named}.",
            sum(unknown.values()),
            named=listed,
        )
        lines.append(said)
    return lines


def _brief(figures: Mapping[str, Any], name: str) -> str:
    shown = []
    for k in dict.fromkeys(["1", str(figures["top_k"])]):
        within = interval_text(*figures["intervals"]["precision_at_k"][k])
        shown.append(f"precision@{k} {number(figures['precision_at_k'][k], '.3f')} ({within})")
    found = "; ".join(shown)
    return _("On {examples} {name}: {found}.", examples=figures["examples"], name=name, found=found)


def _interval(low: float, high: float) -> str:
    """In a cell, where a line would be broken at a space."""
    return f"{number(low, '.3f')}–{number(high, '.3f')}"


def _rival(comparison: Mapping[str, Any]) -> str:
    kind = comparison["rival"]
    return _(_RIVALS[kind])


def _other_figures(figures: Mapping[str, Any]) -> str:
    k = str(figures["top_k"])
    values = {
        f"recall@{k}": figures["recall_at_k"][k],
        f"R-precision@{k}": figures["r_precision_at_k"][k],
        f"nDCG@{k}": figures["ndcg_at_k"][k],
        _("mean average precision"): figures["mean_average_precision"],
        _("micro F1"): figures["micro_f1"],
        _("macro F1"): figures["macro_f1"],
    }
    said = "; ".join(f"{name} {number(value, '.3f')}" for name, value in values.items())
    if alone := figures.get("bert_alone"):
        said += " " + _(
            "(BERT alone: micro F1 {micro}; macro F1 {macro})",
            micro=number(alone["micro_f1"], ".3f"),
            macro=number(alone["macro_f1"], ".3f"),
        )
    return said


def comparison_lines(evaluation: Mapping[str, Any]) -> list[Line]:
    """The sentences on which model is better, and what changes for those who use the tags."""
    held_out = evaluation.get("held_out") or {}
    compared = [*evaluation.get("comparisons", []), *held_out.get("comparisons", [])]
    several = len({entry["set"] for entry in compared}) > 1
    lines: list[Line] = [
        _("On the {set}: {sentence}", set=display_name(entry["set"]), sentence=entry["sentence"])
        if several
        else entry["sentence"]
        for entry in compared
    ]
    changes = evaluation.get("tag_changes") or {}
    listed = {
        _("Tags that come, against the live model:"): changes.get("came"),
        _("Tags that go, against the live model:"): changes.get("gone"),
        _("Tags renamed, against the live model:"): [f"{was} → {now}" for was, now in changes.get("renamed", [])],
    }
    return lines + [f"{what} {first_of(tags)}" for what, tags in listed.items() if tags]


def data_facts(data: Mapping[str, Any]) -> Table:
    """Prepared data at the end of an extraction."""
    parts = ", ".join(f"{display_name(part)} {format_duration(seconds)}" for part, seconds in data["parts"].items())
    time = _("{duration}; side by side {parts}", duration=format_duration(data["seconds"]), parts=parts)
    return facts(_("Done"), data_entries(data) | {_("Checksum"): data["checksum"], _("Time"): time})


def run_facts(result: Mapping[str, Any]) -> Table:
    """The end of a training: data, model, whether it is live, and how long each part took."""
    data, model, evaluation = result["data"], result["model"], result["evaluation"]
    entries = data_entries(data) | {
        _("Model"): model["name"],
        _("Model folder"): model["path"],
        _("Trained on"): _(
            "{documents}, {epochs}, {device}, {precision}",
            documents=documents(model["examples"]),
            epochs=_n("{count} epoch", "{count} epochs", model["epochs"]),
            device=model["device"],
            precision=model["precision"],
        ),
        _("Live"): result["live"] if result["deployed"] else _("no"),
        _("Time"): _(
            "data {data}, training {training}, evaluation {evaluation}, all {all}",
            data=format_duration(data["seconds"]),
            training=format_duration(model["seconds"]),
            evaluation=format_duration(evaluation["seconds"]),
            all=format_duration(result["seconds"]),
        ),
    }
    return facts(_("Done"), entries)


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
        _("Evaluation"): _(
            "precision@1 to precision@{top_k} on {samples_path}",
            top_k=settings.evaluation.top_k,
            samples_path=settings.samples_path,
        ),
        _("Goes live"): live[deploy],
        _("Takes about"): _expected_time(outlook),
        _("Prepared data"): outlook.data_path,
        _("Model and report"): outlook.models_path,
        _("Log"): outlook.logs_path,
    }
    return Panel(facts("", entries), title=_("About to start"), box=SQUARE, expand=False)


def _expected_time(outlook: "RunEstimate") -> str:
    parts = []
    if outlook.data_seconds:
        parts.append(
            _("data {duration} (as {name} took)", duration=format_minutes(outlook.data_seconds), name=outlook.data_like)
        )
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


def first_of(listed: Sequence[object], count: int | None = None, *, shown: int = _SHOWN, joined: str = "; ") -> str:
    """The first few, and how many more there are; `count` in all."""
    more = (len(listed) if count is None else count) - len(listed[:shown])
    said = joined.join(map(str, listed[:shown]))
    return _("{listed} and {more:,} more", listed=said, more=more) if listed and more else said
