"""Asks what no flag answered."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import questionary
from prompt_toolkit.application import create_app_session
from prompt_toolkit.output import create_output

from get_tags_train.csvfiles import read_ids
from get_tags_train.dataset import PreparedData
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.folders import folder_bytes
from get_tags_train.home import data_dir, data_names, find_data
from get_tags_train.inventory import trainings_of, unfinished_work
from get_tags_train.pipeline import why_not_continued
from get_tags_train.settings import SITE_FILE, Settings, Source, problem
from get_tags_train.words import _
from get_tags_train.workspace import differences

_EXAMPLE = "demo"
_AUTO = "auto"


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
    source = chosen or _ask_kind(settings, only_extraction=only_extraction)
    if source and source.kind == "ids" and not source.ids_path:
        return Source("ids", ids_path=_ask_ids(settings))
    if source and source.kind == "cached" and not source.data_name:
        return Source("cached", data_name=_ask_data(settings))
    return source


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
            _("{prompt} (recommended: {default}):", prompt=question.prompt, default=default),
            default=str(default),
            validate=_checker(question),
        ).unsafe_ask()
        answers.setdefault(section, {})[key] = text if text == _AUTO else int(text)
    return answers


def confirm_start() -> bool:
    """The last question before the long work."""
    return bool(questionary.confirm("Start?", default=True).unsafe_ask())


def confirm_deploy(model_name: str) -> bool:
    """The question after the evaluation."""
    return bool(
        questionary.confirm(_("Make {model_name} live now?", model_name=model_name), default=False).unsafe_ask()
    )


def confirm_despite(model_name: str) -> bool:
    """The second question, where something speaks against it."""
    return bool(
        questionary.confirm(
            _("Make {model_name} live all the same?", model_name=model_name), default=False
        ).unsafe_ask()
    )


def confirm_removal(path: Path) -> bool:
    """Before anything is deleted."""
    return bool(questionary.confirm(_("Remove {path} for good?", path=path), default=False).unsafe_ask())


def confirm_adding(examples: int, path: Path) -> bool:
    """Before examples are written into somebody's file of samples."""
    return bool(
        questionary.confirm(
            _("Add these {examples} examples to {path}?", examples=examples, path=path), default=True
        ).unsafe_ask()
    )


def _ask_kind(settings: Settings, *, only_extraction: bool) -> Source | None:
    """The source, its file or data yet to be asked for; what has not finished is said, and first among the choices."""
    has_database = bool(settings.database.url)
    if only_extraction and not has_database:
        raise InputError(
            _("No database is set."),
            _(
                "Set url under [database] in {home}; or try the example: get-tags train --demo.",
                home=settings.home / SITE_FILE,
            ),
        )
    names = data_names(settings.home)
    continued = _continued(settings)
    if not only_extraction:
        _say_unfinished_trainings(settings, names)
    if not has_database:
        questionary.print(_("No database is set yet. To set one, write into {home}:", home=settings.home / SITE_FILE))
        questionary.print(
            '  [database]\n  url = "mssql+pyodbc://USER@SERVER/DATABASE?driver=ODBC+Driver+18+for+SQL+Server"'
        )
    not_set = None if has_database else _("no database is set")
    choices = [questionary.Choice(title, source) for source, title in continued.items()]
    if Source("database") not in continued:  # to which it would be the same
        choices.append(questionary.Choice(_("Database: extract all documents"), Source("database"), disabled=not_set))
    choices.append(
        questionary.Choice(_("ids.csv: extract the documents whose ids it names"), Source("ids"), disabled=not_set)
    )
    if not only_extraction:
        none_there = None if names else _("none there yet")
        choices.append(
            questionary.Choice(
                _("Prepared data of an earlier run ({count})", count=len(names)), Source("cached"), disabled=none_there
            )
        )
    if not has_database and not only_extraction:
        choices.append(questionary.Choice(_("The built-in example, to try everything with"), _EXAMPLE))
    picked = questionary.select(_("Where do the documents come from?"), choices=choices).unsafe_ask()
    return None if picked == _EXAMPLE else cast(Source, picked)


