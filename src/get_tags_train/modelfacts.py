"""get_tags.json: what a model folder says of itself (settings, data, tags, file checksums, evaluations)."""

from pathlib import Path
from typing import Any

from get_tags_train.dataset import file_sha256
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.folders import read_json
from get_tags_train.words import _

FACTS = "get_tags.json"
_LISTS = ("tags", "probes", "evaluations")  # of objects, wherever they are


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts of a model; empty for one that get-tags did not make. Raises GetTagsError where they are damaged."""
    try:
        facts = read_json(folder / FACTS)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GetTagsError(
            _("{folder} cannot be read: {error}.", folder=folder / FACTS, error=error),
            _("The model folder is damaged."),
        ) from error
    if not isinstance(facts, dict) or not all(
        isinstance(facts.get(key, []), list) and all(isinstance(entry, dict) for entry in facts.get(key, []))
        for key in _LISTS
    ):
        raise GetTagsError(
            _("{path} holds no facts of a model.", path=folder / FACTS), _("The model folder is damaged.")
        )
    return facts


def verify(folder: Path) -> None:
    """Compare the model's files with their checksums. Raises GetTagsError naming the one that differs."""
    facts = read_facts(folder)
    if not facts:
        raise InputError(
            _(
                "{folder} was not made by get-tags: it has no {facts}, so there is nothing to compare with.",
                folder=folder,
                facts=FACTS,
            )
        )
    for name, sha256 in facts["files"].items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise GetTagsError(
                _("{path} is missing or has changed since training.", path=path),
                _("Do not deploy this model: train again, or copy the folder anew."),
            )
