"""The commands around the live model: predict, deploy, rollback, serve."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from get_tags_train.cli.session import (
    ConfigOption,
    DeviceOption,
    HomeOption,
    Job,
    JsonOption,
    ModelArgument,
    YesOption,
    overrides,
    session,
)
from get_tags_train.core.errors import GetTagsError, InputError, InterruptedByUser
from get_tags_train.core.events import ignored
from get_tags_train.core.i18n import _, _n, number

if TYPE_CHECKING:
    from get_tags_train.serving.text_files import Format, Texts


live_app = typer.Typer()


@live_app.command()
def predict(
    text: Annotated[str | None, typer.Argument(help="The text; without it --file or standard input.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A .txt (one document), .csv or .jsonl file (one a row).")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="The column with the text; several are joined, title first.")
    ] = None,
    input_format: Annotated[
        Literal["txt", "csv", "jsonl"] | None,
        typer.Option("--input-format", help="What is read, where the file's ending does not say."),
    ] = None,
    model: Annotated[str, typer.Option("--model", help="A name under _models, a folder, or live.")] = "live",
    top_n: Annotated[int, typer.Option("--top-n", min=1, help="How many tags to name.")] = 5,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0, max=1, help="Name only tags with at least this score.")
    ] = 0.0,
    output_format: Annotated[
        Literal["csv", "jsonl"] | None,
        typer.Option("--format", help="What is written; default: lines for people, or what --out ends in."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write a .csv or .jsonl file instead of printing.")] = None,
    device: DeviceOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Name tags for a text or a file of texts; default: with the live model."""
    from get_tags_train.core.home import find_model

    job = Job.of(home, config, json_)
    settings = job.settings(overrides(training={"device": device}))
    folder = find_model(settings.home, settings.live_dir, model)
    with _texts(text, file, input_format, column or []) as texts:
        from get_tags_train.model.device import choose_device, choose_precision
        from get_tags_train.model.tagger import TagModel
        from get_tags_train.serving import predict as stage

        on_device = choose_device(settings.training.device)
        precision = choose_precision(settings.training.precision, on_device)
        loaded = TagModel.load(folder, device=on_device, precision=precision)
        # Whoever may only read a home may ask its model.
        on_event = ignored if len(texts) == 1 else session.start_log("predict", is_needed=False)
        results = stage.predict_texts(loaded, texts, top_n=top_n, min_score=min_score, on_event=on_event)
        if out is not None:
            from get_tags_train.core.files import write_chunks

            format = output_format or ("jsonl" if out.suffix.lower() == ".jsonl" else "csv")
            write_chunks(out.expanduser(), stage.lines(results, format), for_excel=format == "csv")
            job.console.result(
                {"documents": len(texts), "out": str(out)},
                [_n("{count:,} document: {out}", "{count:,} documents: {out}", len(texts), out=out)],
            )
        elif json_:
            job.console.write_whole(stage.lines(results, "json"))
        elif output_format is None and len(texts) == 1:
            from get_tags_train.cli import tables

            (named,) = results
            rows = [[tag, number(score, ".4f")] for tag, score in named.tags]
            job.console.result(None, [tables.Listing([_("Tag"), _("Score")], rows)])
        else:
            job.console.write(stage.lines(results, output_format or "lines"))


@contextmanager
def _texts(text: str | None, file: Path | None, input_format: "Format | None", columns: list[str]) -> "Iterator[Texts]":
    """The text given, else the file's, else standard input's, kept in a file as long as it is read."""
    from get_tags_train.serving.text_files import Texts

    if text is not None and file is not None:
        raise InputError(_("A text and --file were both given."), _("Give one of them."))
    if text is not None:
        yield Texts(text)
    elif file is not None:
        yield Texts.of_file(file.expanduser(), format=input_format, columns=columns)
    elif sys.stdin is None or sys.stdin.isatty():
        raise InputError(_("There is no text."), _("Give it as an argument, with --file, or through standard input."))
    else:
        with TemporaryDirectory(prefix="get-tags-") as folder:
            path = Path(folder) / "stdin"
            with path.open("wb") as stream:
                shutil.copyfileobj(sys.stdin.buffer, stream)
            yield Texts.of_file(path, name=_("Standard input"), format=input_format, columns=columns)


