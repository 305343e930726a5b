"""What people see: progress, results, tables and errors, drawn with rich."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console as RichConsole
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from get_tags_train.events import EpochFinished, Event, Notice, StageFinished, StageProgress, StageStarted

if TYPE_CHECKING:
    from get_tags_train.settings import Settings

_STAGES = {
    "ids": "Listing the documents",
    "extract": "Reading and preparing documents",
    "join": "Joining duplicates, numbering tags",
    "set_aside": "Looking for test samples and near-duplicates",
    "train": "Training",
    "baseline": "Training a linear model to compare with",
    "evaluate": "Evaluating",
    "deploy": "Making the model live",
    "predict": "Naming tags",
}
_PLAIN_LINE_SECONDS = 15.0
_BAR_WIDTH = 40
_SHOWN = 5
_RIVALS = {"live": "live model", "baseline": "linear model"}
_STATUS_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


class Console:
    """Progress and notices on standard error; results on standard output, as tables or as one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a redirected stream is cp1252 on Windows
                stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
        self.as_json = as_json
        self._err = RichConsole(stderr=True, highlight=False)
        self._out = RichConsole(highlight=False, stderr=as_json)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._stage = ""
        self._total: int | None = None
        self._unit = ""
        self._last_line = 0.0
        self._quiet = False

    def on_event(self, event: Event) -> None:
        """Draw one event; without a terminal, a plain line now and then."""
        match event:
            case StageStarted() | StageProgress() | StageFinished() if self._quiet:
                return
            case Notice(message, level):
                style = "yellow" if level == "warning" else "cyan"
                self._err.print(f"[{style}]{'!' if level == 'warning' else 'i'}[/] {escape(message)}")
            case StageStarted(stage, total, unit):
                self._start(stage, total, unit)
            case StageProgress():
                self._advance(event)
            case EpochFinished(epoch, epochs, loss, precision):
                scores = [f"P@{k} {value:.3f}" for k, value in enumerate(precision, start=1)]
                self._err.print(f"[green]epoch {epoch} of {epochs}[/] {', '.join([f'loss {loss:.4f}', *scores])}")
            case StageFinished(stage, seconds):
                self._stop()
                self._err.print(f"[green]done[/] {_STAGES.get(stage, stage)}, {duration(seconds)}")

    def _start(self, stage: str, total: int | None, unit: str) -> None:
        self._stop()
        self._stage, self._total, self._unit = _STAGES.get(stage, stage), total, unit
        self._last_line = monotonic()
        if not self._err.is_terminal:
            self._err.print(f"{self._stage} ..." if total is None else f"{self._stage}: {total:,} {unit} ...")
            return
        columns = [TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn()]
        if total is None:
            columns = columns[:1]
        self._progress = Progress(
            *columns,
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._err,
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(self._stage, total=total, note="")

    def _advance(self, event: StageProgress) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=event.done, note=escape(event.note))
        elif monotonic() - self._last_line > _PLAIN_LINE_SECONDS:
            self._last_line = monotonic()
            of_total = f" of {self._total:,}" if self._total else ""
            left = "" if event.seconds_left is None else f"{duration(event.seconds_left)} left"
            said = [f"{self._stage}: {event.done:,}{of_total} {self._unit}", event.note, left]
            self._err.print(", ".join(filter(None, said)))

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def say(self, message: str) -> None:
        """A line for the person at the keyboard."""
        self._err.print(escape(message))

    def result(self, value: Any, lines: Iterable[str | Table | Panel] = ()) -> None:
        """The command's result: `value` as JSON, or `lines` for people."""
        self._stop()
        if self.as_json:
            sys.stdout.write(json.dumps(value) + "\n")
            return
        for line in lines:
            self._out.print(escape(line) if isinstance(line, str) else line)

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

    def show(self, lines: Iterable["str | Table | Panel"]) -> None:
        """Something to read before a question."""
        self._stop()
        for line in lines:
            self._err.print(escape(line) if isinstance(line, str) else line)

    def error(self, message: str, hint: str, log: object = None) -> None:
        """What went wrong and what to do, for people on standard error; with --json also as the result."""
        self._stop()
        if self.as_json:
            sys.stdout.write(json.dumps({"error": {"message": message, "hint": hint}}) + "\n")
        self._err.print(f"[bold red]Error:[/] {escape(message)}")
        if hint:
            self._err.print(f"[bold]What to do:[/] {escape(hint)}")
        if log:
            self._err.print(f"The log of this run: {escape(str(log))}")


