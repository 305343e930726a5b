"""What has not finished: said before the first question, whose first choices continue it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from get_tags_train.cli.prompts import Choice, tell
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.home import data_dir, find_data
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.settings import Settings, Source
from get_tags_train.core.workspace import differences
from get_tags_train.data.extract import why_not_continued
from get_tags_train.data.prepared import PreparedData
from get_tags_train.maintenance.inventory import trainings_of, unfinished_work


class Training(NamedTuple):
    """A training to continue: the prepared data, and the answers that it was begun with."""

    data_name: str
    answers: dict[str, Any]


def extractions(settings: Settings) -> list[Choice]:
    """Say which extractions have not finished; the choices, each a Source, that continue one under these settings."""
    found: dict[Source, str] = {}
    for work in unfinished_work(settings.home, data_dir(settings.home)):
        read, listed = work.read_so_far()
        so_far = (
            _("{read:,} of {listed:,} documents read", read=read, listed=listed) if listed else _("nothing read yet")
        )
        tell(
            _(
                "The extraction of {name} has not finished: {origin}, begun {begun:%Y-%m-%d %H:%M}, {so_far}.",
                name=work.name,
                origin=_origin(work.plan),
                begun=work.begun,
                so_far=so_far,
            )
        )
        reads_all = bool(work.plan.get("full"))
        source = Source("database", reads_all=reads_all)
        if work.plan.get("kind") == "ids":
            source = Source("ids", settings.home / "ids.csv", reads_all=reads_all)
        reason = _("a run is at work on it") if work.is_running else _obstacle(settings, source, work.plan)
        if reason:
            tell(_("  It cannot be continued now: {reason}.", reason=reason))
        elif source not in found:  # of several that are alike, a run takes the newest
            found[source] = _("Continue the extraction of {name} ({so_far})", name=work.name, so_far=so_far)
        if not work.is_running:
            tell(_("  To delete it: {remove}", remove=Command("data", "remove", work.folder.name)))
    return [Choice(title, source) for source, title in found.items()]


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
    database = str(plan.get("database"))
    return _("ids of a file, in {database}", database=database) if plan.get("kind") == "ids" else database


def trainings(settings: Settings, names: Sequence[str], asked: Mapping[str, str]) -> list[Choice]:
    """Say which trainings of the newest of these data have not finished; the choices, each a Training, that go on.

    `asked` are the labels of the settings that are asked for, by key; all others have to be as they were.
    """
    try:
        begun = trainings_of(settings.home, PreparedData(find_data(settings.home, names[0]))) if names else []
    except GetTagsError:
        return []  # damaged data, which nobody trains on
    now = settings.training.deciding()
    found: list[Choice] = []
    for work in begun:
        was = work.plan.get("settings", {})
        answers = {key: was[key] for key in asked if key in was}
        tell(
            _(
                "The training {name} of the newest data has not finished, begun {begun:%Y-%m-%d %H:%M}.",
                name=work.name,
                begun=work.begun,
            )
        )
        if work.is_running:
            tell(_("  A run is at work on it."))
            continue
        if differing := differences({"": was}, {"": now | answers}):
            tell(_("  It cannot be continued with these settings: {differing}.", differing="; ".join(differing)))
        else:
            same = ", ".join(f"{_(asked[key]).lower()} {value}" for key, value in answers.items())
            title = _("Continue the training {name}", name=work.name)
            found.append(Choice(f"{title} ({same})" if same else title, Training(names[0], answers)))
        tell(_("  To delete it: {remove}", remove=Command("models", "remove", work.folder.name)))
    return found
