"""get_tags.json: what a model folder says of itself (settings, data, tags, file checksums, evaluations)."""

from pathlib import Path
from typing import Any

from get_tags_train.dataset import file_sha256
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.folders import read_json

FACTS = "get_tags.json"


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts of a model; empty for one that get-tags did not make. Raises GetTagsError where they are damaged."""
    try:
        facts = read_json(folder / FACTS)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GetTagsError(f"{folder / FACTS} cannot be read: {error}.", "The model folder is damaged.") from error
    if not isinstance(facts, dict):
        raise GetTagsError(f"{folder / FACTS} holds no facts of a model.", "The model folder is damaged.")
    return facts


def verify(folder: Path) -> None:
    """Compare the model's files with their checksums. Raises GetTagsError naming the one that differs."""
    facts = read_facts(folder)
    if not facts:
        raise InputError(f"{folder} was not made by get-tags: it has no {FACTS}, so there is nothing to compare with.")
    for name, sha256 in facts["files"].items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise GetTagsError(
                f"{path} is missing or has changed since training.",
                "Do not deploy this model: train again, or copy the folder anew.",
            )
