"""The operator's own lists: ids as people and Excel write them, and the map that renames tags."""

from datetime import date
from pathlib import Path

import pytest
from table_files import FORMS, Form, write_sheet, write_table

from get_tags_train.core.errors import InputError
from get_tags_train.data.input_files import read_ids, read_tags_map


def plain(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused_ids(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_ids(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1250", "utf-16"])
@pytest.mark.parametrize("header", ["", "id\r\n", "ID\r\n", "Document_ID\r\n", "numărul\r\n"])
def test_ids_with_and_without_a_header(tmp_path: Path, encoding: str, header: str) -> None:
    assert read_ids(plain(tmp_path / "ids.csv", f"{header}12\r\n\r\n7\r\n12\r\n".encode(encoding))) == ["12", "7", "12"]


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ("abc\nA-2\n", ["abc", "A-2"]),
        ("id\nabc\n", ["abc"]),
        ("12\nabc\n", ["12", "abc"]),
        ("abc\n", ["abc"]),
        ('"7"\n"8"\n', ["7", "8"]),
        (" 007 \n-1\n", ["007", "-1"]),
        ("id,,\n7,,\n8,,\n", ["7", "8"]),
        ("id;;\n7;;\n8;;\n", ["7", "8"]),
        ("id;\n7;\n", ["7"]),
        ("id\t\n7\t\n", ["7"]),
        ("7", ["7"]),
    ],
)
def test_ids_as_people_write_them(tmp_path: Path, content: str, ids: list[str]) -> None:
    assert read_ids(plain(tmp_path / "ids.csv", content)) == ids


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_second_column_of_ids_is_an_error_that_names_its_line(tmp_path: Path, delimiter: str) -> None:
    path = plain(tmp_path / "ids.csv", f"id\n1\n2{delimiter}3\n")
    with pytest.raises(InputError, match=r"more than one column\. See line 3") as caught:
        read_ids(path)
    assert str(path) in caught.value.message


def test_an_id_in_another_column_is_not_lost_silently(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3"):
        read_ids(plain(tmp_path / "ids.csv", "id,\n1,\n,2\n"))


@pytest.mark.parametrize("content", ["", "id\n", "\n\n", "id\n;\n"])
def test_ids_without_an_id_are_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="has no document id in it"):
        read_ids(plain(tmp_path / "ids.csv", content))


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_the_same_in_every_file(tmp_path: Path, form: Form) -> None:
    assert read_ids(write_table(tmp_path / form.name, [["ID"], ["00012"], ["7"], [], ["A-1"]], form)) == [
        "00012", "7", "A-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ("id\n1.0\n12.00\n-3.0\n", ["1", "12", "-3"]),
        ("id\n1\n2.0\n", ["1", "2"]),
        ("id\n1,0\n12,00\n", ["1", "12"]),
        ('id\n"1,0"\n', ["1"]),
        ('id\n="00001"\n="00002"\n', ["00001", "00002"]),
        ('="00001"\n="00002"\n', ["00001", "00002"]),
        ('id\n"=""00001"""\n', ["00001"]),
        ("sep=;\r\n1\r\n2\r\n", ["1", "2"]),
        ("sep=;\r\nid;\r\n1;\r\n", ["1"]),
        ("1.0\n1.2\n1.10\n", ["1.0", "1.2", "1.10"]),  # codes, not numbers
        ("1E5\n2E3\n", ["1E5", "2E3"]),
        ('"a,b"\n"c;d"\n', ["a,b", "c;d"]),
        ("\ufeffid\n\ufeff12\n\u200b13\n\u202a14\n\xa015\xa0\n", ["12", "13", "14", "15"]),
    ],
)
def test_ids_that_excel_changed_are_the_ids_they_were(tmp_path: Path, content: str, ids: list[str]) -> None:
    assert read_ids(plain(tmp_path / "ids.csv", content)) == ids


@pytest.mark.parametrize("rounded", ["1.23E+01", "1,23E+11", "1.23457E+18", "4e+15", "-1.5E-05"])
def test_ids_whose_digits_excel_lost_are_refused_by_their_line(tmp_path: Path, rounded: str) -> None:
    said = refused_ids(plain(tmp_path / "ids.csv", f'id\n1\n"{rounded}"\n'))
    assert f"Excel has rounded ids. See line 3: '{rounded}'." in said


