"""The commands `get-tags models ...`: list, show, verify and remove models."""

import typer

from get_tags_train.cli.data import _remove
from get_tags_train.cli.session import (
    ConfigOption,
    HomeOption,
    Job,
    JsonOption,
    ModelArgument,
    NameArgument,
    YesOption,
    refuse_flags_before,
)
from get_tags_train.core.i18n import _

models_app = typer.Typer(help="List, show, verify and remove models.", invoke_without_command=True)


@models_app.callback()
def models(ctx: typer.Context, home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """List models, newest first; show, verify and remove them."""
    if ctx.invoked_subcommand is None:
        models_list(home, config, json_)
    else:
        refuse_flags_before(ctx, home, config, json_)


@models_app.command("list")
def models_list(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """List models, newest first, with their last evaluation."""
    from get_tags_train.cli import listings
    from get_tags_train.maintenance import inventory

    job = Job.of(home, config, json_)
    listed = inventory.list_models(job.home, job.settings().live_dir)
    job.console.result(listed, listings.models_listing(job.home, listed))


@models_app.command("show")
def models_show(
    model: ModelArgument = None, home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False
) -> None:
    """Show how a model was made and how it scored; default: the newest."""
    from get_tags_train.cli import listings
    from get_tags_train.core.home import find_model
    from get_tags_train.model.metadata import read_metadata

    job = Job.of(home, config, json_)
    folder = find_model(job.home, job.settings().live_dir, model)
    metadata = read_metadata(folder)
    shown = metadata.as_json() if metadata else {}
    evaluations = [evaluation.model_dump() for evaluation in metadata.evaluations] if metadata else []
    job.console.result(shown, listings.model_lines(folder, {**shown, "evaluations": evaluations}))


@models_app.command("verify")
def models_verify(
    model: ModelArgument = None, home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False
) -> None:
    """Compare a model's files with their checksums; default: the newest."""
    from get_tags_train.core.home import find_model
    from get_tags_train.model.metadata import verify

    job = Job.of(home, config, json_)
    folder = find_model(job.home, job.settings().live_dir, model)
    verify(folder)
    job.console.result({"name": folder.name, "path": str(folder)}, [_("{folder} is whole.", folder=folder)])


@models_app.command("remove")
def models_remove(
    name: NameArgument,
    yes: YesOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Remove a model for good, or an unfinished training; never the live one."""
    from get_tags_train.core.home import models_dir
    from get_tags_train.maintenance import inventory

    job = Job.of(home, config, json_)
    folder = inventory.find_removable(models_dir(job.home), name)
    inventory.refuse_live(folder, job.settings().live_dir)
    _remove(job, folder, yes=yes)
