"""The commands `get-tags audit ...`: list tags that are likely wrong or missing, and take in what people decided."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from get_tags_train.cli.app import App, DeviceOption, RunsByDefault, complete_data
from get_tags_train.cli.session import Session, flag_overrides
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import Command, _, _n, english, number

if TYPE_CHECKING:
    from get_tags_train.cli.tables import Line
    from get_tags_train.core.settings import Settings
    from get_tags_train.review.audit import Audit
    from get_tags_train.review.audit_import import Imported

_SHOWN = 10
_ENDINGS = (".xlsx", ".csv")

audit_app = App(
    cls=RunsByDefault, help="List tags that are likely wrong or missing, and take in what people decided about them."
)


@audit_app.command("run")
def audit_run(
    session: Session,
    data: Annotated[
        str | None, typer.Argument(help="tags_vX; default: the newest.", autocompletion=complete_data)
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=100_000, help="How many tags the list has.")] = 200,
    only: Annotated[
        Literal["missing", "wrong"] | None, typer.Option("--only", help="Missing tags alone, or wrong ones alone.")
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tags", help="These tags alone: a;b, or the flag several times.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Where the list goes: a file .xlsx or .csv; default: _reviews.")
    ] = None,
    with_bert: Annotated[
        bool, typer.Option("--with-bert", help="Train two models on half of the documents each, too: takes a night.")
    ] = False,
    device: DeviceOption = None,
) -> None:
    """List tags that are likely wrong or missing, to be marked and imported; `audit` alone is the same."""
    if output is not None and output.suffix.lower() not in _ENDINGS:
        raise InputError(
            _("{path} is neither .xlsx nor .csv.", path=output), _("Give --output a name with one of these endings.")
        )

    from get_tags_train.core.home import find_data, reviews_dir
    from get_tags_train.core.logs import log_result
    from get_tags_train.data.decisions import SUSPICIONS
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.review.audit import Wanted, audit
    from get_tags_train.review.audit_sheet import foreseen_line, write_pairs, write_sheet
    from get_tags_train.text.tags import normalise_tag

    settings = session.load_settings(flag_overrides(training={"device": device}))
    prepared = PreparedData(find_data(settings.home, data))
    chosen = None if not tags else [normalise_tag(tag) for listed in tags for tag in listed.split(";") if tag.strip()]
    wanted = Wanted(count, (only,) if only else SUSPICIONS, chosen)
    flags = {"--count": count, "--only": only, "--output": output, "--device": device}
    flags |= {"--tags": ";".join(chosen) if chosen else None, "--with-bert": "" if with_bert else None}
    given = [word for flag, value in flags.items() if value is not None for word in (flag, str(value)) if word]
    session.resumed_by = Command("audit", *([data] if data else []), *given)
    on_event = session.start_log("audit", is_announced=with_bert)
    bert = _bert(settings, on_event) if with_bert else None
    found = audit(settings.home, prepared, wanted, seed=settings.training.seed, on_event=on_event, bert=bert)
    stem = reviews_dir(settings.home) / f"audit-{found.data}-{datetime.now():%Y%m%d-%H%M%S}"
    path = output.expanduser().absolute() if output else stem.with_suffix(".xlsx")
    pairs_path = stem.with_name(f"{stem.name}-pairs.csv") if found.pairs else None
    write_sheet(path, found)
    if pairs_path:
        write_pairs(pairs_path, found.pairs)
    said = foreseen_line(found.foreseen, len(found.suspects))
    log_result([english(said)])
    session.announce("done", said, data=found.data)
    session.console.result(_audit_as_json(found, path, pairs_path), _audit_lines(found, path, pairs_path, said))


def _bert(settings: "Settings", on_event: Any) -> Any:
    from get_tags_train.cli.audit_bert import halves_by_bert

    return partial(halves_by_bert, settings, on_event=on_event)


def _audit_as_json(found: "Audit", path: Path, pairs_path: Path | None) -> dict[str, Any]:
    return {
        "data": found.data,
        "path": str(path),
        "foreseen": {key: round(value, 1) for key, value in found.foreseen._asdict().items()},
        "decided_before": found.decided_before,
        "suspects": [
            {
                "id": suspect.document_id,
                "tag": suspect.tag,
                "suspicion": suspect.suspicion,
                "probability": round(suspect.probability, 4),
                "nearest": suspect.nearest,
            }
            for suspect in found.suspects
        ],
        "pairs_path": str(pairs_path) if pairs_path else None,
        "pairs": [
            {key: round(value, 4) if isinstance(value, float) else value for key, value in pair._asdict().items()}
            for pair in found.pairs
        ],
    }


def _audit_lines(found: "Audit", path: Path, pairs_path: Path | None, foreseen: str) -> "list[Line]":
    from get_tags_train.cli.tables import Listing

    if not found.suspects:
        return [_("There is no tag of {data} left to decide on.", data=found.data)]
    names = {"missing": _("missing"), "wrong": _("wrong")}
    rows = [
        [s.document_id, s.tag, names[s.suspicion], number(s.probability, ".0%"), ", ".join(s.nearest)]
        for s in found.suspects[:_SHOWN]
    ]
    columns = [_("Document"), _("Tag"), _("Suspicion"), _("Probability"), _("Nearest documents")]
    lines: list[Line] = [Listing(columns, rows, _("The first of {count}", count=number(len(found.suspects)))), foreseen]
    if found.decided_before:
        said = _n(
            "{count:,} tag was decided on before.", "{count:,} tags were decided on before.", found.decided_before
        )
        lines.append(said)
    if pairs_path:
        said = _n(
            "{count} pair of tags may be one and the same: {path}",
            "{count} pairs of tags may be one and the same: {path}",
            len(found.pairs),
            path=pairs_path,
        )
        lines.append(said)
    return [
        *lines,
        _("The list: {path}", path=path),
        _("Mark it, save it, then:\n{command}", command=Command("audit", "import", str(path))),
    ]


@audit_app.command("import")
def audit_import(
    session: Session, file: Annotated[Path, typer.Argument(help="The marked list.", show_default=False)]
) -> None:
    """Keep the decisions of a marked list, and write the changes for the database as SQL and CSV."""
    from get_tags_train.core.home import data_names, decisions_path, find_data
    from get_tags_train.core.logs import log_result
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.review.audit_import import import_marks

    settings = session.load_settings()
    data = PreparedData(find_data(settings.home, None)) if data_names(settings.home) else None
    session.start_log("audit-import")
    dialect = settings.database.url.partition(":")[0].partition("+")[0]
    found = import_marks(settings.home, file.expanduser().absolute(), data, dialect=dialect)
    said = _imported_lines(found, decisions_path(settings.home), offers_overlay=not settings.data.decisions)
    log_result(map(english, said))
    result = asdict(found) | {
        "foreseen": found.foreseen._asdict(),
        "bands": [band._asdict() for band in found.bands],
        "written": list(map(str, found.written)),
        "path": str(decisions_path(settings.home)),
    }
    session.console.result(result, said)


def _imported_lines(found: "Imported", path: Path, *, offers_overlay: bool) -> list[str]:
    lines = [
        _n(
            "{count:,} new decision in {path}: {errors:,} errors, {unsure:,} unsure; {unmarked:,} rows have no mark.",
            "{count:,} new decisions in {path}: {errors:,} errors, {unsure:,} unsure; {unmarked:,} rows have no mark.",
            found.decided,
            path=path,
            errors=found.errors,
            unsure=found.unsure,
            unmarked=found.unmarked,
        )
    ]
    if found.known:
        lines.append(_n("{count:,} was known before.", "{count:,} were known before.", found.known))
    if known := found.decided - found.unsure:
        lines.append(
            _(
                "Foreseen among these {known}: {foreseen} errors ({low} to {high}); found: {errors}.",
                known=number(known),
                foreseen=number(round(found.foreseen.errors)),
                low=number(round(found.foreseen.low)),
                high=number(round(found.foreseen.high)),
                errors=number(found.errors),
            )
        )
    lines += [
        _(
            "With a probability of {low} to {high}: {foreseen} of {decided} foreseen, {errors} found.",
            low=number(band.low, ".0%"),
            high=number(band.high, ".0%"),
            decided=number(band.decided),
            foreseen=number(band.foreseen, ".1f"),
            errors=number(band.errors),
        )
        for band in found.bands
    ]
    if found.written:
        table, script = found.written
        lines.append(
            _n(
                "{count:,} change for the database: {table}, {script}. Nothing was written to it.",
                "{count:,} changes for the database: {table}, {script}. Nothing was written to it.",
                found.changes,
                table=table,
                script=script,
            )
        )
        if offers_overlay:
            lines.append(_("To train with them until the database has them: decisions = true under [data]."))
    return lines
