"""The commands `get-tags judge ...`: which of two models people prefer, blind."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from get_tags_train.cli.app import App, DeviceOption, ModelArgument, RunsByDefault
from get_tags_train.cli.session import Session, flag_overrides
from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice
from get_tags_train.core.i18n import Command, _, _n, display_name, english

if TYPE_CHECKING:
    import numpy as np

    from get_tags_train.cli.tables import Line
    from get_tags_train.core.events import OnEvent
    from get_tags_train.core.settings import Settings
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.model.judgement_record import ControlRecord, JudgementRecord, ShareRecord
    from get_tags_train.review.judge import Judgement
    from get_tags_train.review.judge_plan import Plan
    from get_tags_train.review.judge_pool import Pool

_ROWS = 200
_SHOWN = 20

judge_app = App(cls=RunsByDefault, help="Find out which model people prefer, this one or the live one: a blind sheet.")


@judge_app.command("draw")
def judge_draw(
    session: Session,
    model: ModelArgument = None,
    difference: Annotated[
        float | None,
        typer.Option("--difference", min=0.0001, max=1, help="As many rows as show this difference in precision@k."),
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="About so many rows instead; default: 200.")] = None,
    newer: Annotated[
        bool, typer.Option("--newer", help="Also documents newer than the live model's data, as drift read them last.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The .xlsx or .csv file to write.")] = None,
    device: DeviceOption = None,
) -> None:
    """Write a sheet of tags on which a model and the live one differ, for people to mark; default: the newest."""
    import numpy as np

    from get_tags_train.review import judge as stage
    from get_tags_train.review import judge_plan
    from get_tags_train.review.judge_sheet import key_path

    if difference is not None and rows is not None:
        raise InputError(_("--difference and --rows were both given."), _("Give one of them."))
    settings = session.load_settings(flag_overrides(training={"device": device}))
    path = _target(out)
    folders = _model_and_live(settings, model)
    on_event = session.start_log("judge")
    rng = np.random.default_rng()
    pool = _pool(settings, folders, rng, on_event, with_newer=newer)
    if difference is not None:
        plan = judge_plan.plan_for_difference(pool, difference)
    else:
        plan = judge_plan.plan_for_rows(pool, rows or _ROWS)
    on_event(Notice(_plan_sentence(plan, pool)))
    key, written = stage.make_sheet(settings.home, folders, pool, plan, path=path, rng=rng)
    result = {
        "sheet": key.sheet,
        "path": str(written),
        "model": key.model,
        "live": key.live,
        "top_k": key.top_k,
        "documents": key.documents,
        "differing": len(key.known),
        "to_judge": len(key.judged),
        "rows": len(key.rows),
        "difference": round(plan.difference, 6),
    }
    said = _("The sheet for the judge: {path}", path=written)
    secret = _(
        "{key} says which model each tag came from: keep it from the judge.", key=key_path(settings.home, key.sheet)
    )
    then = _("When it is marked: {command}", command=Command("judge", "import", str(written)))
    session.console.result(result, [said, secret, then])


@judge_app.command("import")
def judge_import(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The sheet as it came back.")],
    second: Annotated[
        Path | None, typer.Argument(help="The same sheet from a second judge.", show_default=False)
    ] = None,
) -> None:
    """Take a marked sheet, or two of it by two judges: which model people prefer, and how sure that is."""
    from get_tags_train.core.home import models_dir
    from get_tags_train.core.logs import log_result
    from get_tags_train.evaluation.report import write_pages
    from get_tags_train.review import judge as stage

    settings = session.load_settings()
    on_event = session.start_log("judge")
    judgement = stage.judge_marks(settings.home, [path.expanduser() for path in (file, second) if path])
    record = judgement.record
    folders = [models_dir(settings.home) / name for name in (record.model, record.rival)]
    kept = stage.keep(record, judgement.key, folders)
    for folder in kept:
        write_pages(folder)
    if record.model not in [folder.name for folder in kept]:
        said = _("{name} is no longer among the models, or has changed: the verdict is not kept.", name=record.model)
        on_event(Notice(said, "warning"))
    log_result([english(record.sentence)])
    result = {**record.as_json(), "disagreeing": judgement.disagreements(), "kept_in": [str(one) for one in kept]}
    session.console.result(result, list(_judgement_lines(judgement)))


def _target(out: Path | None) -> Path | None:
    """Where the sheet is to go. Raises InputError for what is neither a workbook nor CSV."""
    if out is not None and out.suffix.lower() not in (".xlsx", ".csv"):
        raise InputError(_("A sheet is a .xlsx or a .csv file, not {out}.", out=out.name), _("Give it such an ending."))
    return out.expanduser().absolute() if out else None


def _model_and_live(settings: "Settings", model: str | None) -> tuple[Path, Path]:
    """The folders of the two. Raises InputError where nothing is live, or the model is it."""
    from get_tags_train.core.home import find_model, live_model
    from get_tags_train.model.live import find_live

    folder = find_model(settings.home, settings.live_dir, model)
    live = find_live(folder, settings.live_dir)
    if live is None:
        live = live_model(settings.live_dir)
        raise InputError(
            _("{name} is the live model: there is nothing to compare it with.", name=live.name),
            _("Name another one; to list the models: {models}", models=Command("models")),
        )
    return folder, live


def _pool(
    settings: "Settings",
    folders: tuple[Path, Path],
    rng: "np.random.Generator",
    on_event: "OnEvent",
    *,
    with_newer: bool,
) -> "Pool":
    """The documents that neither model has seen, with the first tags of both.

    Raises InputError where newer ones are wanted and none were read.
    """
    from get_tags_train.core.home import data_names, find_data
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.model.device import choose_device
    from get_tags_train.review.judge_pool import compare_documents, unseen_documents
    from get_tags_train.splits.test_samples import Samples

    home = settings.home
    samples = Samples.read_if_there(settings.samples_path, read_tags_map(settings.tags_map_path))
    data = PreparedData(find_data(home, None)) if data_names(home) else None
    return compare_documents(
        unseen_documents(home, samples, data, folders, rng, _newer(home) if with_newer else None),
        folders,
        top_k=settings.evaluation.top_k,
        device=choose_device(settings.training.device),
        read_by=settings.deploy.read_by,
        on_event=on_event,
    )


def _newer(home: Path) -> "PreparedData":
    from get_tags_train.review.drift_documents import last_sample

    newer = last_sample(home)
    if newer is None:
        raise InputError(_("No newer documents were read yet."), _("To read them: {drift}", drift=Command("drift")))
    return newer


def _plan_sentence(plan: "Plan", pool: "Pool") -> str:
    return _n(
        "The two differ on {differing:,} of {documents:,} documents that neither has seen. {count:,} of them is to be "
        "judged, in about {rows:,} rows: a difference of {difference:.3f} in precision@{k} then shows 8 times in 10.",
        "The two differ on {differing:,} of {documents:,} documents that neither has seen. {count:,} of them are to be "
        "judged, in about {rows:,} rows: a difference of {difference:.3f} in precision@{k} then shows 8 times in 10.",
        plan.documents,
        differing=len(pool.differing),
        documents=pool.documents,
        rows=plan.rows,
        difference=plan.difference,
        k=pool.top_k,
    )


def _judgement_lines(judgement: "Judgement") -> "Iterator[Line]":
    """What people read of a judgement."""
    from get_tags_train.cli.tables import Listing

    record = judgement.record
    yield record.sentence
    if left := len(judgement.key.judged) - record.judged:
        yield _n(
            "{count:,} document has rows without a mark and does not count.",
            "{count:,} documents have rows without a mark and do not count.",
            left,
        )
    if record.verdict == "not distinguishable" and record.needed and record.needed > record.judged:
        yield _("About {needed:,} judged documents would show a difference as large as this.", needed=record.needed)
    for judge, controls in enumerate(record.controls, start=1):
        if controls.care is not None:
            yield from ([_("Judge {number}:", number=judge)] if len(record.controls) > 1 else [])
            yield _control_line(controls)
    yield from _database_lines(record)
    if record.disagreements is not None:
        yield from _agreement_lines(record)
        rows = [[one["document"], one["tag"], *map(display_name, one["marks"])] for one in judgement.disagreements()]
        if rows:
            yield Listing([_("document"), _("tag"), _("first judge"), _("second judge")], rows[:_SHOWN])


def _control_line(controls: "ControlRecord") -> str:
    return _(
        "Control rows: {agreed_right:g} of {agreed} on which both models and the database agree were called right, "
        "{absurd_right:g} of {absurd} absurd ones.",
        agreed_right=controls.agreed_right,
        agreed=controls.agreed,
        absurd_right=controls.absurd_right,
        absurd=controls.absurd,
    )


def _database_lines(record: "JudgementRecord") -> "Iterator[str]":
    """How right the database is where the two models differ."""
    if share := record.right_though_wrong:
        yield _(
            "Wrong by the database, right by people: {count:,} of {rows:,} ({share:.0%}; {low:.0%} to {high:.0%}).",
            **_share(share),
        )
    if share := record.wrong_though_right:
        yield _(
            "Right by the database, wrong by people: {count:,} of {rows:,} ({share:.0%}; {low:.0%} to {high:.0%}).",
            **_share(share),
        )


def _share(share: "ShareRecord") -> dict[str, float]:
    low, high = share.interval
    return {"count": share.count, "rows": share.rows, "share": share.count / share.rows, "low": low, "high": high}


def _agreement_lines(record: "JudgementRecord") -> "Iterator[str]":
    yield _n(
        "The two judges differ on {count:,} row.", "The two judges differ on {count:,} rows.", record.disagreements or 0
    )
    if record.kappa is not None:
        yield _("Cohen’s kappa: {kappa:.2f} (1 is perfect agreement, 0 is chance).", kappa=record.kappa)