def duration(seconds: float) -> str:
    """Seconds in words: 3.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A table of texts."""
    drawn = Table(title=title, title_justify="left")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(str(cell)) for cell in row))
    return drawn


def facts(title: str, entries: Mapping[str, object]) -> Table:
    """Names and values, a row each."""
    drawn = Table(title=title, title_justify="left", show_header=False, box=SIMPLE if title else None)
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in entries.items():
        drawn.add_row(escape(name), escape(str(value)))
    return drawn


def checks_table(checks: Iterable[tuple[str, str, str, str]]) -> Table:
    """(name, status, message, hint) of each check, in the colour of its status."""
    drawn = Table()
    for column in ("Check", "", "What was found"):
        drawn.add_column(column, overflow="fold")
    for name, status, message, hint in checks:
        style = _STATUS_STYLES[status]
        found = escape(message) + (f"\n[dim]What to do:[/] {escape(hint)}" if hint else "")
        drawn.add_row(escape(name), f"[{style}]{status}[/]", found)
    return drawn


def evaluation_lines(evaluation: Mapping[str, Any]) -> list[str | Table | Panel]:
    """An evaluation as people read it, in short; report.html has the rest."""
    lines = _set_lines(evaluation, "test samples")
    if held_out := evaluation.get("held_out"):
        lines += _set_lines(held_out, "held-out documents")
    return lines + comparison_lines(evaluation)


def _set_lines(figures: Mapping[str, Any], name: str) -> list[str | Table | Panel]:
    intervals = figures.get("intervals", {})
    columns = {
        "precision@k": figures["precision_at_k"],
        "95 %": {k: f"{low:.3f} to {high:.3f}" for k, (low, high) in intervals.get("precision_at_k", {}).items()},
        "best possible": figures.get("best_possible_precision_at_k"),
        **{_RIVALS[c["rival"]]: c["rival_precision_at_k"] for c in figures.get("comparisons", [])},
        "always the most frequent": figures["most_frequent_precision_at_k"],
    }
    shown = {title: values for title, values in columns.items() if values}
    rows = [
        [k, *(v[k] if isinstance(v[k], str) else f"{v[k]:.3f}" for v in shown.values())]
        for k in figures["precision_at_k"]
    ]
    lines: list[str | Table | Panel] = [
        table(["k", *shown], rows, f"Evaluation on {figures['examples']} {name}"),
    ]
    if intervals:
        lines.append(_other_figures(figures))
    if figures["examples_without_tags"]:
        lines.append(f"{figures['examples_without_tags']} examples have no labels and were left out.")
    if unknown := figures["unknown_tags"]:
        named = ", ".join(f"{tag} ({count})" for tag, count in list(unknown.items())[:20])
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        lines.append(
            f"{sum(unknown.values())} true tags are not known to the model and count as missed: {named}{more}."
        )
    return lines


def _other_figures(figures: Mapping[str, Any]) -> str:
    k = str(figures["top_k"])
    named = {
        f"recall@{k}": figures["recall_at_k"][k],
        f"R-precision@{k}": figures["r_precision_at_k"][k],
        f"nDCG@{k}": figures["ndcg_at_k"][k],
        "mean average precision": figures["mean_average_precision"],
        "micro F1": figures["micro_f1"],
        "macro F1": figures["macro_f1"],
    }
    return ", ".join(f"{name} {value:.3f}" for name, value in named.items())


