"""The commands around the test samples: show the set, add examples to it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from get_tags_train.cli.app import App, YesOption
from get_tags_train.cli.session import Session
from get_tags_train.core.errors import InputError, InterruptedByUser
from get_tags_train.core.events import Notice
from get_tags_train.core.i18n import Command, _, _n

if TYPE_CHECKING:
    from get_tags_train.splits.propose import Proposal
    from get_tags_train.splits.test_samples import Samples

_COUNT = 50

samples_app = App(help="Show the test samples, and add examples to them.")


@samples_app.callback()
@samples_app.command("show")
def samples_show(session: Session) -> None:
    """Show the test samples: examples, tags, duplicates, leaks, and how exact a score on them can be."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import data_names, find_data
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.splits import propose
    from get_tags_train.splits.leaks import find_trainable_leaks

    found = _read(session)
    data = PreparedData(find_data(session.home, None)) if data_names(session.home) else None
    shown = propose.describe(found, data, find_trainable_leaks(session.home, found, data)[0] if data else [])
    session.console.result(shown, listings.samples_lines(shown))


@samples_app.command("add")
def samples_add(
    session: Session,
    count: Annotated[int | None, typer.Option("--count", min=1, help="How many examples to add; default: 50.")] = None,
    rare: Annotated[
        int | None,
        typer.Option("--rare", min=0, help="How many of them are chosen for rare tags; default: a fifth."),
    ] = None,
    source: Annotated[
        Literal["held-out", "judge"],
        typer.Option("--from", help="held-out: documents never trained on; judge: those that people judged."),
    ] = "held-out",
    yes: YesOption = False,
) -> None:
    """Add documents to the test samples, after showing them; makes the file, or keeps the old one beside."""
    from get_tags_train.cli import listings, prompts, wizard
    from get_tags_train.splits import propose

    if not yes:
        prompts.require_terminal(_("Add --yes: it adds them without asking."))
    found = _read(session, must_exist=False)
    if source == "judge":
        if count is not None or rare is not None:
            raise InputError(_("--count and --rare are for held-out documents."), _("Leave them out."))
        proposals = _judged(session, found)
    else:
        proposals = _held_out(session, found, count or _COUNT, rare)
    if not yes:
        session.console.show(listings.proposal_lines(proposals))
        if not wizard.confirm_adding(len(proposals), found.path):
            raise typer.Exit(InterruptedByUser.exit_code)
    on_event = session.start_log("samples")
    backup = propose.add(found, proposals)
    result = {
        "path": str(found.path),
        "backup": str(backup) if backup else None,
        "added": [{"id": p.document_id, "part": p.part, "labels": p.labels} for p in proposals],
    }
    said = _said(len(proposals), found.path, backup)
    on_event(Notice(said))
    session.console.result(result, [*(listings.proposal_lines(proposals) if yes else []), said])


def _held_out(session: Session, samples: "Samples", count: int, rare: int | None) -> "list[Proposal]":
    """Documents that are never trained on. Raises InputError where there is none to add."""
    from get_tags_train.core.home import find_data
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.splits import propose
    from get_tags_train.splits.leaks import find_trainable_leaks

    for_rare = count // 5 if rare is None else rare
    if for_rare > count:
        raise InputError(
            _("--rare {for_rare} is more than --count {count}.", for_rare=for_rare, count=count),
            _("They are part of the count."),
        )
    data = PreparedData(find_data(session.home, None))
    _leaks, leaked = find_trainable_leaks(session.home, samples, data)
    proposals = propose.propose(session.home, data, samples, leaked, {"random": count - for_rare, "rare": for_rare})
    if not proposals:
        raise InputError(
            _("There is no document of {name} to add.", name=data.name),
            _("Extract more documents: {extract}.", extract=Command("extract")),
        )
    return proposals


def _judged(session: Session, samples: "Samples") -> "list[Proposal]":
    """Documents that people judged. Raises InputError where there is none to add."""
    from get_tags_train.review.judge import judged_samples
    from get_tags_train.splits.propose import new_ones

    judged = judged_samples(session.home)
    if proposals := new_ones(samples, judged):
        return proposals
    if judged:
        raise InputError(_("All documents that people judged are test samples already."))
    raise InputError(
        _("No document has been judged yet."), _("Make a sheet, and import it marked: {judge}", judge=Command("judge"))
    )


def _said(count: int, path: Path, backup: Path | None) -> str:
    if backup is None:
        return _n("{path} was made, with {count} example.", "{path} was made, with {count} examples.", count, path=path)
    return _n(
        "{count} example was added to {path}; the old file is {backup}.",
        "{count} examples were added to {path}; the old file is {backup}.",
        count,
        path=path,
        backup=backup,
    )


def _read(session: Session, *, must_exist: bool = True) -> "Samples":
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.splits.test_samples import Samples

    settings = session.load_settings()
    read = Samples.read if must_exist else Samples.read_if_there
    return read(settings.samples_path, read_tags_map(settings.tags_map_path))
