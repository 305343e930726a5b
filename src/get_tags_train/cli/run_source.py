"""Where a run's documents come from, as flags say it."""

from pathlib import Path
from typing import TYPE_CHECKING

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _

if TYPE_CHECKING:
    from get_tags_train.core.settings import Source, SourceKind


def source_of_flags(kind: "SourceKind | None", ids: Path | None, data_name: str | None) -> "Source | None":
    """What --source, --ids and --data say: None where nothing; --ids and --data imply their kind."""
    from get_tags_train.core.settings import Source

    kind = kind or ("ids" if ids else "cached" if data_name else None)
    misplaced = "--ids" if ids and kind != "ids" else "--data" if data_name and kind != "cached" else ""
    if misplaced:
        raise InputError(
            _("--source {kind} does not go with {value}.", kind=kind, value=misplaced),
            _("--ids goes with --source ids, --data with --source cached."),
        )
    return Source(kind, ids, data_name) if kind else None


def complete(source: "Source | None", home: Path, *, reads_all: bool = False) -> "Source":
    """The source with its default file, and with --full; the default source is the database."""
    from get_tags_train.core.settings import FROM_DATABASE

    source = source or FROM_DATABASE
    if reads_all and source.kind == "cached":
        raise InputError(
            _("--full does not go with --source cached."), _("It is about reading texts from the database.")
        )
    if source.kind == "ids" and not source.ids_path:
        source = source._replace(ids_path=home / "ids.csv")
    return source._replace(reads_all=reads_all or source.reads_all)


def flags_of_source(source: "Source") -> list[str]:
    """What --source, --ids, --data and --full would have to say for it."""
    named = {"ids": ["--ids", str(source.ids_path)], "cached": ["--data", str(source.data_name)]}
    return ["--source", source.kind, *named.get(source.kind, []), *(["--full"] if source.reads_all else [])]
