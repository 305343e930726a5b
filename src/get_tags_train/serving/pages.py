"""The pages of the server, in the language of whoever opens them: `/` to try the model, `/docs` for the API."""

from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Template

from get_tags_train.core.i18n import LANGUAGES
from get_tags_train.core.pages import page_template
from get_tags_train.core.settings import ServeSettings
from get_tags_train.serving.languages import TRANSLATORS, preferred_language

_TEMPLATES = ("try.html.jinja", "docs.html.jinja")
_HEADERS = {
    # A page fetches nothing but this API's answers, wherever it is opened.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """Each page in each language."""

    def __init__(self, settings: ServeSettings, max_top_n: int) -> None:
        self._facts = {
            "max_texts": settings.max_texts,
            "max_text_characters": settings.max_text_characters,
            "max_request_bytes": settings.max_request_bytes,
            "needs_token": bool(settings.token),
            "max_top_n": max_top_n,
        }
        self._templates: dict[tuple[str, str], Template] = {
            (name, language): page_template(
                Path(__file__).with_name(name), translate=TRANSLATORS[language], language=language
            )
            for name in _TEMPLATES
            for language in LANGUAGES
        }

    def answer(self, name: str, request: Request) -> HTMLResponse:
        """A page in the language that `?lang=` names, else in the browser's."""
        language = request.query_params.get("lang", "")
        if language not in LANGUAGES:
            language = preferred_language(request.headers.get("accept-language", ""))
        address = str(request.base_url).rstrip("/")
        page = self._templates[name, language].render(address=address, **self._facts)
        return HTMLResponse(page, headers=_HEADERS)
