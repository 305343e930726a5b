"""Document ids: integers of 64 bits, texts or GUIDs; as databases give them, as people write them, and in lists."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import BigInteger, Numeric, String, Unicode, Uuid
from sqlalchemy.types import TypeEngine

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.cells import type_name, whole_number

DocumentId = int | str
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class IdList(NamedTuple):
    """Ids without repetition, an int64 or string array, and what was left out on the way.

    Where documents come with versions: that of each as read_version gives it, NULL where it has none, and its date.
    """

    ids: pa.Array
    nulls: int = 0
    repeated: int = 0
    versions: pa.Array | None = None
    dates: pa.Array | None = None


@dataclass(frozen=True)
class IdType:
    """How ids go to the database and come back; `spell_guid` where they are GUIDs, which are equal in any case."""

    sql: TypeEngine[Any]
    to_database: Callable[[Any], Any]
    is_integer: bool
    spell_guid: Callable[[str], str] | None = None

    @property
    def arrow(self) -> pa.DataType:
        """The type of a column of these ids."""
        return pa.int64() if self.is_integer else pa.string()

    def from_documents(self, value: object) -> DocumentId:
        """The id in a cell of documents_query. Raises InputError where it is not of the kind that the first one is."""
        if isinstance(value, str) if self.is_integer else whole_number(value) is not None:
            raise _mixed("documents_query", value)
        return self._read(value, "documents_query")

    def from_tags(self, value: object) -> DocumentId:
        """The id in a cell of tags_query, which may write integers as text, or the reverse. Raises InputError."""
        return self._read(value, "tags_query")

    def _read(self, value: object, query: str) -> DocumentId:
        if self.is_integer:
            return _integer(value, query)
        if isinstance(value, str):
            return value
        number = whole_number(value)
        if number is None and not isinstance(value, uuid.UUID):
            raise _wrong_type(query, value)
        return str(value if number is None else number)

    def parse(self, listed: Sequence[str]) -> tuple[IdList, list[str]]:
        """Ids that people wrote, in their order, as the database spells them; and those that cannot be ids here."""
        parsed = [(written, self._parse_one(written)) for written in listed]
        values = [value for _, value in parsed if value is not None]
        ids = pc.unique(pa.array(values, self.arrow))
        return IdList(ids, repeated=len(values) - len(ids)), [written for written, value in parsed if value is None]

    def _parse_one(self, written: str) -> DocumentId | None:
        if self.is_integer:
            return _parse_integer(written)
        if self.spell_guid and _GUID.fullmatch(written.strip("{}")):
            return self.spell_guid(written.strip("{}"))
        return None if self.to_database is uuid.UUID else written


_ID_TYPES: dict[type, IdType] = {
    int: IdType(BigInteger(), int, True),
    Decimal: IdType(Numeric(), Decimal, True),
    uuid.UUID: IdType(Uuid(), uuid.UUID, False),
    str: IdType(String(), str, False),
}


def id_type(sample: object, declared: str = "") -> IdType:
    """The type of ids by one of them, and by what SQL Server calls their type. Raises InputError for other types."""
    if type(sample) not in _ID_TYPES:
        raise _wrong_type("documents_query", sample)
    found = sql_server_id_type(declared) if declared else _ID_TYPES[type(sample)]
    if found.is_integer:
        _integer(sample, "documents_query")
    # SQL Server gives capitals, what people list has either.
    spelt = str(sample)
    return replace(found, spell_guid=str.upper if spelt.isupper() else str.lower) if _GUID.fullmatch(spelt) else found


def sql_server_id_type(declared: str) -> IdType:
    """How ids of this SQL Server type are bound: an nvarchar parameter would scan a table indexed by varchar."""
    if declared == "uniqueidentifier":
        return _ID_TYPES[uuid.UUID]
    kind, length = re.match(r"(\w*)(?:\((\d+)\))?", declared).groups()  # type: ignore[union-attr]
    sql = String if kind in {"char", "varchar"} else Unicode
    return IdType(sql(int(length) if length else None), str, False)


class IdMatcher:
    """Which document an id means where a server takes ids as equal that are not: other case, blanks of a char(n)."""

    def __init__(self, found: Iterable[DocumentId]) -> None:
        self._found = set(found)
        self._alike: dict[DocumentId, list[DocumentId]] = {}
        for document_id in self._found:
            self._alike.setdefault(folded(document_id), []).append(document_id)

    def match(self, document_id: DocumentId) -> DocumentId | None:
        """The document with this id, else the only one that is spelt alike, else None."""
        if document_id in self._found:
            return document_id
        alike = self._alike.get(folded(document_id), [])
        return alike[0] if len(alike) == 1 else None


def pages(ids: pa.Array, page_size: int) -> Iterator[list[DocumentId]]:
    """The ids, a page at a time."""
    for start in range(0, len(ids), page_size):
        yield ids.slice(start, page_size).to_pylist()


def folded(document_id: DocumentId) -> DocumentId:
    """What is equal for ids that a server may take as equal: other case, or blanks at the end."""
    return document_id.rstrip(" ").casefold() if isinstance(document_id, str) else document_id


def _parse_integer(written: str) -> int | None:
    number = int(written) if re.fullmatch(r"[+-]?[0-9]{1,19}", written) else None
    return number if number is not None and _SMALLEST <= number <= _LARGEST else None


def _integer(value: object, query: str) -> int:
    number = _parse_integer(value) if isinstance(value, str) else whole_number(value)
    if number is not None and _SMALLEST <= number <= _LARGEST:
        return number
    if isinstance(value, str):
        raise _mixed(query, value)
    if number is None and not isinstance(value, Decimal):
        raise _wrong_type(query, value)
    raise InputError(
        _("The ids of {query} are not all integers of 64 bits: {value:.60}.", query=query, value=str(value)),
        _("Make them texts in both queries: CAST(... AS varchar(50)) AS id."),
    )


def _wrong_type(query: str, value: object) -> InputError:
    return InputError(
        _("The ids of {query} are of type {name}.", query=query, name=type_name(value)),
        _("They should be integers, texts or GUIDs: convert the column in the query."),
    )


def _mixed(query: str, value: object) -> InputError:
    return InputError(
        _("The ids of {query} are partly integers, partly not: {value!r:.60}.", query=query, value=value),
        _("Convert the column in the query, for example CAST(id AS varchar(50))."),
    )
