"""The command `get-tags drift`: is retraining worth it, for people, for programs, and as the first step of train."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from get_tags_train.cli.app import App, DeviceOption, TopKOption
from get_tags_train.cli.session import Session, flag_overrides

if TYPE_CHECKING:
    from get_tags_train.core.settings import Settings

drift_app = App()

EXIT_CODES = {"retrain": 0, "wait": 4, "not enough": 5}
"""The exit code of each advice; a scheduler retrains on 0."""
COUNT = 2000
CountOption = Annotated[int, typer.Option("--count", min=50, help="How many newer documents to read at most.")]


@drift_app.command()
def drift(session: Session, count: CountOption = COUNT, top_k: TopKOption = None, device: DeviceOption = None) -> None:
    """Say whether retraining is worth it, by newer documents; exit code 0 yes, 4 no, 5 not enough documents to say."""
    from get_tags_train.cli.drift_lines import drift_lines
    from get_tags_train.core.i18n import Command

    settings = session.load_settings(flag_overrides(evaluation={"top_k": top_k}, training={"device": device}))
    session.resumed_by = Command("drift", "--count", str(count))
    found = check_drift(session, settings, count)
    session.console.result(found, drift_lines(found))
    session.announce("done", found["sentence"], advice=found["advice"])
    if code := EXIT_CODES[found["advice"]]:
        raise typer.Exit(code)


def check_drift(session: Session, settings: "Settings", count: int = COUNT) -> dict[str, Any]:
    """What newer documents say of the live model, as JSON, with the seconds that a retraining would take; logged."""
    from get_tags_train.core.i18n import english
    from get_tags_train.core.logs import log_result
    from get_tags_train.maintenance.estimate import estimate_run
    from get_tags_train.review.drift import measure_drift

    on_event = session.start_log("drift", reads_database=True, is_announced=True)
    found = measure_drift(settings, count=count, on_event=on_event).as_json()
    outlook = estimate_run(settings)
    training = outlook.training_seconds
    found["retraining_seconds"] = None if training is None else round(training + (outlook.data_seconds or 0.0))
    log_result([english(found["sentence"])])
    return found