def test_ids_of_a_workbook(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "ids.xlsx", [["id"], [12.0], [7], [None], ["00012"], ["A-1"]])
    assert read_ids(path) == ["12", "7", "00012", "A-1"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (1.23456789012346e18, "Excel has rounded ids. See line 3: '1.23457E+18'"),
        ("#N/A", "line 3: Excel's error #N/A"),
        (True, "line 3: Excel holds TRUE as TRUE or FALSE"),
        (date(2026, 2, 1), "line 3: Excel holds 2026-02-01 as a date"),
    ],
)
def test_what_is_no_id_in_a_workbook_is_refused_by_its_row(tmp_path: Path, cell: object, said: str) -> None:
    assert said in refused_ids(write_sheet(tmp_path / "ids.xlsx", [["id"], ["1"], [cell]]))


def test_a_second_column_of_a_workbook_is_named_by_its_row(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "ids.xlsx", [["id"], ["1"], ["2", "x"]])
    assert "has more than one column. See line 3: '2 | x'." in refused_ids(path)


# --- tags_map.csv ---


def test_a_tags_map_merges_renames_and_drops(tmp_path: Path) -> None:
    path = tmp_path / "tags_map.csv"
    path.write_text("Tag;Becomes\na;b\nb;c\nţară;state\nvechi;\nrest;vechi\nc;c\na;b\nd;țară\n", encoding="utf-8")
    assert read_tags_map(path) == {"a": "c", "b": "c", "țară": "state", "vechi": "", "rest": "", "d": "state"}


def test_a_tags_map_needs_no_header_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "tags_map.csv"
    assert read_tags_map(path) == {}
    path.write_text('"a, b",c\n', encoding="utf-8")
    assert read_tags_map(path) == {"a, b": "c"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,a\nb,c\nc,a\n", "line 1: a -> b -> c -> a has no end."),
        ("x,a\na,b\nb,a\n", "line 1: a -> b -> a has no end."),
        ("a,b\na,c\n", "line 2: a is also on line 1, where it becomes something else."),
        ("a,b\n,c\n", "line 2: it has no tag."),
        ("a,b\nc\n", "should have two columns, tag and becomes. See line 2: 'c'."),
    ],
)
def test_a_tags_map_that_cannot_be_followed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tags_map.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_tags_map(path)
    assert caught.value.message.startswith(str(path))
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize("form", FORMS)
def test_a_tags_map_is_the_same_in_every_file(tmp_path: Path, form: Form) -> None:
    rows = [["tag", "becomes"], ["taxe, impozite; TVA", "fiscal"], ["vechi", ""]]
    path = write_table(tmp_path / form.name, rows, form)
    assert read_tags_map(path) == {"taxe, impozite; TVA": "fiscal", "vechi": ""}


def test_the_columns_of_a_tags_map_go_by_their_names(tmp_path: Path) -> None:
    assert read_tags_map(plain(tmp_path / "tags_map.csv", "becomes;tag\nnou;vechi\n")) == {"vechi": "nou"}


@pytest.mark.parametrize("cell", ["#REF!", True])
def test_a_tag_that_excel_holds_as_something_else_is_refused_by_its_row(tmp_path: Path, cell: object) -> None:
    path = write_sheet(tmp_path / "tags_map.xlsx", [["tag", "becomes"], ["a", "b"], ["c", cell]])
    with pytest.raises(InputError, match="line 3: Excel"):
        read_tags_map(path)


def test_a_tags_map_may_be_a_workbook_and_there_is_one(tmp_path: Path) -> None:
    write_sheet(tmp_path / "tags_map.xlsx", [["tag", "becomes"], ["a", "b"]])
    assert read_tags_map(tmp_path / "tags_map.csv") == {"a": "b"}
    plain(tmp_path / "tags_map.csv", "tag;becomes\nc;d\n")
    with pytest.raises(InputError, match="two maps of tags"):
        read_tags_map(tmp_path / "tags_map.csv")
