"""Tags as strings: one spelling of each, and the lists of them that a cell of a table holds."""

import ast
import io
import json
import re
import tokenize
from itertools import pairwise
from typing import Any

from get_tags_train.core.i18n import _
from get_tags_train.text.clean import clean_text


def parse_labels(cell: str) -> list[str]:
    """The tags in a cell: `a;b`, `a|b`, a JSON list, a Python list or tuple, of texts and integers. Raises ValueError.

    What else a list holds (2.5, null, true, another list) is no tag, and what stands in braces is no list of tags.
    """
    cell = cell.strip()
    if cell.startswith("[") or re.fullmatch(r"\(\s*[\"'\d].*,.*\)", cell, re.DOTALL):
        parts = _listed(cell)
    elif cell.startswith("{") and cell.endswith("}"):
        raise ValueError(_("a list in braces"))
    else:
        parts = re.split(r"[;|]", cell)
    return list(dict.fromkeys(tag for part in parts if (tag := normalise_tag(str(part)))))


def normalise_tag(tag: str | None) -> str:
    """A tag as people read it, cleaned by the same rules as text and on one line."""
    return " ".join(clean_text(tag).split())


def _listed(cell: str) -> list[str | int]:
    try:
        parts = json.loads(cell)
    except (ValueError, RecursionError):
        parts = _python_list(cell)
    if type(parts) not in (list, tuple):
        raise ValueError(_("a list of something other than texts"))
    if wrong := [part for part in parts if type(part) not in (str, int)]:
        raise ValueError(_("a list with {part}, which is neither text nor a whole number", part=repr(wrong[0])[:40]))
    return list(parts)


def _python_list(cell: str) -> Any:
    """A list as Python writes it; NumPy writes ['a' 'b'], which Python reads as ['ab']."""
    try:
        parts = ast.literal_eval(cell)
        tokens = [token.type for token in tokenize.generate_tokens(io.StringIO(cell).readline)]
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise ValueError(_("a list that is not complete")) from error
    words = [kind for kind in tokens if kind not in (tokenize.NL, tokenize.NEWLINE)]
    if any(pair == (tokenize.STRING, tokenize.STRING) for pair in pairwise(words)):
        raise ValueError(_("a list without commas"))
    return parts
