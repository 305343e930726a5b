"""Pages for a browser, from templates in one look: each is one file, light or dark, that fetches nothing elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template

from get_tags_train.core.i18n import _, current_language


def page_template(path: Path, *, translate: Callable[..., str] = _, language: str = "", **names: Any) -> Template:
    """The template at `path`, which may extend page.html.jinja; `names` are what else it may call."""
    pages = Environment(
        loader=FileSystemLoader([path.parent, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals.update(_=translate, language=language or current_language(), **names)
    return pages.get_template(path.name)
