"""What a long run needs, checked before it starts."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from get_tags_train.core.claims import holders
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import folder_bytes, write_text
from get_tags_train.core.home import PARTIAL, live_model, models_dir, unfinished
from get_tags_train.core.i18n import N_, Command, _, _n, number
from get_tags_train.core.settings import Settings, TrainingSettings
from get_tags_train.core.trackers import check_tracker
from get_tags_train.maintenance.check import Check
from get_tags_train.maintenance.database_check import check_database, check_database_in_short
from get_tags_train.maintenance.retention import find_unneeded
from get_tags_train.model.base_model import check_base_model, count_parameters
from get_tags_train.model.device import choose_device, choose_precision, gpu_users
from get_tags_train.model.disk_room import bytes_to_train
from get_tags_train.model.metadata import file_checksums, verify
from get_tags_train.splits.test_samples import FEW, Samples
from get_tags_train.text.hub import why_unreachable
from get_tags_train.text.romanian import romanian_loss
from get_tags_train.text.tokenizer import load_tokenizer

_LOW_DISK_BYTES = 10 * 2**30
# Characters of the longest path that a run makes in a home: a checkpoint's file while it is written.
_LONGEST_BELOW_HOME = 120
_SHOWN_OLD = 5


def run_checks(settings: Settings, *, quick: bool = False) -> Iterator[Check]:
    """Check everything, one result at a time; a check that fails does not stop the others.

    quick: what takes seconds, for this run's source; the database is asked for a few documents only.
    """
    home, live_dir, training = settings.home, settings.live_dir, settings.training
    checks: dict[str, Callable[[], Check]] = {
        N_("home"): lambda: _home(home),
        N_("other runs"): lambda: _other_runs(home),
        N_("disk"): lambda: _disk(home, settings.base_model),
        N_("old files"): lambda: _old_files(home, live_dir),
        N_("database"): lambda: check_database(settings),
        N_("base model"): lambda: _base_model(settings.base_model, training.context_length),
        N_("device"): lambda: _device(training),
        N_("tracker"): lambda: _tracker(training.report_to),
        N_("test samples"): lambda: _samples(settings.samples_path),
        N_("live model"): lambda: _live(live_dir),
    }
    if quick:
        del checks["database"], checks["live model"]
        if settings.source.kind != "cached":
            checks = {"database": lambda: check_database_in_short(settings), **checks}
    for name, check in checks.items():
        try:
            yield check()
        except GetTagsError as error:
            yield Check(name, "error", error.message, error.hint)
        except OSError as error:
            yield Check(
                name, "error", f"{error.filename}: {error.strerror}", _("Check the folder and its permissions.")
            )


def _home(home: Path) -> Check:
    probe = home / "_logs" / "doctor.probe"
    was_there = probe.parent.is_dir()
    try:
        place = _write_probe(probe)
    except OSError as error:
        hint = _missing_drive(home) or _("Check its permissions, or choose another home folder.")
        return Check("home", "error", _("{home} cannot be written: {reason}.", home=home, reason=error.strerror), hint)
    try:
        _write_probe(probe.with_name(probe.name.ljust(_LONGEST_BELOW_HOME - len("_logs/"), "x")))
    except OSError as error:
        said = _("The paths in {home} would become too long: {reason}.", home=home, reason=error.strerror)
        hint = _("Choose a home folder with a shorter path, or allow long paths: docs/windows.md says how.")
        return Check("home", "error", said, hint)
    finally:
        if not was_there:
            probe.parent.rmdir()
    if "LocalCache" in {*place.parts} - {*home.parts}:
        said = _("What is written to {home} goes to {place}, where no other program finds it.", home=home, place=place)
        hint = _("A Python from the Microsoft Store does that in AppData: choose a home folder somewhere else.")
        return Check("home", "warning", said, hint)
    return Check("home", "ok", str(home))


def _write_probe(probe: Path) -> Path:
    """Write a file and remove it; returns where it really was."""
    write_text(probe, "")
    place = probe.resolve().parent
    probe.unlink()
    return place


def _missing_drive(home: Path) -> str:
    """What to do where the drive of the home is not there; '' where it is."""
    if not home.drive or Path(home.anchor).exists():
        return ""
    return _(
        "There is no {drive} for this user. A mapped drive belongs to who mapped it, and a scheduled task runs as "
        r"another user: name the folder as \\server\share\folder.",
        drive=home.drive,
    )


def _other_runs(home: Path) -> Check:
    held = [f"{name.removesuffix(PARTIAL)}: {who}" for name, who in holders(home).items()]
    if not held:
        return Check("other runs", "ok", _("none"))
    hint = _("Two runs share the memory and the processor, and each takes longer; the same work is refused.")
    return Check("other runs", "warning", "\n".join([_("Under way in this home:"), *held]), hint)


def _disk(home: Path, base_model: str) -> Check:
    existing = next((folder for folder in [home, *home.parents] if folder.is_dir()), None)
    if existing is None:
        return Check("disk", "error", _("The drive of {home} is not there.", home=home), _missing_drive(home))
    free = shutil.disk_usage(existing).free
    message = _("{free:,.0f} GB free", free=free / 2**30)
    needed = _bytes_still_to_write(home, base_model)
    if free < needed:
        said = _(
            "{message}; the checkpoints and the model take {needed:,.1f} GB.", message=message, needed=needed / 2**30
        )
        hint = _(
            "Free some space ({data}, {models}), or move the home folder to another disk.",
            data=Command("data"),
            models=Command("models"),
        )
        return Check("disk", "error", said, hint)
    if free < _LOW_DISK_BYTES:
        hint = _("Remove old data and models: {data}, {models}", data=Command("data"), models=Command("models"))
        return Check(
            "disk",
            "warning",
            _("{message}; 170,000 documents and their training need about 10 GB.", message=message),
            hint,
        )
    return Check("disk", "ok", message)


def _bytes_still_to_write(home: Path, base_model: str) -> int:
    """What a training will write, less what an unfinished one has; 0 where the base model cannot be had."""
    try:
        needed = bytes_to_train(count_parameters(base_model))
    except GetTagsError:
        return 0  # a check of its own says so
    return needed - sum(map(folder_bytes, unfinished(models_dir(home))))


def _tracker(report_to: str) -> Check:
    check_tracker(report_to)
    return Check("tracker", "ok", _("none") if report_to == "none" else report_to)


def _live(live_dir: Path) -> Check:
    """Whether what `current` names is whole, and the plain folder equal to it."""
    if not (live_dir / "current").exists():
        return Check("live model", "ok", _("none yet in {live_dir}", live_dir=live_dir))
    folder = live_model(live_dir)
    files = file_checksums(folder)
    if files:
        verify(folder)
    if files and file_checksums(live_dir / "get_tags") != files:
        said = _("{name} is live, but {plain} holds another model.", name=folder.name, plain=live_dir / "get_tags")
        hint = _("A change was interrupted. To finish it: {deploy}", deploy=Command("deploy", "live"))
        return Check("live model", "warning", said, hint)
    return Check("live model", "ok", folder.name)


def _old_files(home: Path, live_dir: Path) -> Check:
    found = find_unneeded(home, live_dir)
    if not found:
        return Check("old files", "ok", _("Nothing to remove."))
    named = "; ".join(f"{one.folder.name} ({_size(one.bytes)})" for one in found[:_SHOWN_OLD])
    if len(found) > _SHOWN_OLD:
        named = _("{listed} and {more:,} more", listed=named, more=len(found) - _SHOWN_OLD)
    message = _("{size} can be removed: {named}.", size=_size(sum(one.bytes for one in found)), named=named)
    if left := sum(one.is_unfinished for one in found):
        message += " " + _n(
            "{count} of them was never finished: the command that began it continues it.",
            "{count} of them were never finished: the command that began them continues them.",
            left,
        )
    hint = _("How many are kept by themselves: [keep]. To remove one:\n{command}", command=found[0].command)
    return Check("old files", "ok", message, hint)


def _size(count: int) -> str:
    return f"{number(count / 1e9, ',.1f')} GB" if count >= 1e8 else f"{number(count / 1e6, ',.1f')} MB"


def _base_model(base_model: str, context_length: int) -> Check:
    tokenizer = load_tokenizer(base_model)
    check_base_model(base_model, context_length, tokenizer)
    if lost := romanian_loss(tokenizer):
        hint = _(
            "Beside a vocab.txt there should be the model's own tokenizer.json, or tokenizer_config.json with "
            "do_lower_case and strip_accents; or choose a base model that knows Romanian."
        )
        return Check("base model", "warning", f"{base_model}: {lost}", hint)
    if not Path(base_model).is_dir() and (why := why_unreachable()):
        base_model = _("{base_model}, as it was downloaded earlier: {why}.", base_model=base_model, why=why)
    return Check("base model", "ok", base_model)


def _device(training: TrainingSettings) -> Check:
    device = choose_device(training.device)
    precision = choose_precision(training.precision, device)
    if device == "cpu":
        hint = _("Without an NVIDIA GPU training is many times slower: 170,000 documents take days.")
        return Check(
            "device",
            "warning",
            _(
                "The processor, {threads}, {precision}.",
                threads=_n("{count} thread", "{count} threads", torch.get_num_threads()),
                precision=precision,
            ),
            hint,
        )
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    message = f"{torch.cuda.get_device_name()}, {memory:.0f} GB, {precision}"
    if users := gpu_users():
        hint = _("Training has less memory then; stop what need not run meanwhile, the API for one.")
        return Check(
            "device",
            "warning",
            _("{gpu}; its memory is also used by {users}", gpu=message, users=", ".join(users)),
            hint,
        )
    return Check("device", "ok", message)


def _samples(path: Path) -> Check:
    if not path.exists():
        said = _("There are none yet ({path}): models are scored on held-out documents.", path=path)
        hint = _(
            "Write them, or have them made once data are extracted: {add}",
            add=Command("samples", "add", "--count", str(FEW)),
        )
        return Check("test samples", "warning", said, hint)
    samples = Samples.read(path)
    message = _n("{count} example in {path}", "{count} examples in {path}", len(samples.texts), path=samples.path)
    if len(samples.texts) < FEW:
        hint = _(
            "Extend them to at least {few}: {add}",
            few=FEW,
            add=Command("samples", "add", "--count", str(FEW - len(samples.texts))),
        )
        return Check(
            "test samples", "warning", _("{message}: too few to tell two models apart.", message=message), hint
        )
    return Check("test samples", "ok", message)
