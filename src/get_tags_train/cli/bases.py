"""The command `get-tags bases`: which base model suits these documents."""

from typing import TYPE_CHECKING, Annotated

import typer

from get_tags_train.cli.app import App, DeviceOption, TopKOption, complete_data
from get_tags_train.cli.session import Session, flag_overrides
from get_tags_train.core.errors import InterruptedByUser, TrainingInterrupted
from get_tags_train.core.i18n import _, in_english, number

if TYPE_CHECKING:
    from get_tags_train.bases import Comparison, Tried
    from get_tags_train.cli.tables import Line

bases_app = App()


@bases_app.command()
def bases(
    session: Session,
    base_models: Annotated[list[str], typer.Argument(help="BERTs by hub name, or folders.", metavar="BASE...")],
    data: Annotated[
        str | None, typer.Option(help="The prepared data, tags_vX; default: the newest.", autocompletion=complete_data)
    ] = None,
    share: Annotated[float, typer.Option(help="The share of the documents to train on.", min=0.001, max=1)] = 0.1,
    epochs: Annotated[int | None, typer.Option(help="How many times training goes through all documents.")] = None,
    context_length: Annotated[int | None, typer.Option(help="Tokens per document, at most 512.")] = None,
    top_k: TopKOption = None,
    device: DeviceOption = None,
) -> None:
    """Train base models on the same share of the documents, and show how they compare."""
    from get_tags_train.core.logs import log_result
    from get_tags_train.core.settings import Source

    training = {"epochs": epochs, "context_length": context_length, "device": device}
    overrides = flag_overrides(training=training, evaluation={"top_k": top_k})
    settings = session.load_settings(overrides, source=Source("cached", None, data))

    from get_tags_train.bases import compare_bases

    on_event = session.start_log("bases", is_announced=True)
    try:
        found = compare_bases(settings, base_models, share, on_event)
    except TrainingInterrupted as error:
        hint = _("The same command continues it; what was trained before is not trained again.")
        raise InterruptedByUser(error.message, hint) from None
    with in_english():
        rows = ["; ".join(_row(own, str(found.top_k))) for own in found.tried]
        log_result([conclusion(found), "; ".join(_columns(str(found.top_k))), *rows])
    session.console.result(found.as_json(), comparison_lines(found))
    session.announce("done", conclusion(found), data=found.data)


def comparison_lines(found: "Comparison") -> "list[Line]":
    """The table and what follows from it."""
    from get_tags_train.cli.tables import Listing

    k = str(found.top_k)
    title = _(
        "{documents:,} documents of {data} to train on, {epochs} epochs, {tags:,} tags; scored on {examples:,}",
        documents=found.documents,
        data=found.data,
        epochs=found.epochs,
        tags=found.tags,
        examples=found.examples,
    )
    return [Listing(_columns(k), [_row(own, k) for own in found.tried], title), conclusion(found)]


def _columns(k: str) -> list[str]:
    columns = [_("Base model"), f"P@{k}", _("95% interval"), "P@1", _("macro F1"), _("Pieces a word"), _("Cut")]
    return [*columns, _("Training"), _("Size"), _("Against the best")]


def _row(own: "Tried", k: str) -> list[str]:
    standings = {
        "best": _("best"),
        "better": _("better"),
        "not distinguishable": _("not distinguishable"),
        "worse": _("worse"),
    }
    low, high = own.intervals[k]
    return [
        own.base_model or _("linear model, whole texts"),
        number(own.precision_at_k[k], ".3f"),
        f"{number(low, '.3f')}–{number(high, '.3f')}",
        number(own.precision_at_k["1"], ".3f"),
        number(own.macro_f1, ".3f"),
        "" if own.pieces_per_word is None else number(own.pieces_per_word, ".2f"),
        "" if own.cut_share is None else number(own.cut_share, ".0%"),
        f"{number(own.seconds, ',.0f')} s",
        "" if own.megabytes is None else f"{number(own.megabytes, ',.0f')} MB",
        standings[own.standing],
    ]


def conclusion(found: "Comparison") -> str:
    """One sentence for somebody who has to choose."""
    best, *others = found.tried
    close = [own.base_model for own in others[:-1] if own.standing == "not distinguishable"]
    said = _("The best on these documents: {base_model}.", base_model=best.base_model)
    if close:
        said += " " + _("Not distinguishable from it: {names}.", names=", ".join(close))
    linear = others[-1].standing
    if linear == "worse":
        return said + " " + _("The linear model is clearly below it.")
    if linear == "better":
        return said + " " + _("The linear model is clearly above it: more documents or another base model is needed.")
    return said + " " + _("The linear model is level with it: more documents or another base model may be needed.")
