"""The commands around prepared data and models: list, show, compare, verify and remove them."""

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from get_tags_train.cli.session import (
    ConfigOption,
    HomeOption,
    Job,
    JsonOption,
    NameArgument,
    YesOption,
    refuse_flags_before,
    session,
    someone_to_ask,
)
from get_tags_train.core.errors import GetTagsError, InputError, InterruptedByUser
from get_tags_train.core.i18n import _

_SHOWN = 10  # of a list that may be long

data_app = typer.Typer(help="List, show, compare, verify and remove prepared data.", invoke_without_command=True)


@data_app.callback()
def data(ctx: typer.Context, home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """List prepared data, newest first; show, compare, verify and remove them."""
    if ctx.invoked_subcommand is None:
        data_list(home, config, json_)
    else:
        refuse_flags_before(ctx, home, config, json_)


@data_app.command("list")
def data_list(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """List prepared data, newest first."""
    from get_tags_train.cli import listings
    from get_tags_train.maintenance import inventory

    job = Job.of(home, config, json_)
    listed = inventory.list_data(job.home)
    job.console.result(listed, listings.data_listing(job.home, listed))


@data_app.command("show")
def data_show(
    name: Annotated[str | None, typer.Argument(help="tags_vX; default: the newest.")] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Show where prepared data came from, and how their tags and lengths are spread."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import find_data
    from get_tags_train.data import statistics
    from get_tags_train.data.prepared import PreparedData

    job = Job.of(home, config, json_)
    data = PreparedData(find_data(job.home, name))
    shown = asdict(data.manifest) | {"path": str(data.folder), "figures": asdict(statistics.compute_statistics(data))}
    job.console.result(shown, listings.data_lines(shown))


@data_app.command("diff")
def data_diff(
    old: Annotated[str, typer.Argument(help="The earlier tags_vX.")],
    new: Annotated[str, typer.Argument(help="The later tags_vX.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Also write each id with what happened to it into this file.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Compare two prepared data: documents and tags that came, went and changed."""
    from get_tags_train.cli import listings
    from get_tags_train.core.csv import write_csv
    from get_tags_train.core.home import find_data
    from get_tags_train.data import diff
    from get_tags_train.data.prepared import PreparedData

    job = Job.of(home, config, json_)
    difference = diff.compare(*(PreparedData(find_data(job.home, name)) for name in (old, new)))
    if csv is not None:
        write_csv(csv.expanduser(), chain([("id", "what")], difference.rows()))
    result = {"old": old, "new": new, **difference.as_json(shown=_SHOWN), "csv": str(csv) if csv else None}
    job.console.result(result, listings.difference_lines(result))


@data_app.command("verify")
def data_verify(
    name: Annotated[str | None, typer.Argument(help="tags_vX; default: the newest.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Read prepared data whole and compare with their checksums; exit code 1 where any are damaged."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import data_names, find_data
    from get_tags_train.maintenance import inventory

    job = Job.of(home, config, json_)
    if every and name:
        raise InputError(_("--all and {name} were both given.", name=name), _("Give one of them."))
    one = find_data(job.home, name).name
    found = inventory.verify_data(job.home, data_names(job.home) if every else [one])
    damaged = [entry for entry in found if "damaged" in entry]
    if damaged and not every:
        raise GetTagsError(damaged[0]["damaged"], damaged[0]["hint"])
    job.console.result({"data": found} if every else found[0], listings.verified_lines(found))
    if damaged:
        raise typer.Exit(1)


@data_app.command("remove")
def data_remove(
    name: NameArgument,
    yes: YesOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Remove prepared data for good, or an unfinished extraction; not what a training still needs."""
    from get_tags_train.core.home import data_dir
    from get_tags_train.maintenance import inventory

    job = Job.of(home, config, json_)
    folder = inventory.find_removable(data_dir(job.home), name)
    inventory.refuse_needed(job.home, folder)
    _remove(job, folder, yes=yes)


def _remove(job: Job, folder: Path, *, yes: bool) -> None:
    from get_tags_train.core.events import Notice
    from get_tags_train.maintenance import inventory

    if not yes and not someone_to_ask(_("Add --yes: it removes it without asking.")).confirm_removal(folder):
        raise typer.Exit(InterruptedByUser.exit_code)
    on_event = session.start_log("remove")
    inventory.remove(job.home, folder)
    on_event(Notice(_("Removed {folder}.", folder=folder)))
    job.console.result({"removed": str(folder)})
