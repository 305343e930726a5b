"""Which model is live, beside another one."""

from pathlib import Path

from get_tags_train.core.errors import InputError
from get_tags_train.core.home import live_model
from get_tags_train.model.metadata import file_checksums


def find_live(folder: Path, live_dir: Path) -> Path | None:
    """The live model to compare the one in `folder` with, also one that another tool put there; None where it is it."""
    live = live_folder(live_dir)
    return None if live is None or _is_same(folder, live) else live


def live_folder(live_dir: Path) -> Path | None:
    """The folder of what is live, also where another tool put it there; None where nothing is."""
    try:
        return live_model(live_dir)
    except InputError:
        live = live_dir / "get_tags"
        return live if (live / "config.json").is_file() else None


def _is_same(folder: Path, other: Path) -> bool:
    files = file_checksums(folder)
    return folder.resolve() == other.resolve() or bool(files and files == file_checksums(other))
