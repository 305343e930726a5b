"""Asks what no flag answered; each question says what it means and what is recommended."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from get_tags_train.cli import unfinished
from get_tags_train.cli.conversation import Conversation
from get_tags_train.cli.prompts import (
    Choice,
    GoBack,
    agree,
    choose,
    discard_typed,
    tell,
    type_path,
    type_value,
)
from get_tags_train.core.bootstrap import SITE_FILE
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import folder_bytes, read_json, write_json
from get_tags_train.core.home import data_names, find_data, last_source_path
from get_tags_train.core.i18n import N_, _, _n, documents, first_of, format_bytes, tags_of
from get_tags_train.core.settings import FROM_DATABASE, Settings, Source, SourceKind, problem
from get_tags_train.data.input_files import read_ids
from get_tags_train.data.prepared import PreparedData

EXAMPLE: Literal["demo"] = "demo"
SET_UP: Literal["init"] = "init"
_AUTO, _CHANGE = "auto", "change"


class _Question(NamedTuple):
    """A number to ask for: what it means in a line, and why it has its limit."""

    section: str
    key: str
    prompt: str
    explanation: str
    limit_reason: str = ""


QUESTIONS = [
    _Question(
        "training",
        "epochs",
        N_("Epochs"),
        N_("Passes over all documents; with only a few hundred documents, 10 usually find rare tags better."),
    ),
    _Question(
        "training",
        "batch_size",
        N_("Batch size"),
        N_("Documents per training step; more is faster, as far as memory allows."),
    ),
    _Question(
        "training",
        "context_length",
        N_("Context length"),
        N_("How much of each document the model reads, in tokens (about 0.6 words each)."),
        limit_reason=N_("a BERT reads no more"),
    ),
    _Question(
        "evaluation",
        "top_k",
        N_("k for evaluation"),
        N_("Of the first k tags predicted, how many are right? It changes nothing in the model."),
    ),
]


# The other questions, and answers to them, as "Start?" lists them.
_ASKED = {"source": N_("Documents"), "ids": N_("File with ids"), "data": N_("Prepared data")}
_SOURCES = {
    "database": N_("all of the database"),
    "ids": N_("those of a list of ids"),
    "cached": N_("data of an earlier run"),
    EXAMPLE: N_("the built-in example"),
}


def ask_source(
    settings: Settings, chosen: Source | None, answered: Mapping[str, Mapping[str, Any]], talk: Conversation
) -> Source | Literal["demo", "init"]:
    """Where the documents come from, as far as flags have not `chosen` it.

    EXAMPLE is the built-in example; SET_UP means that the database is to be set up first. To continue a training fills
    in the numbers that flags have not `answered`.
    """
    if chosen is None:

        def ask(earlier: Any) -> Any:
            names = data_names(settings.home)
            flags = answered.get("training", {})
            labels = {q.key: q.prompt for q in QUESTIONS if q.section == "training" and q.key not in flags}
            resumable = [*unfinished.extractions(settings), *unfinished.trainings(settings, names, labels)]
            more = _choices_of_training(names, has_database=bool(settings.database.url))
            answer = _ask_kind(settings, resumable, more, earlier)
            if isinstance(answer, unfinished.Training):
                talk.fill(answer.answers)
            return answer

        answer = talk.ask("source", ask)
        if answer in (EXAMPLE, SET_UP):
            return answer  # type: ignore[no-any-return]
        if isinstance(answer, unfinished.Training):
            return Source("cached", data_name=answer.data_name)
        chosen = answer
    return _with_file(settings, chosen, talk)


def ask_extraction_source(settings: Settings, chosen: Source | None, talk: Conversation) -> Source | Literal["init"]:
    """Which documents to extract, as far as flags have not `chosen` it; SET_UP as ask_source has it."""
    if chosen is None:
        answer = talk.ask("source", lambda earlier: _ask_kind(settings, unfinished.extractions(settings), [], earlier))
        if answer == SET_UP:
            return SET_UP
        chosen = answer
    return _with_file(settings, chosen, talk)


def ask_settings(
    settings: Settings, answered: Mapping[str, Mapping[str, Any]], talk: Conversation
) -> dict[str, dict[str, Any]]:
    """The numbers that no flag has given, checked as they are typed; the defaults are the settings' values."""
    answers: dict[str, dict[str, Any]] = {}
    for question in QUESTIONS:
        section, key = question.section, question.key
        if key in answered.get(section, {}):
            continue
        default = str(getattr(getattr(settings, section), key))
        answers.setdefault(section, {})[key] = talk.ask(key, partial(_ask_number, question, default))
    return answers


def _ask_number(question: _Question, default: str, earlier: int | str | None) -> int | str:
    tell(_(question.explanation))
    asked = _("{question} (recommended: {default}):", question=_(question.prompt), default=default)
    text = type_value(asked, default if earlier is None else str(earlier), _checker(question))
    return text if text == _AUTO else int(text)


def remember(home: Path, source: Source) -> None:
    """Keep the source that was chosen, as the next run's default."""
    write_json(last_source_path(home), {"kind": source.kind, "ids": str(source.ids_path) if source.ids_path else None})


def remembered(home: Path) -> Source:
    """The source of the last run that was answered here, with its file if that is still there; else the database."""
    with suppress(OSError, ValueError):
        kept = read_json(last_source_path(home))
        if isinstance(kept, dict) and kept.get("kind") in get_args(SourceKind):
            ids_path = Path(str(kept.get("ids")))
            return Source(kept["kind"], ids_path if ids_path.is_file() else None)
    return FROM_DATABASE


