"""The command `get-tags report`: all that is known of how good a model is."""

from get_tags_train.cli.app import App, ModelArgument
from get_tags_train.cli.session import Session
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import Command, _

report_app = App()


@report_app.command()
def report(session: Session, model: ModelArgument = None) -> None:
    """Show all figures of a model, and open its report where there is a desktop; default: the newest."""
    from get_tags_train.cli.desktop import open_on_desktop
    from get_tags_train.cli.results import evaluation_lines, verdict_lines
    from get_tags_train.core.home import find_model, live_name
    from get_tags_train.evaluation.verdict import as_of_today, judge
    from get_tags_train.model.metadata import own_metadata

    live_dir = session.load_settings().live_dir
    folder = find_model(session.home, live_dir, model)
    metadata = own_metadata(folder)
    evaluation = metadata.evaluation
    if evaluation is None:
        raise InputError(
            _("{name} was never evaluated.", name=folder.name),
            _("Evaluate it first: {evaluate}", evaluate=Command("evaluate", model or folder.name)),
        )
    path = folder / "report.html"
    shown = as_of_today(evaluation.model_dump(), folder.name, live_name(live_dir) or None, metadata.judgements)
    by_people = [one.sentence for one in reversed(metadata.judgements)]
    lines = [*verdict_lines(judge(shown)), *by_people, *evaluation_lines(shown), _("Report: {path}", path=path)]
    session.console.result({"path": str(path), "evaluation": shown}, lines)
    if not session.console.as_json:
        open_on_desktop(path)