def comparison_lines(evaluation: Mapping[str, Any]) -> list[str | Table | Panel]:
    """The sentences on which model is better, and what changes for those who use the tags."""
    held_out = evaluation.get("held_out") or {}
    compared = [*evaluation.get("comparisons", []), *held_out.get("comparisons", [])]
    several = len({entry["set"] for entry in compared}) > 1
    lines: list[str | Table | Panel] = [
        f"On the {entry['set']}: {entry['sentence']}" if several else entry["sentence"] for entry in compared
    ]
    changes = evaluation.get("tag_changes") or {}
    named = {
        "Tags that come": changes.get("came"),
        "Tags that go": changes.get("gone"),
        "Tags renamed": [f"{was} → {now}" for was, now in changes.get("renamed", [])],
    }
    return lines + [f"{what}, against the live model: {_first_of(tags)}" for what, tags in named.items() if tags]


def data_facts(data: Mapping[str, Any]) -> Table:
    """Prepared data at the end of an extraction."""
    parts = ", ".join(f"{part} {duration(seconds)}" for part, seconds in data["parts"].items())
    time = f"{duration(data['seconds'])}; side by side {parts}"
    return facts("Done", _data_entries(data) | {"Checksum": data["checksum"], "Time": time})


def run_facts(result: Mapping[str, Any]) -> Table:
    """The end of a training: data, model, whether it is live, and how long each part took."""
    data, model, evaluation = result["data"], result["model"], result["evaluation"]
    entries = _data_entries(data) | {
        "Model": model["name"],
        "Model folder": model["path"],
        "Trained on": f"{model['examples']:,} documents, {model['epochs']} epochs, {model['device']}, "
        f"{model['precision']}",
        "Live": result["live"] if result["deployed"] else "no; make it live with: get-tags deploy",
        "Time": f"data {duration(data['seconds'])}, training {duration(model['seconds'])}, "
        f"evaluation {duration(evaluation['seconds'])}, all {duration(result['seconds'])}",
    }
    return facts("Done", entries)


def summary(settings: "Settings", deploy: bool | None) -> Panel:
    """What is about to happen."""
    source, training = settings.source, settings.training
    documents = {
        "database": "all of the database",
        "ids": f"those named in {source.ids_path}",
        "cached": f"prepared earlier as {source.data_name or 'the newest data'}",
    }[source.kind]
    live = {True: "made live when done", False: "not made live", None: "you are asked after the evaluation"}[deploy]
    entries = {
        "Home": settings.home,
        "Documents": documents,
        "Base model": settings.base_model,
        "Epochs": training.epochs,
        "Batch size": training.batch_size,
        "Context length": training.context_length,
        "Evaluation": f"precision@1 to precision@{settings.evaluation.top_k} on {settings.samples_path}",
        "The new model is": live,
    }
    return Panel(facts("", entries), title="About to start", expand=False)


def data_listing(home: Path, listed: Mapping[str, Any]) -> list[str | Table | Panel]:
    """`get-tags data`."""
    rows = [
        [e["name"], _when(e), e.get("source", ""), f"{e.get('documents', 0):,}", f"{e.get('tags', 0):,}", _size(e)]
        for e in listed["data"]
    ]
    columns = ["Name", "Made", "Source", "Documents", "Tags", "Size"]
    return [table(columns, rows, f"Prepared data of {home}"), *_unfinished(listed)]


