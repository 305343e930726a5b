"""Ids: integers of 64 bits, texts and GUIDs as they are; what would be another id, or none, is refused by name."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from sqlalchemy import Uuid
from sqlalchemy.dialects.mssql.pyodbc import dialect as mssql_dialect

from get_tags_train.core.errors import InputError
from get_tags_train.data.ids import id_type, pages, sql_server_id_type

GUID = "0f1e2d3c-0000-4000-8000-00000000000a"
NO_IDS = [
    (1.5, "float"),
    (1.0, "float"),
    (True, "bool"),
    (b"\x01\x02", "bytes"),
    (memoryview(b"ab"), "bytes"),
    (bytearray(b"ab"), "bytes"),
    (datetime(2026, 11, 24), "datetime"),
    (["a"], "list"),
]


@pytest.mark.parametrize(
    ("sample", "value", "expected"),
    [
        (1, 2**63 - 1, 2**63 - 1),
        (1, -(2**63), -(2**63)),
        (1, Decimal("5"), 5),
        (Decimal("1"), Decimal("5.00"), 5),
        ("a", "b ", "b "),
        (UUID(GUID), UUID(GUID), GUID),
        (GUID.upper(), UUID(GUID), GUID),
    ],
)
def test_what_is_an_id(sample: object, value: object, expected: int | str) -> None:
    assert id_type(sample).from_documents(value) == expected
    assert id_type(sample).from_tags(value) == expected


@pytest.mark.parametrize(("value", "kind"), NO_IDS)
def test_what_is_no_id_is_refused_by_name(value: object, kind: str) -> None:
    with pytest.raises(InputError, match=rf"^The ids of documents_query are of type {kind}\.$"):
        id_type(value)
    for sample in (1, Decimal(1), "a", UUID(GUID)):
        with pytest.raises(InputError, match=rf"^The ids of documents_query are of type {kind}\.$"):
            id_type(sample).from_documents(value)
        with pytest.raises(InputError, match=rf"^The ids of tags_query are of type {kind}\.$"):
            id_type(sample).from_tags(value)


@pytest.mark.parametrize(
    "value", [Decimal("1.50"), Decimal(2**63), Decimal("9" * 38), 2**63, -(2**63) - 1, Decimal("NaN")]
)
def test_a_number_that_does_not_fit_is_refused_with_what_to_cast(value: object) -> None:
    with pytest.raises(InputError) as caught:
        id_type(Decimal(1)).from_documents(value)
    assert caught.value.message == f"The ids of documents_query are not all integers of 64 bits: {value}."
    assert "CAST(... AS varchar(50)) AS id" in caught.value.hint
    with pytest.raises(InputError, match="not all integers of 64 bits"):
        id_type(value)  # already the first one


def test_texts_and_integers_are_not_mixed_in_documents_query() -> None:
    with pytest.raises(InputError, match="partly integers, partly not: '6'"):
        id_type(5).from_documents("6")
    with pytest.raises(InputError, match="partly integers, partly not: 6"):
        id_type("a").from_documents(6)


def test_tags_query_may_write_integers_as_text_or_the_reverse() -> None:
    assert id_type(5).from_tags("6") == 6
    assert id_type("5").from_tags(6) == "6"
    assert id_type("5").from_tags(Decimal("9" * 38)) == "9" * 38
    with pytest.raises(InputError, match="The ids of tags_query are partly integers, partly not: 'x'"):
        id_type(5).from_tags("x")


def test_pages_cut_the_list() -> None:
    assert list(pages(pa.array([1, 2, 3, 4, 5]), 2)) == [[1, 2], [3, 4], [5]]
    assert list(pages(pa.array([], pa.int64()), 2)) == []


@pytest.mark.system
@pytest.mark.parametrize(
    ("declared", "type_name", "is_max"),
    [
        ("varchar(20)", "SQL_VARCHAR", False),
        ("char(8)", "SQL_VARCHAR", False),
        ("varchar(max)", "SQL_VARCHAR", True),
        ("nvarchar(50)", "SQL_WVARCHAR", False),
        ("nchar(5)", "SQL_WVARCHAR", False),
        ("sysname", "SQL_WVARCHAR", True),
    ],
)
def test_sql_server_gets_ids_as_their_columns_type(declared: str, type_name: str, is_max: bool) -> None:
    import pyodbc

    impl = sql_server_id_type(declared).sql.dialect_impl(mssql_dialect())
    odbc_type = getattr(pyodbc, type_name)
    assert impl.get_dbapi_type(pyodbc) == ((odbc_type, 0, 0) if is_max else odbc_type)


def test_sql_server_gets_guids_as_guids() -> None:
    kind = sql_server_id_type("uniqueidentifier")
    assert isinstance(kind.sql, Uuid)
    assert kind.to_database(GUID) == UUID(GUID)