@live_app.command()
def deploy(
    model: ModelArgument = None,
    yes: YesOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Make a model live, after a look at how it compares with the live one; default: the newest."""
    from get_tags_train.core.home import find_model

    job = Job.of(home, config, json_)
    settings = job.settings()
    folder = find_model(settings.home, settings.live_dir, model)

    from get_tags_train.deployment import deploy as stage
    from get_tags_train.deployment.api_switch import ApiSwitch
    from get_tags_train.evaluation import against_live
    from get_tags_train.model.metadata import reading

    on_event = session.start_log("deploy")
    evaluation = against_live.against_live(settings, folder, on_event)
    if evaluation is not None:
        with reading(folder):  # where it may have been kept
            _compare(job, evaluation, folder.name, yes=yes)
    keep_versions, api = settings.deploy.keep_versions, ApiSwitch.of(settings)
    live = stage.deploy(folder, settings.live_dir, keep_versions=keep_versions, on_event=on_event, api=api)
    job.console.result({"deployed": True, "live": str(live)}, [_("Live: {live}", live=live)])


def _compare(job: Job, evaluation: Mapping[str, Any], name: str, *, yes: bool) -> None:
    """Show how a model compares with the live one, and stop where that speaks against it and nobody wants it so."""
    from get_tags_train.cli import tables, wizard

    job.console.show(tables.comparison_lines(evaluation))
    ask = wizard.can_ask()
    if yes or wizard.confirm_concerns(evaluation, name, ask=ask, say=job.console.say):
        return
    if ask:
        raise typer.Exit(InterruptedByUser.exit_code)
    reason = _("{name} is not made live: it is worse than the live model, or tags would be lost.", name=name)
    raise GetTagsError(reason, _("To do it all the same, add --yes."))


@live_app.command()
def rollback(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Make the model before the live one live again."""
    from get_tags_train.deployment import deploy as stage
    from get_tags_train.deployment.api_switch import ApiSwitch

    job = Job.of(home, config, json_)
    settings = job.settings()
    on_event = session.start_log("rollback")
    live = stage.rollback(settings.live_dir, on_event, ApiSwitch.of(settings))
    job.console.result({"deployed": True, "live": str(live)}, [_("Live: {live}", live=live)])


@live_app.command()
def history(home: HomeOption = None, config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Show what was live, since when, by whom, and how good it was; newest first."""
    from get_tags_train.cli import listings
    from get_tags_train.deployment.history import read_history

    job = Job.of(home, config, json_)
    live_dir = job.settings().live_dir
    changes = [line for line in reversed(read_history(live_dir)) if line.get("versions")]
    job.console.result(changes, [listings.history_table(live_dir, changes)])


@live_app.command()
def serve(
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on; 0.0.0.0 for all.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port to listen on; 0 for any that is free.")] = None,
    device: DeviceOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Answer HTTP requests with the live model, following each deploy and rollback."""
    job = Job.of(home, config, json_)
    settings = job.settings(overrides(serve={"host": host, "port": port}, training={"device": device}))
    try:
        from get_tags_train.serving import app as stage
    except ModuleNotFoundError as error:
        raise GetTagsError(
            _("get-tags serve needs the package {name}.", name=error.name),
            _("Run the set-up again: scripts/train_tags."),
        ) from error
    from get_tags_train.model.device import choose_device, choose_precision
    from get_tags_train.model.tagger import TagModel
    from get_tags_train.serving.hot_reload import LiveModel

    on_event = session.start_log("serve")
    on_device = choose_device(settings.training.device)
    precision = choose_precision(settings.training.precision, on_device)
    follower = LiveModel(
        settings.live_dir,
        lambda folder: TagModel.load(folder, device=on_device, precision=precision),
        max_waiting_texts=settings.serve.max_waiting_texts,
        on_event=on_event,
    )

    def ready(url: str) -> None:
        name = follower.batcher.live[0]
        job.console.result(
            {"url": url, "model": name},
            [_("{name} answers at {url}; the API is described at {url}/docs", name=name, url=url)],
        )

    stage.serve(follower, settings.serve, ready, on_event)
