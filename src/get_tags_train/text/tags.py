"""Tags as strings: one spelling of each, and the lists of them that a cell of a table holds."""

import ast
import json
import re

from get_tags_train.core.i18n import _
from get_tags_train.text.clean import clean_text


def parse_labels(cell: str) -> list[str]:
    """The tags in a cell: `a;b`, `a|b`, a JSON list or a Python list literal. Raises ValueError."""
    cell = cell.strip()
    if cell.startswith("["):
        try:
            parts = json.loads(cell)
        except (ValueError, RecursionError):
            try:
                parts = ast.literal_eval(cell)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise ValueError(_("a list that is not complete")) from error
        if not isinstance(parts, list | tuple) or not all(isinstance(p, str | int | float) for p in parts):
            raise ValueError(_("a list of something other than texts"))
    else:
        parts = re.split(r"[;|]", cell)
    return list(dict.fromkeys(tag for part in parts if (tag := normalise_tag(str(part)))))


def normalise_tag(tag: str | None) -> str:
    """A tag as people read it, cleaned by the same rules as text and on one line."""
    return " ".join(clean_text(tag).split())