def confirm_start(talk: Conversation, *, expected: bool) -> bool:
    """The last question before the long work; where something is missing, a no is `expected`.

    Raises GoBack to the answer that is to be changed.
    """
    answers = talk.answers()
    choices = [Choice(_("Yes"), True, key=_("y")), Choice(_("No"), False, key=_("n"))]
    if answers:
        choices.insert(1, Choice(_("Change an answer"), _CHANGE, key=_("c")))
    labels = _ASKED | {question.key: question.prompt for question in QUESTIONS}
    listed = [Choice(f"{_(labels[name])}: {_said(value)}", name) for name, value in answers.items()]
    while (said := choose(_("Start?") if expected else _("Start anyway?"), choices, expected)) == _CHANGE:
        try:
            changed = choose(_("Which answer?"), listed)
        except GoBack:
            continue
        raise GoBack(to=changed)
    return bool(said)


def _said(answer: Any) -> str:
    if isinstance(answer, unfinished.Training):
        return answer.data_name
    kind = answer.kind if isinstance(answer, Source) else answer
    return _(_SOURCES[kind]) if kind in _SOURCES else str(kind)


def confirm_deploy(model_name: str) -> bool:
    """The question after the evaluation; what was typed during the training does not answer it."""
    discard_typed()
    return agree(_("Deploy {name} now?", name=model_name), default=False)


def confirm_despite(model_name: str) -> bool:
    """The same question where something speaks against it."""
    discard_typed()
    return agree(_("Deploy {name} anyway?", name=model_name), default=False)


def confirm_removal(path: Path) -> bool:
    """Before anything is deleted."""
    return agree(_("Remove {path} for good?", path=path), default=False)


def confirm_adding(examples: int, path: Path) -> bool:
    """Before examples are written into somebody's file of samples."""
    asked = _n("Add this example to {path}?", "Add these {count} examples to {path}?", examples, path=path)
    return agree(asked, default=True)


def _ask_kind(settings: Settings, resumable: Sequence[Choice], more: Sequence[Choice], earlier: Any) -> Any:
    """The value of the choice: a source, its file or data yet to be asked for, SET_UP, or one of the others.

    What is `resumable` comes first, `more` last; the pointer is at the `earlier` answer.
    """
    has_database = bool(settings.database.url)
    not_set = "" if has_database else _("no database is set")
    choices = list(resumable)
    if not has_database:
        tell(_("No database is set in {path} yet.", path=settings.home / SITE_FILE))
        choices.append(Choice(_("Set up the database: answer a few questions, each tested at once"), SET_UP))
    if FROM_DATABASE not in [choice.value for choice in resumable]:  # to which it would be the same
        choices.append(Choice(_("Database: extract all documents"), FROM_DATABASE, not_set))
    choices.append(Choice(_("ids.csv: extract the documents whose ids it names"), Source("ids"), not_set))
    choices += more
    tell(_("All of the database, the documents of a list, or earlier data (starts at once)."))
    last = Source(remembered(settings.home).kind)
    offered = earlier if earlier is not None else resumable[0].value if resumable else last
    return choose(_("Where do the documents come from?"), choices, offered)


def _choices_of_training(names: Sequence[str], *, has_database: bool) -> list[Choice]:
    """What can be trained on besides an extraction."""
    title = _("Prepared data of an earlier run")
    title += f": {first_of(names, shown=2, joined=', ')}" if names else ""
    choices = [Choice(title, Source("cached"), "" if names else _("none there yet"))]
    if not has_database:
        choices.append(Choice(_("The built-in example, to try everything with"), EXAMPLE))
    return choices


def _with_file(settings: Settings, source: Source, talk: Conversation) -> Source:
    """The source with its file of ids or its prepared data, asked for where it has none."""
    if source.kind == "ids" and not source.ids_path:
        return Source("ids", ids_path=talk.ask("ids", partial(_ask_ids, settings.home)))
    if source.kind == "cached" and not source.data_name:
        return Source("cached", data_name=talk.ask("data", partial(_ask_data, settings.home)))
    return source


def _ask_ids(home: Path, earlier: Path | None) -> Path:
    tell(_("A CSV or Excel file with one column, the ids of the documents; Tab completes a name."))
    offered = [earlier, remembered(home).ids_path, home / "ids.csv", home / "ids.xlsx"]
    default = next((str(path) for path in offered if path and path.is_file()), "")
    return type_path(_("File with the ids of the documents:"), default, _problem_of_ids)


def _ask_data(home: Path, earlier: str | None) -> str:
    find_data(home, None)  # says what to do where there are none
    choices = [Choice(_data_line(home, name), name) for name in data_names(home)]
    return str(choose(_("Which prepared data? (newest first)"), choices, earlier))


def _data_line(home: Path, name: str) -> str:
    folder = find_data(home, name)
    try:
        manifest = PreparedData(folder).manifest
    except GetTagsError:
        return _("{name}  (damaged)", name=name)
    date = datetime.fromisoformat(manifest.created)
    content = f"{documents(manifest.documents_kept)}, {tags_of(manifest.tags)}, {format_bytes(folder_bytes(folder))}"
    return f"{name}  {date:%Y-%m-%d %H:%M}  {content}"


def _checker(question: _Question) -> Callable[[str], bool | str]:
    def check(text: str) -> bool | str:
        if text == _AUTO and not problem(question.section, question.key, _AUTO):
            return True
        try:
            value = int(text)
        except ValueError:
            return _("Please type a whole number.")
        if reason := problem(question.section, question.key, value):
            return ": ".join(filter(None, [reason, question.limit_reason and _(question.limit_reason)])) + "."
        return True

    return check


def _problem_of_ids(text: str) -> bool | str:
    try:
        read_ids(Path(text).expanduser())
    except GetTagsError as error:
        return f"{error.message} {error.hint}"
    return True
