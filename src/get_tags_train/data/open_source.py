"""The database of the settings, opened: a source of documents whose errors are told in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import DatabaseSettings
from get_tags_train.data.database_errors import opened
from get_tags_train.data.source import DocumentSource


@contextmanager
def open_source(settings: DatabaseSettings, home: Path, on_event: OnEvent) -> Iterator[DocumentSource]:
    """The documents and tags of the two queries, until the end of a `with`; a notice says what is tried again.

    Raises InputError on an unusable URL or query, GetTagsError where the database fails.
    """
    with opened(settings, home) as engine:
        yield DocumentSource(
            engine,
            settings.documents_query,
            settings.tags_query,
            retry_seconds=settings.retry_seconds,
            on_retry=lambda why, pause: on_event(
                Notice(_("{why}; trying again in {pause:.0f} s.", why=why, pause=pause), "warning")
            ),
        )