def data_lines(data: Mapping[str, Any]) -> list[str | Table | Panel]:
    """`get-tags data show`."""
    figures, source = data["figures"], data["source"]
    spelt = [" = ".join(spellings) for spellings in data["respelt_tags"].values()]
    entries = _data_entries(data) | {
        "Made": data["created"][:16].replace("T", " ")
        + (", continued after an interruption" if data["resumed"] else ""),
        "Source": f"{'ids of a file, in ' if source['kind'] == 'ids' else ''}{source['database']}",
        "Ids passed over": f"{data['missing_ids']:,} not in the database, {data['repeated_ids']:,} repeated, "
        f"{data['null_ids']:,} NULL",
        "Tags spelt in several ways": _first_of(spelt),
        "Same text, other tags": f"{data['conflicting_duplicates']:,} texts; their tags were united",
        "Seconds": ", ".join(f"{part} {seconds:,.1f}" for part, seconds in data["seconds"].items()),
        "Checksum": data["checksum"],
    }
    rate = figures["unknown_token_rate"]
    lengths = {
        f"Cut at {source['context_length']} tokens": f"{figures['cut']:,} documents, {figures['cut_share']:.1%}",
        "Unknown tokens": "these data do not say" if rate is None else f"{rate:.2%}",
    }
    spreads = [("tags", figures["tags_per_document"]), ("tokens", figures["tokens_per_document"])]
    percents = spreads[0][1]["percentiles"]
    return [
        facts(data["name"], entries),
        table(["On so many documents", "Tags"], figures["tags_by_documents"].items(), "Tags by their documents"),
        table(
            ["Tag", "Documents"],
            [[entry["tag"], f"{entry['documents']:,}"] for entry in figures["most_frequent_tags"]],
            "The most frequent tags",
        ),
        table(
            ["", "Mean", *(f"{percent} %" for percent in percents)],
            [[what, f"{s['mean']:,.1f}", *s["percentiles"].values()] for what, s in spreads],
            "In a document on average; in this share of documents at most",
        ),
        table(["Tokens", "Documents", ""], _bars(figures["documents_by_tokens"]), "Documents by their length"),
        facts("", lengths),
    ]


def difference_lines(difference: Mapping[str, Any]) -> list[str | Table | Panel]:
    """`get-tags data diff`."""
    documents, tags = difference["documents"], difference["tags"]
    lines: list[str | Table | Panel] = [
        table(
            ["Documents", "", "Ids"],
            [
                [what.replace("_", " "), f"{found['count']:,}", _first_of(found.get("first", []), found["count"])]
                for what, found in documents.items()
            ],
            f"From {difference['old']} to {difference['new']}",
        ),
        table(
            ["Tags", "", "Documents of the tags that changed most"],
            [
                [
                    what.replace("_", " "),
                    f"{found['count']:,}",
                    _first_of([f"{t['tag']} {t['old']:,} → {t['new']:,}" for t in found["first"]], found["count"]),
                ]
                for what, found in tags.items()
            ],
        ),
    ]
    return [*lines, f"All ids with what happened: {difference['csv']}"] if difference["csv"] else lines


def verified_lines(found: Iterable[Mapping[str, Any]]) -> list[str | Table | Panel]:
    """`get-tags data verify`."""
    return [
        f"{entry['damaged']}\n  {entry['hint']}"
        if "damaged" in entry
        else f"{entry['name']} is whole: {entry['checksum']}"
        for entry in found
    ]


def samples_lines(shown: Mapping[str, Any]) -> list[str | Table | Panel]:
    """`get-tags samples`."""
    entries: dict[str, object] = {
        "Examples": f"{shown['examples']:,}: {shown['written_by_people']:,} of your own, {shown['random']:,} added by "
        f"chance, {shown['rare']:,} added for rare tags",
        "Tags": f"{shown['tags']:,}",
    }
    if shown["data"]:
        entries["Tags"] = f"{shown['data_tags_covered']:,} of the {shown['data_tags']:,} of {shown['data']}"
        entries["Unknown tags"] = _first_of(
            [f"{tag} (line {', '.join(map(str, lines))})" for tag, lines in shown["unknown_tags"].items()]
        )
        entries["Leaks"] = _first_of([f"document {i}, line {line}: {how}" for i, line, how, _ in shown["leaks"]])
    entries["Nearly the same"] = _first_of([f"lines {', '.join(map(str, lines))}" for lines in shown["duplicates"]])
    entries["Without labels"] = _first_of([f"line {line}" for line in shown["without_labels"]])
    if shown["precision_at_1_within"]:
        entries["Exactness"] = f"precision@1 is known to within ± {shown['precision_at_1_within']:.3f} (95 %)"
    return [facts(shown["path"], {name: value or "none" for name, value in entries.items()})]


