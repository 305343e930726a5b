"""Retrain a BERT model that tags documents: from a database to a live model.

`TagModel.load(folder).predict(texts, top_n=5)` uses a model from Python.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

from get_tags_train.core.version import __version__

if TYPE_CHECKING:
    from get_tags_train.model.tagger import TagModel as TagModel
    from get_tags_train.model.tagger import TagScore as TagScore

if sys.platform == "win32" and sys.prefix != sys.base_prefix:
    # Where pip puts the libraries of msvc-runtime, which torch needs; Windows would not look there by itself.
    os.add_dll_directory(rf"{sys.prefix}\Scripts")

__all__ = ["TagModel", "TagScore", "__version__"]


def __getattr__(name: str) -> Any:
    """The model's classes when somebody asks for them: they load torch, which takes seconds."""
    if name in ("TagModel", "TagScore"):
        from get_tags_train.model import tagger

        return getattr(tagger, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
