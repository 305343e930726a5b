"""Which tags a model predicts that the live one does not, and the reverse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from get_tags_train.core.i18n import _, _n

_LISTED = 10


@dataclass(frozen=True)
class TagChanges:
    """What changes for those who use the tags, from the live model to another; renamed: (was, is)."""

    came: list[str]
    gone: list[str]
    renamed: list[tuple[str, str]]


def tag_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> TagChanges:
    """Compare two lists of {"tag", and "ids" where the database's are known}: a name that changed keeps its id."""
    old_names, new_names = {entry["tag"] for entry in old}, {entry["tag"] for entry in new}
    now = {tag_id: e["tag"] for e in new if e["tag"] not in old_names for tag_id in e.get("ids") or []}
    renamed: dict[str, str] = {}
    for entry in old:
        if entry["tag"] not in new_names:
            targets = [now[tag_id] for tag_id in entry.get("ids") or [] if tag_id in now]
            if targets:
                renamed[entry["tag"]] = targets[0]
    return TagChanges(
        came=sorted(new_names - old_names - set(renamed.values())),
        gone=sorted(old_names - new_names - set(renamed)),
        renamed=sorted(renamed.items()),
    )


def deploy_concerns(evaluation: Mapping[str, Any]) -> list[str]:
    """What speaks against deploying a model: it is worse than the live one, or it drops tags."""
    sets = [evaluation, *([evaluation["held_out"]] if evaluation.get("held_out") else [])]
    compared = [entry for each in sets for entry in each.get("comparisons", []) if entry["rival"] == "live"]
    found = [entry["sentence"] for entry in compared if entry["verdict"] == "worse"]
    changes = evaluation.get("tag_changes") or {"gone": []}
    if gone := changes["gone"]:
        named = ", ".join(gone[:_LISTED])
        if len(gone) > _LISTED:
            named = _("{named} and {count} more", named=named, count=len(gone) - _LISTED)
        found.append(
            _n(
                "The new model no longer predicts: {named}.",
                "The new model no longer predicts {count} tags: {named}.",
                len(gone),
                named=named,
            )
        )
    return found
