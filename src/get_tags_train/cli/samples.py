"""The commands around the test samples: show the set, add examples to it."""

from typing import TYPE_CHECKING, Annotated

import typer

from get_tags_train.cli.session import (
    ConfigOption,
    HomeOption,
    Job,
    JsonOption,
    YesOption,
    refuse_flags_before,
    session,
    someone_to_ask,
)
from get_tags_train.core.errors import InputError, InterruptedByUser
from get_tags_train.core.events import Notice
from get_tags_train.core.i18n import _, _n

if TYPE_CHECKING:
    from get_tags_train.splits.test_samples import Samples


samples_app = typer.Typer(help="Show the test samples, and add examples to them.", invoke_without_command=True)


@samples_app.callback()
def samples(
    ctx: typer.Context, home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False
) -> None:
    """Show the test samples: examples, tags, duplicates, leaks, and how exact a score on them can be."""
    if ctx.invoked_subcommand is None:
        samples_show(home, config, json_)
    else:
        refuse_flags_before(ctx, home, config, json_)


@samples_app.command("show")
def samples_show(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Show the test samples: examples, tags, duplicates, leaks, and how exact a score on them can be."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import data_names, find_data
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.splits import propose
    from get_tags_train.splits.leaks import find_trainable_leaks

    job = Job.of(home, config, json_)
    found = _read(job)
    data = PreparedData(find_data(job.home, None)) if data_names(job.home) else None
    shown = propose.describe(found, data, find_trainable_leaks(job.home, found, data)[0] if data else [])
    job.console.result(shown, listings.samples_lines(shown))


@samples_app.command("add")
def samples_add(
    count: Annotated[int, typer.Option("--count", min=1, help="How many examples to add.")] = 50,
    rare: Annotated[
        int | None,
        typer.Option("--rare", min=0, help="How many of them are chosen for rare tags; default: a fifth."),
    ] = None,
    yes: YesOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Add held-out documents to the test samples, after showing them; the old file is kept."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import find_data
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.splits import propose
    from get_tags_train.splits.leaks import find_trainable_leaks

    job = Job.of(home, config, json_)
    for_rare = count // 5 if rare is None else rare
    if for_rare > count:
        raise InputError(
            _("--rare {for_rare} is more than --count {count}.", for_rare=for_rare, count=count),
            _("They are part of the count."),
        )
    if not yes:
        wizard = someone_to_ask(_("Add --yes: it adds them without asking."))
    found = _read(job)
    data = PreparedData(find_data(job.home, None))
    _leaks, leaked = find_trainable_leaks(job.home, found, data)
    proposals = propose.propose(job.home, data, found, leaked, {"random": count - for_rare, "rare": for_rare})
    if not proposals:
        raise InputError(
            _("There is no document of {name} to add.", name=data.name), _("Extract more documents: get-tags extract.")
        )
    if not yes:
        job.console.show(listings.proposal_lines(proposals))
        if not wizard.confirm_adding(len(proposals), found.path):
            raise typer.Exit(InterruptedByUser.exit_code)
    on_event = session.start_log("samples")
    backup = propose.add(found, proposals)
    result = {
        "path": str(found.path),
        "backup": str(backup),
        "added": [{"id": p.document_id, "part": p.part, "labels": p.labels} for p in proposals],
    }
    said = _n(
        "{count} example was added to {path}; the old file is {backup}.",
        "{count} examples were added to {path}; the old file is {backup}.",
        len(proposals),
        path=found.path,
        backup=backup,
    )
    on_event(Notice(said))
    job.console.result(result, [*(listings.proposal_lines(proposals) if yes else []), said])


def _read(job: Job) -> "Samples":
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.splits.test_samples import Samples

    settings = job.settings()
    return Samples.read(settings.samples_path, read_tags_map(settings.tags_map_path))
