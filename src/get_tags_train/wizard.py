"""Asks what no flag answered."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import questionary
from prompt_toolkit.application import create_app_session
from prompt_toolkit.output import create_output

from get_tags_train.csvfiles import read_ids
from get_tags_train.dataset import PreparedData
from get_tags_train.errors import GetTagsError
from get_tags_train.folders import folder_bytes
from get_tags_train.home import data_names, find_data
from get_tags_train.settings import SITE_FILE, Settings, Source, problem


class _Question(NamedTuple):
    """A number to ask for: what it means in a line, and why it has its limit."""

    section: str
    key: str
    prompt: str
    explanation: str
    limit_reason: str = ""


QUESTIONS = [
    _Question("training", "epochs", "Epochs", "How many times training goes through all documents."),
    _Question(
        "training", "batch_size", "Batch size", "Documents per training step; larger is faster and needs memory."
    ),
    _Question(
        "training",
        "context_length",
        "Context length",
        "How much of each document the model reads, in tokens (about 0.6 words).",
        limit_reason=": a BERT reads no more",
    ),
    _Question(
        "evaluation", "top_k", "k for evaluation", "Predictions that the final score counts; the model is the same."
    ),
]


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return bool(sys.stdin and sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty()))


def prompts() -> AbstractContextManager[Any]:
    """Where the prompts are drawn: on standard error where standard output is a file or a pipe."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        return nullcontext()
    return create_app_session(output=create_output(stdout=sys.stderr))


def ask_source(settings: Settings, chosen: Source | None, *, only_extraction: bool = False) -> Source | None:
    """Where the documents come from, as far as flags have not `chosen` it; None is the built-in example.

    only_extraction offers nothing that is prepared already.
    """
    kind = chosen.kind if chosen else _ask_kind(settings, only_extraction=only_extraction)
    if kind == "demo":
        return None
    if kind == "ids":
        return Source("ids", ids_path=(chosen and chosen.ids_path) or _ask_ids(settings))
    if kind == "cached":
        return Source("cached", data_name=(chosen and chosen.data_name) or _ask_data(settings))
    return Source("database")


def ask_settings(settings: Settings, answered: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The numbers that no flag has given, checked as they are typed; the defaults are the settings' values."""
    answers: dict[str, dict[str, Any]] = {}
    for question in QUESTIONS:
        section, key = question.section, question.key
        if key in answered.get(section, {}):
            continue
        default = getattr(getattr(settings, section), key)
        questionary.print(question.explanation)
        text = questionary.text(
            f"{question.prompt} (recommended: {default}):", default=str(default), validate=_checker(question)
        ).unsafe_ask()
        answers.setdefault(section, {})[key] = int(text)
    return answers


def confirm_start() -> bool:
    """The last question before the long work."""
    return bool(questionary.confirm("Start?", default=True).unsafe_ask())


def confirm_deploy(model_name: str) -> bool:
    """The question after the evaluation."""
    return bool(questionary.confirm(f"Make {model_name} live now?", default=False).unsafe_ask())


def confirm_removal(path: Path) -> bool:
    """Before anything is deleted."""
    return bool(questionary.confirm(f"Remove {path} for good?", default=False).unsafe_ask())


def _ask_kind(settings: Settings, *, only_extraction: bool) -> str:
    has_database = bool(settings.database.url)
    names = data_names(settings.home)
    if not has_database:
        questionary.print(f"No database is set yet. To set one, write into {settings.home / SITE_FILE}:")
        questionary.print(
            '  [database]\n  url = "mssql+pyodbc://USER@SERVER/DATABASE?driver=ODBC+Driver+18+for+SQL+Server"'
        )
    not_set = None if has_database else "no database is set"
    choices = [
        questionary.Choice("Database: extract all documents", "database", disabled=not_set),
        questionary.Choice("ids.csv: extract the documents whose ids it names", "ids", disabled=not_set),
    ]
    if not only_extraction:
        none_there = None if names else "none there yet"
        choices.append(
            questionary.Choice(f"Prepared data of an earlier run ({len(names)})", "cached", disabled=none_there)
        )
    if not has_database and not only_extraction:
        choices.append(questionary.Choice("The built-in example, to try everything with", "demo"))
    return str(questionary.select("Where do the documents come from?", choices=choices).unsafe_ask())


def _ask_ids(settings: Settings) -> Path:
    default = settings.home / "ids.csv"
    question = questionary.path(
        "File with the ids of the documents:",
        default=str(default) if default.exists() else "",
        validate=_problem_of_ids,
    )
    return Path(question.unsafe_ask()).expanduser()


def _ask_data(settings: Settings) -> str:
    names = data_names(settings.home)
    find_data(settings.home, None)  # says what to do where there are none
    choices = [questionary.Choice(_data_line(settings.home, name), name) for name in names]
    return str(questionary.select("Which prepared data? (newest first)", choices=choices).unsafe_ask())


def _data_line(home: Path, name: str) -> str:
    folder = find_data(home, name)
    try:
        manifest = PreparedData(folder).manifest
    except GetTagsError:
        return f"{name}  (damaged)"
    date = datetime.fromisoformat(manifest.created)
    size = folder_bytes(folder) / 1e6
    return (
        f"{name}  {date:%Y-%m-%d %H:%M}  {manifest.documents_kept:,} documents, {manifest.tags:,} tags, {size:,.0f} MB"
    )


def _checker(question: _Question) -> Callable[[str], bool | str]:
    def check(text: str) -> bool | str:
        try:
            number = int(text)
        except ValueError:
            return "Please type a whole number."
        reason = problem(question.section, question.key, number)
        return f"{reason}{question.limit_reason}." if reason else True

    return check


def _problem_of_ids(text: str) -> bool | str:
    try:
        read_ids(Path(text).expanduser())
    except GetTagsError as error:
        return f"{error.message} {error.hint}"
    return True
