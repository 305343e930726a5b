"""A table comes back the same from whatever file people keep it in; what cannot be read is named by its line."""

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from table_files import FORMS, Form, write_sheet, write_table

from get_tags_train.core.errors import InputError
from get_tags_train.core.tables import open_table, read_columns, read_rows

# What XML and Excel can hold; a cell that begins with ' or = would be one that was kept from being a formula.
LETTERS = st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0x24F)
CELLS = st.text(st.one_of(st.sampled_from("aăâîșțȘ ,;\t\"'\n|[]=1."), LETTERS), min_size=1, max_size=12).filter(
    lambda cell: cell.strip() and cell[0] not in "'=" and not cell.startswith("sep=")
)
ROWS = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6)


def refused(path: Path, width: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        read_rows(open_table(path, {"text", "labels"}, width=width), "text and labels")
    assert caught.value.hint
    return caught.value.message


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, form=st.sampled_from(FORMS), width=st.sampled_from([0, 2]))
def test_a_table_is_the_same_in_every_file(tmp_path: Path, rows: list[tuple[str, str]], form: Form, width: int) -> None:
    if form.encoding == "cp1250":
        letters = "".join(map("".join, rows))
        assume(letters == letters.encode("cp1250", "ignore").decode("cp1250"))
        assume(
            any(map(letters.encode("utf-8", "ignore").__contains__, [b"\xc4", b"\xc5", b"\xc3"])) or letters.isascii()
        )
    path = write_table(tmp_path / form.name, [("Text", "Labels"), *rows], form)
    table = open_table(path, {"text", "labels"}, width=width)
    assert table.header == ["text", "labels"]
    expected = [[cell.replace("\r", "\n") if not form.encoding else cell for cell in row] for row in rows]
    assert [row.cells for row in table] == expected
    assert [row.cells for row in table] == expected  # a table can be gone through again


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, form=st.sampled_from([form for form in FORMS if form.has_sep_line or not form.encoding]))
def test_a_table_without_a_header_is_the_same_where_the_delimiter_is_sure(
    tmp_path: Path, rows: list[tuple[str, str]], form: Form
) -> None:
    assume(form.encoding != "cp1250" and rows[0][0].strip().lower() != "text")
    table = open_table(write_table(tmp_path / form.name, rows, form), {"text", "labels"}, width=2)
    assert table.header == []
    assert [row.cells for row in table] == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ("sep=;\r\ntext;labels\r\nunu, doi;a\r\n", ["unu, doi", "a"]),
        ('"sep=;"\r\ntext;labels\r\nunu, doi;a\r\n', ["unu, doi", "a"]),
        ("\ufeffSEP=|\ntext|labels\nunu;doi,|a\n", ["unu;doi,", "a"]),
        ("sep=\t\ntext\tlabels\nunu, doi\ta\n", ["unu, doi", "a"]),
        ("sep=,,\ntext,labels\nunu; doi,a\n", ["unu; doi", "a"]),
        ("sep=\ntext;labels\nunu, doi;a\n", ["unu, doi", "a"]),
        ('text;labels\n="00001";a\n', ["00001", "a"]),
        ("\ufeff\ufefftext;labels\nunu;a\n", ["unu", "a"]),
    ],
)
def test_what_excel_writes_around_cells_is_no_content(tmp_path: Path, content: str, cells: list[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode())
    table = open_table(path, {"text", "labels"}, width=2)
    (row,) = table
    assert (table.header, row.cells) == (["text", "labels"], cells)
    assert row.line == 3 if "sep" in content.lower() else 2


def test_a_header_of_one_column_says_that_there_is_no_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('text\nunu, doi; trei\tpatru\n"cu ""ghilimele"", și\nrând"\n', encoding="utf-8")
    assert [row.cells for row in open_table(path, {"text"})] == [
        ["unu, doi; trei\tpatru"],
        ['cu "ghilimele", și\nrând'],
    ]


def test_the_header_chooses_the_delimiter_whatever_the_texts_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("text;labels\nunu, doi\ntrei, patru\ncinci, șase\nșapte;a\n", encoding="utf-8")
    assert "line 2: 'unu, doi'; line 3: 'trei, patru'; line 4: 'cinci, șase'" in refused(path, width=2)


@pytest.mark.parametrize(
    ("content", "cells"),
    [("text lung, cu virgulă;a\n", ["text lung, cu virgulă", "a"]), ("unu,a;b\n", ["unu", "a;b"])],
)
def test_a_comma_before_a_blank_is_prose(tmp_path: Path, content: str, cells: list[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content, encoding="utf-8")
    assert [row.cells for row in open_table(path, {"text"}, width=2)] == [cells]


def test_tsv_is_parted_by_tabs_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("text\tlabels\nunu,doi;trei\ta\n", encoding="utf-8")
    assert [row.cells for row in open_table(path, {"text", "labels"}, width=2)] == [["unu,doi;trei", "a"]]


@pytest.mark.parametrize("width", [0, 2])
def test_quotes_that_never_close_are_told_by_the_line_where_they_open(tmp_path: Path, width: int) -> None:
    path = tmp_path / "x.csv"
    path.write_text('text,labels\nunu,a\ndoi,"b\ntrei,c\n', encoding="utf-8")
    assert "line 3: the quotes opened there are never closed" in refused(path, width)


@pytest.mark.parametrize("columns", ["id;text;id", "text;id;ID"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, columns: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{columns}\n1;2;3\n", encoding="utf-8")
    with pytest.raises(InputError, match="two columns called id"):
        read_columns(path, ["id", "text"])


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALOARE!", "########"])
@pytest.mark.parametrize("name", ["x.csv", "x.xlsx"])
def test_an_error_of_excel_is_no_text(tmp_path: Path, name: str, error: str) -> None:
    form = Form("utf-8") if name.endswith("csv") else Form("")
    table = open_table(write_table(tmp_path / name, [["text", "labels"], ["unu", error]], form), {"text"})
    (row,) = table
    assert table.text(row, 0) == "unu"
    with pytest.raises(InputError, match=f"line 2: Excel's error {error}"):
        table.text(row, 1)


def test_a_file_of_ours_comes_back_from_excel_in_any_form(tmp_path: Path) -> None:
    rows = [("id", "part"), ("1", "select"), ("'=2", "report")]
    for form in FORMS:
        found = read_columns(write_table(tmp_path / form.name, rows, form), ["part", "id"])
        assert [row.cells for row in found] == [["select", "1"], ["report", "=2"]]


def test_a_table_may_begin_anywhere_on_its_sheet(tmp_path: Path) -> None:
    rows = [[], [None, None, "text", "labels"], [], [None, None, "unu", "a"], [None, None, "doi"]]
    table = open_table(write_sheet(tmp_path / "x.xlsx", rows), {"text", "labels"}, width=2)
    assert [(row.line, row.cells) for row in table] == [(4, ["unu", "a"]), (5, ["doi", ""])]


def test_a_note_beside_a_table_is_named_by_its_row(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "x.xlsx", [["text", "labels"], ["unu", "a"], ["doi", "b", None, "de verificat"]])
    assert "See line 3: 'doi | b |  | de verificat'" in refused(path, width=2)


def test_a_marked_file_is_utf_8_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(codecs.BOM_UTF8 + "text;labels\nșase;a\n".encode() + "şapte;b\n".encode("cp1250"))
    assert "line 3: a byte is not UTF-8" in refused(path, width=2)
