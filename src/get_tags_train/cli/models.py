"""The commands `get-tags models ...`: list, show, verify and remove models."""

from typing import Annotated

import typer

from get_tags_train.cli.app import NAME_HELP, App, ModelArgument, YesOption, complete_models
from get_tags_train.cli.session import Session
from get_tags_train.core.i18n import _

_ModelName = Annotated[
    str, typer.Argument(help="A name under _models, a folder, or live.", autocompletion=complete_models)
]

models_app = App(help="List, show, compare, verify and remove models.")


@models_app.callback()
@models_app.command("list")
def models_list(session: Session) -> None:
    """List models, newest first, with their last evaluation."""
    from get_tags_train.cli import listings
    from get_tags_train.maintenance import inventory

    listed = inventory.list_models(session.home, session.load_settings().live_dir)
    session.console.result(listed, listings.models_listing(session.home, listed))


@models_app.command("show")
def models_show(session: Session, model: ModelArgument = None) -> None:
    """Show how a model was made and how it scored; default: the newest."""
    from get_tags_train.cli import model_tables
    from get_tags_train.core.home import find_model
    from get_tags_train.model.metadata import read_metadata

    folder = find_model(session.home, session.load_settings().live_dir, model)
    metadata = read_metadata(folder)
    if metadata is None:
        said = _("{folder} was not made by get-tags: it does not say how it was made.", folder=folder)
        session.console.result({}, [said])
    else:
        session.console.result(metadata.as_json(), model_tables.model_lines(folder, metadata))


@models_app.command("compare")
def models_compare(session: Session, first: _ModelName, second: _ModelName) -> None:
    """Show two models side by side: settings, scores, tags; as they were recorded, nothing is computed."""
    from get_tags_train.cli import model_tables
    from get_tags_train.core.home import find_model
    from get_tags_train.model.metadata import own_metadata

    live_dir = session.load_settings().live_dir
    compared = model_tables.comparison(*(own_metadata(find_model(session.home, live_dir, m)) for m in (first, second)))
    session.console.result(compared, model_tables.comparison_lines(compared))


@models_app.command("verify")
def models_verify(session: Session, model: ModelArgument = None) -> None:
    """Compare a model's files with their checksums; default: the newest."""
    from get_tags_train.core.home import find_model
    from get_tags_train.model.metadata import verify

    folder = find_model(session.home, session.load_settings().live_dir, model)
    verify(folder)
    session.console.result({"name": folder.name, "path": str(folder)}, [_("{folder} is intact.", folder=folder)])


@models_app.command("remove")
def models_remove(
    session: Session,
    name: Annotated[str, typer.Argument(help=NAME_HELP, autocompletion=complete_models)],
    yes: YesOption = False,
) -> None:
    """Remove a model for good, or an unfinished training; never the live one."""
    from get_tags_train.cli.removal import remove
    from get_tags_train.core.home import models_dir
    from get_tags_train.maintenance import inventory

    folder = inventory.find_removable(models_dir(session.home), name)
    inventory.refuse_live(folder, session.load_settings().live_dir)
    remove(session, folder, yes=yes)
