"""The command `get-tags predict`: a text, a file or standard input -> tags."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from get_tags_train.cli.app import App, DeviceOption, complete_models
from get_tags_train.cli.session import Session, flag_overrides
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import ignored
from get_tags_train.core.i18n import _, _n, number

if TYPE_CHECKING:
    from get_tags_train.serving.predict import TableForm, TextPrediction
    from get_tags_train.serving.text_files import Format, Texts

OutputFormat = Literal["csv", "xlsx", "jsonl", "json"]

predict_app = App()


@predict_app.command()
def predict(
    session: Session,
    text: Annotated[str | None, typer.Argument(help="The text; without it --file or standard input.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A .txt (one document), .csv, .xlsx or .jsonl file (one a row).")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="The column with the text; several are joined, title first.")
    ] = None,
    input_format: Annotated[
        Literal["txt", "csv", "xlsx", "json", "jsonl"] | None,
        typer.Option("--input-format", help="What is read, where the file's ending does not say."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="A name under _models, a folder, or live.", autocompletion=complete_models)
    ] = "live",
    top_n: Annotated[int, typer.Option("--top-n", min=1, help="How many tags to predict.")] = 5,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0, max=1, help="Predict only tags with at least this score.")
    ] = 0.0,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="What is written; default: lines for people, or what --out ends in."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a .csv, .xlsx, .jsonl or .json file instead of printing.")
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="For each tag the words that carried it and the nearest documents with it.")
    ] = False,
    rows: Annotated[
        Literal["document", "tag"] | None,
        typer.Option(help="What a row of csv and xlsx is; default: a document in xlsx, a tag in csv."),
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Predict tags for a text or a file of texts; default: with the live model."""
    from get_tags_train.core.home import find_model

    settings = session.load_settings(flag_overrides(training={"device": device}))
    folder = find_model(settings.home, settings.live_dir, model)

    from get_tags_train.serving.predict import Row, TableForm, file_format, predict_texts, write_predictions

    out_format = None if out is None else file_format(out, output_format)
    if out is None and output_format == "xlsx":
        raise InputError(_("A workbook cannot be printed."), _("Name a file for it: --out FILE.xlsx."))
    with _texts(text, file, input_format, column or []) as texts:
        from get_tags_train.model.device import choose_device, prediction_precision
        from get_tags_train.model.tagger import TagModel

        on_device = choose_device(settings.training.device)
        precision = prediction_precision(settings.serve.precision, on_device)
        # Whoever may only read a home may ask its model.
        on_event = ignored if len(texts) == 1 else session.start_log("predict", is_needed=False)
        loaded = TagModel.load(folder, device=on_device, precision=precision, on_event=on_event)
        predictions = predict_texts(loaded, texts, top_n=top_n, min_score=min_score, on_event=on_event, why=why)
        row: Row = rows or ("document" if out_format == "xlsx" else "tag")
        form = TableForm(row, min(top_n, len(loaded.tags)), has_reasons=why)
        if out is not None and out_format is not None:
            write_predictions(out.expanduser(), predictions, out_format, form)
            said = _n("{count:,} document: {out}", "{count:,} documents: {out}", len(texts), out=out)
            session.console.result({"documents": len(texts), "out": str(out)}, [said])
        else:
            _print(session, predictions, output_format, None if len(texts) == 1 and not output_format else form)


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
        raise InputError(
            _("There is no text."),
            _("Give it as an argument (after -- if it begins with a dash), with --file, or as standard input."),
        )
    else:
        with TemporaryDirectory(prefix="get-tags-") as folder:
            path = Path(folder) / f"stdin.{input_format or 'txt'}"
            with path.open("wb") as stream:
                shutil.copyfileobj(sys.stdin.buffer, stream)
            yield Texts.of_file(path, name=_("Standard input"), format=input_format, columns=columns)


def _print(
    session: Session,
    predictions: "Iterable[TextPrediction]",
    output_format: OutputFormat | None,
    form: "TableForm | None",
) -> None:
    """One JSON list with --json; else lines in the format asked for; without a `form` a table of one text's tags."""
    from get_tags_train.cli.tables import Listing
    from get_tags_train.serving.predict import lines, reason_texts

    if session.console.as_json:
        session.console.write_whole(lines(predictions, "json"))
    elif form is None:
        (prediction,) = predictions
        reasons = [list(reason_texts(reason)) for reason in prediction.reasons or []]
        rows = [
            [tag, number(score, ".4f"), *(reasons[place] if reasons else [])]
            for place, (tag, score) in enumerate(prediction.tags)
        ]
        columns = [_("Tag"), _("Score"), *([_("Words"), _("Nearest documents")] if reasons else [])]
        session.console.result(None, [Listing(columns, rows)])
    else:
        assert output_format != "xlsx"  # refused before
        session.console.write(lines(predictions, output_format or "lines", form))
