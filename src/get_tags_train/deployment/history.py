"""The history of what was live: a line for each change, never changed once written."""

import getpass
import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.home import is_folder_name
from get_tags_train.model.metadata import read_metadata

HISTORY = "history.jsonl"
_LONGEST_LINE = 1 << 20  # bytes


def _folder_name(name: str) -> str:
    if not is_folder_name(name):
        raise ValueError("no name of a folder")
    return name


class _Line(BaseModel):
    """What is read of a line; what a later version adds is passed on."""

    model_config = ConfigDict(extra="allow")

    time: str
    action: str
    name: Annotated[str, AfterValidator(_folder_name)]
    precision_at_k: dict[str, float] | None = None
    versions: list[Annotated[str, AfterValidator(_folder_name)]] = []


def append_entry(live_dir: Path, *, action: str, name: str, before: str = "", versions: Sequence[str] = ()) -> None:
    """Add a line; `versions` is the stack that holds from when `current` names its last one, `before` what was live.

    It says who and when too, and the model's precision@k where it has been evaluated.
    """
    line: dict[str, Any] = {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "by": _who(),
        "action": action,
        "name": name,
    }
    if versions:
        line |= {"before": before or None, "precision_at_k": _precision(live_dir / "versions" / name)}
        line |= {"versions": versions}
    with (live_dir / HISTORY).open("ab+") as history:
        if history.tell():
            history.seek(-1, os.SEEK_END)
            if history.read() != b"\n":
                history.write(b"\n")  # what a kill cut short must not swallow this line too
        history.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def read_history(live_dir: Path) -> list[dict[str, Any]]:
    """All lines, oldest first, but for what a kill cut short and what get-tags did not write."""
    lines = []
    with suppress(FileNotFoundError), (live_dir / HISTORY).open("rb") as history:
        while line := history.readline(_LONGEST_LINE):
            with suppress(ValueError):
                lines.append(_Line.model_validate_json(line).model_dump(exclude_unset=True))
    return lines


def stacks(live_dir: Path) -> list[list[str]]:
    """For each change the versions one could go back to after it, oldest first, and the live one last."""
    return [line["versions"] for line in read_history(live_dir) if line.get("versions")]


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a service may run under a number that has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _precision(version: Path) -> dict[str, float] | None:
    """precision@k of the model's last evaluation."""
    with suppress(GetTagsError):
        metadata = read_metadata(version)
        if metadata and metadata.evaluation:
            return metadata.evaluation.precision_at_k
    return None