def _continued(settings: Settings) -> dict[Source, str]:
    """Say which extractions have not finished; those that go on under these settings, by the source that does it."""
    found: dict[Source, str] = {}
    for work in unfinished_work(settings.home, data_dir(settings.home)):
        read, listed = work.read_so_far()
        so_far = (
            _("{read:,} of {listed:,} documents read", read=read, listed=listed) if listed else _("nothing read yet")
        )
        questionary.print(
            _(
                "The extraction of {name} has not finished: {origin}, begun {begun:%Y-%m-%d %H:%M}, {so_far}.",
                name=work.name,
                origin=_origin(work.plan),
                begun=work.begun,
                so_far=so_far,
            )
        )
        source = Source("ids", settings.home / "ids.csv") if work.plan.get("kind") == "ids" else Source("database")
        reason = _("a run is at work on it") if work.is_running else _obstacle(settings, source, work.plan)
        if reason:
            questionary.print(_("  It cannot be continued now: {reason}.", reason=reason))
        elif source not in found:  # of several that are alike, a run takes the newest
            found[source] = _("Continue the extraction of {name} ({so_far})", name=work.name, so_far=so_far)
        if not work.is_running:
            questionary.print(_("  To be rid of it: get-tags data remove {name}", name=work.folder.name))
    return found


def _obstacle(settings: Settings, source: Source, plan: Mapping[str, Any]) -> str:
    """Why these settings do not continue an extraction of this plan; '' where they do."""
    if source.ids_path and not source.ids_path.exists():
        return _(
            "there is no {ids_path}; if its ids are in another file, choose ids.csv and name that",
            ids_path=source.ids_path,
        )
    try:
        return "; ".join(why_not_continued(settings.model_copy(update={"source": source}), plan))
    except GetTagsError as error:
        return error.message.rstrip(".")


def _origin(plan: Mapping[str, Any]) -> str:
    return f"{'ids of a file, in ' if plan.get('kind') == 'ids' else ''}{plan.get('database')}"


def _say_unfinished_trainings(settings: Settings, names: Sequence[str]) -> None:
    """Those of the newest data, with the answers that continue them."""
    try:
        trainings = trainings_of(settings.home, PreparedData(find_data(settings.home, names[0]))) if names else []
    except GetTagsError:
        return  # damaged data, which nobody trains on
    asked = {question.key: question.prompt.lower() for question in QUESTIONS if question.section == "training"}
    now = settings.training.deciding()
    for work in trainings:
        was = work.plan.get("settings", {})
        answers = {key: was[key] for key in asked if key in was}
        questionary.print(
            _(
                "The training {name} of the newest data has not finished, begun {begun:%Y-%m-%d %H:%M}.",
                name=work.name,
                begun=work.begun,
            )
        )
        if differing := differences({"": was}, {"": now | answers}):
            questionary.print(
                _("  It cannot be continued with these settings: {differing}.", differing="; ".join(differing))
            )
        elif work.is_running:
            questionary.print(_("  A run is at work on it."))
        else:
            same = ", ".join(f"{asked[key]} {value}" for key, value in answers.items())
            questionary.print(
                _("  The same answers continue it: prepared data {names}, {same}.", names=names[0], same=same)
            )


def _ask_ids(settings: Settings) -> Path:
    default = settings.home / "ids.csv"
    question = questionary.path(
        _("File with the ids of the documents:"),
        default=str(default) if default.exists() else "",
        validate=_problem_of_ids,
    )
    return Path(question.unsafe_ask()).expanduser()


def _ask_data(settings: Settings) -> str:
    names = data_names(settings.home)
    find_data(settings.home, None)  # says what to do where there are none
    choices = [questionary.Choice(_data_line(settings.home, name), name) for name in names]
    return str(questionary.select(_("Which prepared data? (newest first)"), choices=choices).unsafe_ask())


def _data_line(home: Path, name: str) -> str:
    folder = find_data(home, name)
    try:
        manifest = PreparedData(folder).manifest
    except GetTagsError:
        return _("{name}  (damaged)", name=name)
    date = datetime.fromisoformat(manifest.created)
    size = folder_bytes(folder) / 1e6
    return _(
        "{name}  {date:%Y-%m-%d %H:%M}  {documents_kept:,} documents, {tags:,} tags, {size:,.0f} MB",
        name=name,
        date=date,
        documents_kept=manifest.documents_kept,
        tags=manifest.tags,
        size=size,
    )


def _checker(question: _Question) -> Callable[[str], bool | str]:
    def check(text: str) -> bool | str:
        if text == _AUTO and not problem(question.section, question.key, _AUTO):
            return True
        try:
            number = int(text)
        except ValueError:
            return _("Please type a whole number.")
        reason = problem(question.section, question.key, number)
        return f"{reason}{question.limit_reason}." if reason else True

    return check


def _problem_of_ids(text: str) -> bool | str:
    try:
        read_ids(Path(text).expanduser())
    except GetTagsError as error:
        return f"{error.message} {error.hint}"
    return True
