"""get_tags.json: what a model folder says of itself (settings, data, tags, file checksums, evaluations)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import file_sha256, read_json
from get_tags_train.core.i18n import _

METADATA_FILE = "get_tags.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Tag(_Part):
    tag: str
    documents: int = 0
    threshold: float = 0.5


class _Named(_Part):
    tag: str
    score: float


class _Probe(_Part):
    text: str
    tags: list[_Named]


class _Evaluation(_Part):
    examples: int | None = None
    samples_sha256: str | None = None
    precision_at_k: dict[str, float] = {}


class _Facts(_Part):
    """What is computed with, as far as it is there; who shows the rest reads it under `reading`."""

    created: str = ""
    data: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    files: dict[str, str] = {}
    tags: list[_Tag] = []
    probes: list[_Probe] = []
    evaluations: list[_Evaluation] = []


def read_metadata(folder: Path) -> dict[str, Any]:
    """The facts of a model; empty for one that get-tags did not make. Raises GetTagsError where they are damaged."""
    try:
        facts = read_json(folder / METADATA_FILE)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GetTagsError(
            _("{folder} cannot be read: {error}.", folder=folder / METADATA_FILE, error=error),
            _("The model folder is damaged."),
        ) from error
    try:
        _Facts.model_validate(facts)
    except ValidationError as error:
        raise GetTagsError(
            _("{path} holds no facts of a model.", path=folder / METADATA_FILE), _("The model folder is damaged.")
        ) from error
    known: dict[str, Any] = facts
    return known


@contextmanager
def reading(folder: Path) -> Iterator[dict[str, Any]]:
    """The facts of a model for who reads deep into them: what is missing or of another kind there is damage.

    Raises GetTagsError naming it.
    """
    facts = read_metadata(folder)
    try:
        yield facts
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise GetTagsError(
            _(
                "{path} lacks something, or holds something else in its place: {error}.",
                path=folder / METADATA_FILE,
                error=f"{type(error).__name__} {error}",
            ),
            _("The model folder is damaged."),
        ) from error


def verify(folder: Path) -> None:
    """Compare the model's files with their checksums. Raises GetTagsError naming the one that differs."""
    with reading(folder) as facts:
        files: dict[str, str] = facts["files"] if facts else {}
    if not facts:
        raise InputError(
            _(
                "{folder} was not made by get-tags: it has no {facts}, so there is nothing to compare with.",
                folder=folder,
                facts=METADATA_FILE,
            )
        )
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise GetTagsError(
                _("{path} is missing or has changed since training.", path=path),
                _("Do not deploy this model: train again, or copy the folder anew."),
            )
