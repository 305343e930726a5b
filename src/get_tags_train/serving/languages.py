"""The language of whoever asks over HTTP, which need not be that of the server."""

from collections.abc import Callable, Iterable

from get_tags_train.core.i18n import LANGUAGES, current_language, translator

Translate = Callable[..., str]
TRANSLATORS: dict[str, Translate] = {language: translator(language) for language in LANGUAGES}


def preferred_language(accepted: str) -> str:
    """The first language of an Accept-Language header that we speak, by its weights; the server's where none is."""
    for name in sorted(accepted.split(","), key=_weight, reverse=True):
        language = name.strip()[:2].lower()
        if language in LANGUAGES and _weight(name):
            return language
    return current_language()


def _weight(accepted: str) -> float:
    """As in `ro;q=0.8`: 0.8; 1 where none is given, 0 where it is no number."""
    weights: Iterable[str] = (part.strip()[2:] for part in accepted.split(";")[1:] if part.strip().startswith("q="))
    try:
        return float(next(iter(weights), 1.0))
    except ValueError:
        return 0.0
