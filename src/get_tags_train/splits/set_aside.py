"""Everything that must not be trained on: held-out documents and leaks of the test samples."""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageStarted
from get_tags_train.core.home import held_out_path, logs_dir
from get_tags_train.core.i18n import _, _n
from get_tags_train.core.settings import Settings
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.held_out import HeldOut, hold_out
from get_tags_train.splits.leaks import Leak, find_trainable_leaks, write_leaks
from get_tags_train.splits.test_samples import Samples


def set_aside(
    settings: Settings, data: PreparedData, samples: Samples, on_event: OnEvent
) -> tuple[NDArray[np.bool_], HeldOut]:
    """Which documents are also test samples, or nearly, and which are held out.

    Raises GetTagsError where there are leaks and the setting says stop.
    """
    started = perf_counter()
    on_event(StageStarted("set_aside"))
    leaks, leaked = find_trainable_leaks(settings.home, samples, data)
    if leaks:
        _report_leaks(settings, data, samples, leaks, on_event)
    held_out = hold_out(settings.home, data, settings.evaluation.held_out, leaked)
    on_event(StageFinished("set_aside", perf_counter() - started))
    if held_out.left_out.any():
        said = _(
            "Held out: {validation:,} documents for validation, {test:,} for testing ({path}).",
            validation=held_out.validation.sum(),
            test=held_out.test.sum(),
            path=held_out_path(settings.home),
        )
        if near_duplicates := int(held_out.near_duplicates.sum()):
            too = _n(
                "{count:,} near-duplicate of them is left out of training too.",
                "{count:,} near-duplicates of them are left out of training too.",
                near_duplicates,
            )
            said = f"{said} {too}"
        on_event(Notice(said))
    return leaked, held_out


def _report_leaks(
    settings: Settings, data: PreparedData, samples: Samples, leaks: list[Leak], on_event: OnEvent
) -> None:
    listed = logs_dir(settings.home) / f"leaks-{data.name}.csv"
    write_leaks(listed, leaks, samples)
    said = _n(
        "{count:,} document is also a test sample, or nearly; it is listed in {listed}.",
        "{count:,} documents are also test samples, or nearly; they are listed in {listed}.",
        len(leaks),
        listed=listed,
    )
    if settings.evaluation.leaks == "stop":
        hint = _('Remove these examples, or leave the documents out: leaks = "leave_out" under [evaluation].')
        raise GetTagsError(said, hint)
    left = (
        _("They are left out of training.")
        if settings.evaluation.leaks == "leave_out"
        else _("They are trained on anyway.")
    )
    on_event(Notice(f"{said} {left}", "warning"))
