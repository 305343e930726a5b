"""Make a model live, and go back to the one before.

Every change is five steps, each whole or not at all: a line in the history, a copy of the version beside the plain
folder, the API stopped (where a command says how), `current`, and the swap of the plain folder; then the API is
started. A kill between any two leaves what was live live, or the new one:

- before `current`: the line ends in a version that `current` does not name, so _stack passes over it.
- before the swap: the copy waits, and the last line ends in what `current` names; the next deploy or rollback swaps.
- before the API is started: the file `get_tags.stopped` says so to the next deploy or rollback.

Everything that takes space on the disk is written before `current`, so a full disk changes nothing that is live.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from time import perf_counter
from traceback import clear_frames

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageStarted, ignored
from get_tags_train.core.files import copy_folder, file_sha256, locked, remove_folder, rename, write_text
from get_tags_train.core.home import CURRENT, PARTIAL, is_folder_name, live_name
from get_tags_train.core.i18n import Command, _
from get_tags_train.deployment.api_switch import ApiSwitch
from get_tags_train.deployment.history import append_entry, read_history, stacks
from get_tags_train.model.metadata import METADATA_FILE, Probe, read_metadata, verify
from get_tags_train.model.probes import compare, refuse_no_numbers, take_probes
from get_tags_train.model.tagger import TagModel

PLAIN = "get_tags"
NO_API = ApiSwitch()


def deploy(
    model_folder: Path, live_dir: Path, *, keep_versions: int, on_event: OnEvent, api: ApiSwitch = NO_API
) -> Path:
    """Copy a model under versions, check it there, and make it live; returns the live folder.

    Raises GetTagsError where the model does not work, or the API does not answer as it does; then what was live
    is live again.
    """
    started = perf_counter()
    on_event(StageStarted("deploy"))
    with _exclusive(live_dir):
        _finish_interrupted(live_dir, api)
        version, probes = _checked_copy(model_folder, live_dir)
        was = _stack(live_dir)
        kept = _keep_foreign(live_dir, on_event)
        before = [*(name for name in was if name != version.name), *kept]
        _make_live(live_dir, [*before, version.name][-keep_versions:], action="deploy", api=api)
        _confirm(live_dir, probes, [*was, *kept], api)
        _remove_old(live_dir, on_event)
    on_event(StageFinished("deploy", perf_counter() - started))
    return version


def rollback(live_dir: Path, on_event: OnEvent = ignored, api: ApiSwitch = NO_API) -> Path:
    """Make the version before the live one live again. Raises InputError where there is none.

    Raises GetTagsError where that version does not work any more; then what was live stays live.
    """
    with _exclusive(live_dir):
        _finish_interrupted(live_dir, api)
        was = _stack(live_dir)
        before = [name for name in was[:-1] if (live_dir / "versions" / name).is_dir()]
        if not before:
            raise InputError(
                _("There is no version before the live one in {live_dir}.", live_dir=live_dir),
                _("To deploy one: {deploy}", deploy=Command("deploy")),
            )
        version = live_dir / "versions" / before.pop()
        # What was live before get-tags came need not load here.
        probes = _check(version) if read_metadata(version) else []
        kept = _keep_foreign(live_dir, on_event)
        _make_live(live_dir, [*before, *kept, version.name], action="rollback", api=api)
        _confirm(live_dir, probes, [*was, *kept], api)
    return version


def _checked_copy(model_folder: Path, live_dir: Path) -> tuple[Path, list[Probe]]:
    """The version of this model, copied unless it is there already, and seen to work; and its probes."""
    if not (model_folder / "config.json").is_file() or not any(model_folder.glob("*.safetensors")):
        what = _("a config.json and weights (*.safetensors)")
        raise InputError(
            _("{model_folder} is not a model folder: it needs {what}.", model_folder=model_folder, what=what),
            _("To list the models: {models}", models=Command("models")),
        )
    if read_metadata(model_folder):
        verify(model_folder)
    version = live_dir / "versions" / model_folder.name
    if version.exists() and not _same_model(model_folder, version):  # another model of this name
        version = version.with_name(f"{version.name}-{_now()}")
    is_new = not version.exists()
    if is_new:
        append_entry(
            live_dir, action="copy", name=version.name
        )  # first, so that what a kill leaves is known to be ours
        copy_folder(model_folder, version)
    try:
        return version, _check(version)
    except GetTagsError as error:
        if is_new:
            _let_go(error)
            with suppress(OSError):  # the model's error matters more; _remove_old tries again
                remove_folder(version)
        raise


def _let_go(error: BaseException) -> None:
    """Forget the models that the frames of an error hold: Windows removes no file that is mapped into memory."""
    for told in filter(None, (error, error.__cause__)):
        clear_frames(told.__traceback__)


def _check(version: Path) -> list[Probe]:
    """Compare the files with their checksums, load the model, ask it its probe texts; returns them with the answers."""
    metadata = read_metadata(version)
    if metadata:
        verify(version)
    model = TagModel(version)
    if metadata and metadata.probes:
        compare(model, metadata.probes, version.name)
        return metadata.probes
    answers = take_probes(model)
    refuse_no_numbers(answers, version.name)
    return answers


def _same_model(one: Path, other: Path) -> bool:
    return _checksums(one) == _checksums(other)


def _checksums(folder: Path) -> dict[str, str]:
    """Of the files that make a model, whoever made it; a Thumbs.db or a report beside them changes nothing."""
    suffixes = {".safetensors", ".onnx", ".bin", ".json", ".txt"}
    files = [
        path for path in folder.glob("*") if path.suffix in suffixes and path.name != METADATA_FILE and path.is_file()
    ]
    return {path.name: file_sha256(path) for path in files}


def _keep_foreign(live_dir: Path, on_event: OnEvent) -> list[str]:
    """What somebody else put where the live model goes, as a version to stand before ours; usually nothing.

    A copy: the folder stays in use until ours takes its place. A kill before that leaves it there, to be kept anew.
    """
    plain, live = live_dir / PLAIN, live_name(live_dir)
    if (
        not plain.is_dir()
        or not any(plain.iterdir())
        or (is_folder_name(live) and _same_model(plain, live_dir / "versions" / live))
    ):
        return []
    name = f"before-{_now()}"
    append_entry(live_dir, action="keep", name=name)
    copy_folder(plain, live_dir / "versions" / name)
    on_event(
        Notice(
            _(
                "{plain} was not put there by get-tags. It is kept as {name}. To return to it: {rollback}",
                plain=plain,
                name=name,
                rollback=Command("rollback"),
            )
        )
    )
    return [name]


def _make_live(live_dir: Path, versions: list[str], *, action: str, api: ApiSwitch) -> None:
    """Make the last of these versions live; the others are what a rollback goes back to."""
    name, following = versions[-1], live_dir / f"{PLAIN}.next"
    append_entry(live_dir, action=action, name=name, before=live_name(live_dir), versions=versions)
    copy_folder(live_dir / "versions" / name, following)
    try:
        with _stopped(live_dir, api):
            write_text(live_dir / CURRENT, name + "\n")
            _swap_plain(live_dir)
    except BaseException:
        if live_name(live_dir) != name:  # nothing has changed: the copy would only fill the disk
            remove_folder(following)
        raise


@contextmanager
def _stopped(live_dir: Path, api: ApiSwitch) -> Iterator[None]:
    """Inside, the API is stopped; it is started again whatever happens, after a kill by the next deploy or rollback."""
    marker = live_dir / f"{PLAIN}.stopped"
    may_be_stopped = marker.exists()  # by a run that was killed; many commands refuse to stop what does not run
    if api.is_switched:
        marker.touch()
    try:
        with suppress(GetTagsError) if may_be_stopped else nullcontext():
            api.stop()
        yield
    except BaseException:
        with suppress(GetTagsError):  # what went wrong first matters more
            api.start()
            marker.unlink(missing_ok=True)
        raise
    try:
        api.start()
    except GetTagsError as error:
        raise GetTagsError(
            _("{current} is live, but {message}", current=live_name(live_dir), message=error.message), error.hint
        ) from error
    with suppress(OSError):  # at worst the API is started once more
        marker.unlink(missing_ok=True)


def _confirm(live_dir: Path, probes: Sequence[Probe], was: list[str], api: ApiSwitch) -> None:
    """Ask the API whether it answers as the live model does; where it does not, make live again what was (a stack)."""
    try:
        api.check(probes)
    except GetTagsError as error:
        if not was or was[-1] == live_name(live_dir):
            raise GetTagsError(
                _("{current} is live, but: {message}", current=live_name(live_dir), message=error.message), error.hint
            ) from error
        _make_live(live_dir, was, action="undo", api=api)
        raise GetTagsError(
            _("{message} {was} is live again.", message=error.message, was=was[-1]), error.hint
        ) from error


def _swap_plain(live_dir: Path) -> None:
    """Put the waiting copy in place of the plain folder. Raises GetTagsError where a program holds that one."""
    plain, previous, following = (live_dir / name for name in (PLAIN, f"{PLAIN}.previous", f"{PLAIN}.next"))
    try:
        if plain.exists():
            remove_folder(previous)
            rename(plain, previous)
        try:
            rename(following, plain)
        except OSError:
            if previous.exists():
                rename(previous, plain)
            raise
    except OSError as error:
        held = isinstance(error, PermissionError)  # so Windows says it of a folder whose files are open
        raise GetTagsError(
            _(
                "{current} is live for readers of {live_dir}, but the plain folder {plain} {why}.",
                current=live_name(live_dir),
                live_dir=live_dir / CURRENT,
                plain=plain,
                why=_("is held by a program") if held else _("could not be replaced: {error}", error=error),
            ),
            # not "rollback again", which would go one further back, nor "deploy", which takes the newest model
            _(
                "Stop the API and deploy again: {deploy}\nOr have it stopped and started: before_command and "
                "after_command under [deploy].",
                deploy=Command("deploy", "live"),
            ),
        ) from error
    with suppress(OSError):  # in nobody's way; the next swap removes it
        remove_folder(previous)


def _finish_interrupted(live_dir: Path, api: ApiSwitch) -> None:
    """Go on where an earlier run was stopped after `current`; undo what one stopped before it began."""
    for torn in live_dir.glob(f"{CURRENT}.*.tmp"):
        torn.unlink()
    following, live = live_dir / f"{PLAIN}.next", live_name(live_dir)
    lines = read_history(live_dir)
    intended = next((line["name"] for line in reversed(lines) if line.get("versions")), "")
    if following.exists():
        if intended == live:  # the copy was made after the last line, so it is of its model
            with _stopped(live_dir, api):
                _swap_plain(live_dir)
        else:
            remove_folder(following)
    if intended and intended != live and lines[-1]["action"] != "undone":
        append_entry(live_dir, action="undone", name=intended)
    if (live_dir / f"{PLAIN}.stopped").exists():
        with _stopped(live_dir, api):
            pass  # stopped once more, so that the start finds what it expects


def _stack(live_dir: Path) -> list[str]:
    """The versions one can go back to, oldest first, and the live one last: the last line that ends in it."""
    live, all_stacks = live_name(live_dir), stacks(live_dir)
    if not live:
        return []
    put_there_by_hand = [*(all_stacks[-1] if all_stacks else []), *([live] if is_folder_name(live) else [])]
    return next((stack for stack in reversed(all_stacks) if stack[-1] == live), put_there_by_hand)


def _remove_old(live_dir: Path, on_event: OnEvent) -> None:
    """Remove the versions that get-tags put there and no longer keeps, their torn copies too, and nothing else."""
    old = {line["name"] for line in read_history(live_dir)} - set(_stack(live_dir))
    for version in (live_dir / "versions").iterdir():
        if version.name.removesuffix(PARTIAL) in old:
            torn = version.with_name(version.name.removesuffix(PARTIAL) + PARTIAL)
            try:
                if version != torn:  # nothing half removed keeps the name
                    remove_folder(torn)
                    rename(version, torn)
                remove_folder(torn)
            except OSError as error:
                on_event(
                    Notice(
                        _("The old version {version} could not be removed: {error}.", version=version, error=error),
                        "warning",
                    )
                )


def _now() -> str:
    return f"{datetime.now():%Y%m%d-%H%M%S-%f}"


@contextmanager
def _exclusive(live_dir: Path) -> Iterator[None]:
    """One deploy or rollback at a time; what the system refuses is said in words."""
    busy = GetTagsError(
        _("Another deploy or rollback is running in {live_dir}.", live_dir=live_dir), _("Wait for it and try again.")
    )
    was = None
    try:
        with locked(live_dir / "deploy.lock", lambda: busy):
            was = live_name(live_dir)
            yield
    except OSError as error:
        with suppress(OSError):
            if was is not None and (live := live_name(live_dir)) != was:
                raise GetTagsError(
                    _(
                        "{live} is live, but the change in {live_dir} was not completed: {error}.",
                        live=live,
                        live_dir=live_dir,
                        error=error,
                    ),
                    _(
                        "Fix the cause (disk space, permissions, a lost network share), then run: {deploy}",
                        deploy=Command("deploy", "live"),
                    ),
                ) from error
        raise GetTagsError(
            _("The change in {live_dir} failed; the live model is unchanged: {error}.", live_dir=live_dir, error=error),
            _("Fix the cause (disk space, permissions, a lost network share) and run it again."),
        ) from error