def proposal_lines(proposals: Iterable[tuple[str, str, str, Sequence[str]]]) -> list[str | Table | Panel]:
    """Documents that `get-tags samples add` found: (id, part, text, labels) each."""
    rows = [[i, part, "; ".join(labels), " ".join(text[:200].split())] for i, part, text, labels in proposals]
    return [table(["Document", "Chosen", "Tags", "Text"], rows, "New examples")]


def models_listing(home: Path, listed: Mapping[str, Any]) -> list[str | Table | Panel]:
    """`get-tags models`: figures of another test set than the newest model's are set apart, for they do not compare."""
    rows = [
        [
            e["name"],
            _when(e),
            e.get("data", ""),
            e.get("test_set") or "",
            _precision_of(e),
            "live" if e["live"] else "",
            _size(e),
        ]
        for e in listed["models"]
    ]
    columns = ["Name", "Made", "Data", "Test set", "precision@k", "Live", "Size"]
    lines: list[str | Table | Panel] = [table(columns, rows, f"Models of {home}")]
    if len({e["test_set"] for e in listed["models"] if e.get("test_set")}) > 1:
        lines.append("Figures compare within one test set only; get-tags evaluate NAME scores a model on today's.")
    return [*lines, *_unfinished(listed)]


def _precision_of(entry: Mapping[str, Any]) -> str:
    figures = entry.get("precision_at_k", {})
    intervals = entry.get("intervals", {})
    shown = [f"@{k} {value:.3f}" for k, value in figures.items() if k in ("1", list(figures)[-1])]
    if figures and (last := list(figures)[-1]) in intervals:
        shown[-1] += " ({:.3f} to {:.3f})".format(*intervals[last])
    return " ".join(shown)


def model_lines(folder: Path, shown: Mapping[str, Any]) -> list[str | Table | Panel]:
    """`get-tags models show`."""
    short = {key: value for key, value in shown.items() if key not in {"files", "tags", "probes", "evaluations"}}
    lines: list[str | Table | Panel] = [facts(str(folder), {**short, "tags": len(shown.get("tags", []))})]
    for evaluation in shown.get("evaluations", []):
        lines += evaluation_lines(evaluation)
    return lines


def _data_entries(data: Mapping[str, Any]) -> dict[str, object]:
    dropped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in data["dropped"].items() if count)
    return {
        "Data": f"{data['name']}: {data['documents_kept']:,} of {data['documents_read']:,} documents"
        + (f" (left out: {dropped})" if dropped else "")
        + f", {data['tags']:,} tags",
        "Data folder": data["path"],
    }


def _bars(counts: Mapping[str, int]) -> list[list[str]]:
    """Name, number and a bar of it for each."""
    most = max(counts.values())
    return [[name, f"{count:,}", "█" * round(_BAR_WIDTH * count / most)] for name, count in counts.items()]


def _first_of(listed: Sequence[object], count: int | None = None) -> str:
    """The first few, and how many more there are; `count` in all."""
    more = (len(listed) if count is None else count) - len(listed[:_SHOWN])
    return "; ".join(map(str, listed[:_SHOWN])) + (f" and {more:,} more" if listed and more else "")


def _when(entry: Mapping[str, Any]) -> str:
    return "damaged" if "damaged" in entry else entry["created"][:16].replace("T", " ")


def _size(entry: Mapping[str, Any]) -> str:
    return f"{entry['bytes'] / 1e6:,.1f} MB"


def _unfinished(listed: Mapping[str, Any]) -> list[str]:
    group = "data" if "data" in listed else "models"
    return [
        f"Unfinished: {name}; the same command continues it. To be rid of it: get-tags {group} remove {name}"
        for name in listed["unfinished"]
    ]
