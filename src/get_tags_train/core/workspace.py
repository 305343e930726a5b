"""Unfinished work: claimed under a lock that a kill releases, found again by its plan."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from get_tags_train.core.claims import Claim, claim, holder
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.files import locked, read_json, remove_folder, rename, write_json
from get_tags_train.core.home import PARTIAL, locks_dir, unfinished
from get_tags_train.core.i18n import Command, _

PLAN = "plan.json"


class Workspace(NamedTuple):
    """A NAME.partial folder, held until the end of a `with`; `resumed` where an earlier run began it."""

    folder: Path
    lock: Claim
    resumed: bool

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    @property
    def name(self) -> str:
        """The name that the finished folder will have."""
        return self.folder.name.removesuffix(PARTIAL)

    def publish(self) -> Path:
        """Give the finished folder its name."""
        target = self.folder.with_name(self.name)
        rename(self.folder, target)
        (target / PLAN).unlink()  # last: until the rename, the plan is what a continued run knows its work by
        return target

    def discard(self) -> None:
        """Remove all that was done."""
        remove_folder(self.folder)


def open_workspace(
    home: Path, parent: Path, plan: dict[str, Any], *, new_name: Callable[[], str], on_event: OnEvent
) -> Workspace:
    """Resume the unfinished work in `parent` that has this plan, else claim `new_name()`.

    Unfinished work of another plan stays as it is, and a notice says what differs. Raises GetTagsError where another
    process is at work on this plan.
    """
    busy = GetTagsError(_("Another run is just starting in this home."), _("Try again in a moment."))
    with locked(locks_dir(home) / "claims.lock", lambda: busy, timeout_seconds=30):
        for folder in unfinished(parent):
            theirs = read_plan(folder)
            if (lock := claim(home, folder.name)) is None:
                if theirs and not differences(theirs, plan):
                    raise _same_work(home, folder)
                continue
            if theirs and not differences(theirs, plan):
                for torn in folder.glob("*.tmp"):
                    torn.unlink()
                return Workspace(folder, lock, resumed=True)
            if theirs:
                on_event(Notice(_not_continued(folder, theirs, plan)))
            elif all(path.name.startswith(PLAN) for path in folder.iterdir()):
                remove_folder(folder)  # killed before it had begun
            lock.release()
        folder = parent / (new_name() + PARTIAL)
        if (lock := claim(home, folder.name)) is None:
            raise busy
        folder.mkdir(parents=True)
        write_json(folder / PLAN, plan)
        return Workspace(folder, lock, resumed=False)


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of unfinished work; empty where it has none."""
    try:
        plan = read_json(folder / PLAN)
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def differences(theirs: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """What keeps unfinished work with the plan `theirs` from being continued under `plan`, in words."""
    differing = []
    for key in {**plan, **theirs}:
        value, other = plan.get(key), theirs.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            differing += [
                _("{key} was {before} and is {now}", key=k, before=other.get(k), now=v)
                for k, v in value.items()
                if other.get(k) != v
            ]
        elif other != value:
            differing.append(_("{what} changed", what=key.removesuffix("_sha256").replace("_", " ")))
    return differing


def _not_continued(folder: Path, theirs: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    group = "models" if folder.parent.name == "_models" else "data"
    differing = "; ".join(differences(theirs, plan))
    return _(
        "The unfinished {name} is not resumed: {differing}. To resume it, restore the original settings. "
        "To delete it: {remove}",
        name=folder.name,
        differing=differing,
        remove=Command(group, "remove", folder.name),
    )


def _same_work(home: Path, folder: Path) -> GetTagsError:
    return GetTagsError(
        _("The same work is under way: {name}, {holder}.", name=folder.name, holder=holder(home, folder.name)),
        _("Wait until it is done, or stop it there with Ctrl-C: the same command then continues it."),
    )
