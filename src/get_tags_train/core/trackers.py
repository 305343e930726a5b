"""Whether the package is there that a training is to report to."""

from importlib.util import find_spec

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _


def check_tracker(report_to: str) -> None:
    """Raise InputError where the package that a training is to report to is not installed."""
    if report_to != "none" and not find_spec(report_to):
        raise InputError(
            _(
                'report_to = "{report_to}" needs the package {packages}, which is not installed.',
                report_to=report_to,
                packages=report_to,
            ),
            _(
                'Install it into the same environment (pip install {packages}), or set report_to = "none".',
                packages=report_to,
            ),
        )
