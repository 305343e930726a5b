"""The commands `get-tags data ...`: list, show, compare, verify and remove prepared data."""

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from get_tags_train.cli.app import NAME_HELP, App, YesOption, complete_data
from get_tags_train.cli.session import Session
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import _

_SHOWN = 10  # of a list that may be long

data_app = App(help="List, show, compare, verify and remove prepared data.")


@data_app.callback()
@data_app.command("list")
def data_list(session: Session) -> None:
    """List prepared data, newest first."""
    from get_tags_train.cli import listings
    from get_tags_train.maintenance import inventory

    listed = inventory.list_data(session.home)
    session.console.result(listed, listings.data_listing(session.home, listed))


@data_app.command("show")
def data_show(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(help="tags_vX; default: the newest.", autocompletion=complete_data)
    ] = None,
) -> None:
    """Show where prepared data came from, and how their tags and lengths are spread."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import find_data
    from get_tags_train.data import statistics
    from get_tags_train.data.prepared import PreparedData

    data = PreparedData(find_data(session.home, name))
    shown = asdict(data.manifest) | {"path": str(data.folder), "figures": asdict(statistics.compute_statistics(data))}
    session.console.result(shown, listings.data_lines(shown))


@data_app.command("diff")
def data_diff(
    session: Session,
    old: Annotated[str, typer.Argument(help="The earlier tags_vX.", autocompletion=complete_data)],
    new: Annotated[str, typer.Argument(help="The later tags_vX.", autocompletion=complete_data)],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Also write each id with what happened to it into this file.")
    ] = None,
) -> None:
    """Compare two prepared data: documents and tags that were added, removed or changed."""
    from get_tags_train.cli import listings
    from get_tags_train.core.csv import write_csv
    from get_tags_train.core.home import find_data
    from get_tags_train.data import diff
    from get_tags_train.data.prepared import PreparedData

    difference = diff.compare(*(PreparedData(find_data(session.home, name)) for name in (old, new)))
    if csv is not None:
        write_csv(csv.expanduser(), chain([("id", "what")], difference.rows()))
    result = {"old": old, "new": new, **difference.as_json(shown=_SHOWN), "csv": str(csv) if csv else None}
    session.console.result(result, listings.difference_lines(result))


@data_app.command("verify")
def data_verify(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(help="tags_vX; default: the newest.", autocompletion=complete_data)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Read prepared data whole and compare them with their checksums; exit code 1 if any are damaged."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import data_names, find_data
    from get_tags_train.maintenance import inventory

    if every and name:
        raise InputError(_("--all and {name} were both given.", name=name), _("Give one of them."))
    one = find_data(session.home, name).name
    found = inventory.verify_data(session.home, data_names(session.home) if every else [one])
    damaged = [entry for entry in found if "damaged" in entry]
    if damaged and not every:
        raise GetTagsError(damaged[0]["damaged"], damaged[0]["hint"])
    session.console.result({"data": found} if every else found[0], listings.verified_lines(found))
    if damaged:
        raise typer.Exit(1)


@data_app.command("remove")
def data_remove(
    session: Session,
    name: Annotated[str, typer.Argument(help=NAME_HELP, autocompletion=complete_data)],
    yes: YesOption = False,
) -> None:
    """Remove prepared data for good, or an unfinished extraction; not what a training still needs."""
    from get_tags_train.cli.removal import remove
    from get_tags_train.core.home import data_dir
    from get_tags_train.maintenance import inventory

    folder = inventory.find_removable(data_dir(session.home), name)
    inventory.refuse_needed(session.home, folder)
    remove(session, folder, yes=yes)
