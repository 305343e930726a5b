"""What a driver gives in a cell, and what it becomes: what is not named here is refused, never str() of it.

A text stays as it is. An integer is its digits, and so is a Decimal without a fraction (how drivers give NUMERIC
columns). A GUID is written with hyphens. A list, as PostgreSQL's text[] and JSON columns give it, is one where a list
of tags is wanted. Booleans, floats, bytes, dates and all others are refused with the name of the column.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import _
from get_tags_train.text.clean import digest
from get_tags_train.text.tags import normalise_tag, parse_labels

# What a column `active` holds, as text, where a tag is not in use.
_OFF = {"0", "false", "f"}
_VERSION_BYTES = 16
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)|(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)")


def read_text(value: object, column: str, query: str) -> str | None:
    """The text in a cell of a column; None where it is NULL. Raises GetTagsError."""
    if value is None or isinstance(value, str):
        return value
    if (number := whole_number(value)) is not None:
        return str(number)
    if isinstance(value, UUID):
        return str(value)
    raise _refused(value, column, query)


def read_tags(value: object, column: str, query: str) -> list[str]:
    """The tags in a cell: `a;b`, a list written as text, or a list. Raises ValueError for a text that is none."""
    if isinstance(value, list | tuple):
        texts = [text for item in value if (text := read_text(item, column, query)) is not None]
        return list(dict.fromkeys(tag for text in texts if (tag := normalise_tag(text))))
    return parse_labels(read_text(value, column, query) or "")


def read_switch(value: object, column: str, query: str) -> bool:
    """Whether a tag is in use; NULL is for yes. MySQL and SQL Server give a bit as bytes or a boolean."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() not in _OFF
    if isinstance(value, bytes | bytearray | memoryview):
        return any(bytes(value))
    if isinstance(value, bool | int | float | Decimal):
        return value != 0
    raise _refused(value, column, query)


def read_date(value: object) -> date | None:
    """A date, or a text that begins with one as 2026-11-24 or 24.11.2026; None for what is no date."""
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    found = _DATE.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date(*(int(part) for part in (found[1] or found[6], found[2] or found[5], found[3] or found[4])))
    except ValueError:
        return None


def read_version(value: object) -> bytes | None:
    """At most 16 bytes that are equal where versions of one column are: the value itself, else its hash."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        written = bytes(value)
    else:
        written = str(value).encode(errors="surrogatepass")
    return written if len(written) <= _VERSION_BYTES else digest(written)


def whole_number(value: object) -> int | None:
    """An integer of any size, or a Decimal without a fraction; None for all else, booleans included."""
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def type_name(value: object) -> str:
    """What to call the type of a value: its Python name, one word for all kinds of bytes."""
    return "bytes" if isinstance(value, bytes | bytearray | memoryview) else type(value).__name__


def _refused(value: object, column: str, query: str) -> GetTagsError:
    return InputError(
        _("The column {name} of {query} holds {kind}, not text.", name=column, query=query, kind=type_name(value)),
        _("Convert it in the query, for example CAST({name} AS varchar(200)) AS {name}.", name=column),
    )
