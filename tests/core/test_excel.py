"""Workbooks as Excel and other programs write them."""

import re
import zipfile
from datetime import date, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from table_files import write_sheet

from get_tags_train.core import excel
from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import DATE, FORMULA, TRUTH_VALUE, ExcelCell, workbook_rows, write_workbook


def cells_of(path: Path) -> list[list[str]]:
    return [row.cells for row in workbook_rows(path, path.name)]


def holds(cell: str) -> str:
    return cell.holds if isinstance(cell, ExcelCell) else ""


def rewritten(path: Path, part: str, change: tuple[str, str]) -> Path:
    """The workbook with the XML of one part changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    content = parts[part].decode()
    assert re.search(change[0], content)
    parts[part] = re.sub(*change, content).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in parts.items():
            archive.writestr(name, raw)
    return path


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("text", "text"),
        (12, "12"),
        (12.0, "12"),
        (-7.0, "-7"),
        (2.5, "2.5"),
        (0.1 + 0.2, "0.3"),
        (999_999_999_999_999.0, "999999999999999"),
        (1.23456789012346e18, "1.23457E+18"),
        (1_234_567_890_123_450_000, "1.23457E+18"),
        ("'=1+1", "=1+1"),
        ('="00001"', "00001"),
        ("rând_x000D_\nnou", "rând\r\nnou"),
        ("_x005F_x000D_", "_x000D_"),
        (None, ""),
    ],
)
def test_a_cell_is_what_a_csv_file_would_hold(tmp_path: Path, value: object, cell: str) -> None:
    (cells,) = cells_of(write_sheet(tmp_path / "x.xlsx", [["a", value, "b"]]))
    assert cells == ["a", cell, "b"]
    assert holds(cells[1]) == ""


def test_a_number_with_more_digits_than_excel_keeps_comes_from_another_program(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "x.xlsx", [[7]])
    rewritten(path, "xl/worksheets/sheet1.xml", ("<v>7</v>", "<v>1234567890123456789</v>"))
    assert cells_of(path) == [["1234567890123456789"]]


@pytest.mark.parametrize(
    ("value", "cell", "kind"),
    [
        (date(2026, 5, 1), "2026-05-01", DATE),
        (datetime(2026, 5, 1, 10, 30), "2026-05-01 10:30:00", DATE),
        (time(10, 30), "10:30:00", DATE),
        (True, "TRUE", TRUTH_VALUE),
        (False, "FALSE", TRUTH_VALUE),
    ],
)
def test_a_cell_that_is_no_text_says_what_it_holds(tmp_path: Path, value: object, cell: str, kind: str) -> None:
    ((found,),) = cells_of(write_sheet(tmp_path / "x.xlsx", [[value]]))
    assert (found, holds(found)) == (cell, kind)


def test_zeros_that_the_format_shows_are_kept(tmp_path: Path) -> None:
    def shown(book: Workbook) -> None:
        book.active["A1"].number_format = "00000"

    assert cells_of(write_sheet(tmp_path / "x.xlsx", [[1], [1]], change=shown)) == [["00001"], ["1"]]


def test_a_formula_is_its_value_and_one_never_computed_is_told(tmp_path: Path) -> None:
    def formulas(book: Workbook) -> None:
        for line in (1, 2, 3):
            book.active[f"B{line}"] = "=A1&A2"

    path = write_sheet(tmp_path / "x.xlsx", [["a"], ["b"], ["c"]], change=formulas)
    rewritten(path, "xl/worksheets/sheet1.xml", (r'(<c r="B1")(>.*?)<v ?/>', r'\1 t="str"\2<v>ab</v>'))
    rewritten(path, "xl/worksheets/sheet1.xml", (r'(<c r="B2")(>.*?)<v ?/>', r'\1 t="str"\2<v></v>'))
    found = cells_of(path)
    assert [cells[1] for cells in found] == ["ab", "", "="]
    assert [holds(cells[1]) for cells in found] == ["", "", FORMULA]


def test_rows_are_counted_as_excel_counts_them_hidden_ones_too(tmp_path: Path) -> None:
    def hide(book: Workbook) -> None:
        book.active.row_dimensions[3].hidden = True

    path = write_sheet(tmp_path / "x.xlsx", [["a"], [], ["c"], [], ["e"]], change=hide)
    assert [(row.line, row.cells) for row in workbook_rows(path, "x") if any(row.cells)] == [
        (1, ["a"]), (3, ["c"]), (5, ["e"]),
    ]  # fmt: skip


def test_the_first_sheet_that_can_be_seen_is_read(tmp_path: Path) -> None:
    def sheets(book: Workbook) -> None:
        book.create_sheet("doi").append(["doi"])
        book.create_chartsheet("grafic", 0)
        book.worksheets[0].sheet_state = "hidden"

    assert cells_of(write_sheet(tmp_path / "x.xlsx", [["unu"]], change=sheets)) == [["doi"]]


def test_rows_beyond_what_the_sheet_says_of_its_size_are_read(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "x.xlsx", [["a", "b"], ["c", "d"]])
    rewritten(path, "xl/worksheets/sheet1.xml", (r'<dimension ref="[^"]*" ?/>', '<dimension ref="A1"/>'))
    assert cells_of(path) == [["a", "b"], ["c", "d"]]


def test_shared_texts_are_kept_on_disk_beyond_their_share_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel, "_STRINGS_IN_MEMORY_BYTES", 10)
    rows = [[f"text țară {n}", f"text țară {n // 2}"] for n in range(50)]
    assert cells_of(write_sheet(tmp_path / "x.xlsx", rows)) == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not an Excel workbook"),
        (b"text;labels\n", "is not an Excel workbook, whatever its name says"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "has a password, or is an old .xls file"),
        (b"PK\x03\x04damaged", "cannot be read as an Excel workbook"),
    ],
)
def test_what_is_no_workbook_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(workbook_rows(path, str(path)))
    assert said in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_part_that_is_no_xml_is_told_as_damage(tmp_path: Path) -> None:
    path = rewritten(write_sheet(tmp_path / "x.xlsx", [["a"]] * 3), "xl/worksheets/sheet1.xml", ("</row>", "</ro>"))
    with pytest.raises(InputError, match="cannot be read as an Excel workbook"):
        list(workbook_rows(path, "x.xlsx"))


def test_an_archive_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "x.xlsx", [["a"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/big.xml", "w") as stream:
        for _ in range(1025):
            stream.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 21
    with pytest.raises(InputError, match="larger than 1 GB"):
        list(workbook_rows(path, "x.xlsx"))


# --- writing ---


def test_no_text_that_is_written_is_a_formula(tmp_path: Path) -> None:
    write_workbook(
        tmp_path / "x.xlsx",
        {"id": 10, "tag": 20, "score": 10},
        [["=1+1", '=HYPERLINK("x")', 0.25], ["00001", "", None]],
    )
    first, second, third = load_workbook(tmp_path / "x.xlsx").active.iter_rows()
    assert [cell.value for cell in first] == ["id", "tag", "score"]
    assert [(cell.value, cell.data_type) for cell in second] == [("=1+1", "s"), ('=HYPERLINK("x")', "s"), (0.25, "n")]
    assert [cell.value for cell in third] == ["00001", None, None]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=20))
@example("a\r\nb\r\rc")
def test_whatever_is_written_is_read_again_without_what_xml_cannot_hold(tmp_path: Path, text: str) -> None:
    write_workbook(tmp_path / "x.xlsx", {"text": 60}, [[text]])
    expected = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", text)
    expected = re.sub("\r\n?", "\n", expected)  # as XML reads the ends of lines
    found = cells_of(tmp_path / "x.xlsx")[1]
    assert found in ([expected], [expected[1:]]) if expected.startswith("'") else found == [expected]


def test_more_rows_than_a_sheet_holds_go_on_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MAX_ROWS", 3)
    write_workbook(tmp_path / "x.xlsx", {"n": 10}, ([str(n)] for n in range(5)))
    sheets = [[row[0] for row in sheet.values] for sheet in load_workbook(tmp_path / "x.xlsx")]
    assert sheets == [["n", "0", "1"], ["n", "2", "3"], ["n", "4"]]


def test_the_header_stays_in_sight_with_filters(tmp_path: Path) -> None:
    write_workbook(tmp_path / "x.xlsx", {"id": 10, "text": 60}, [["1", "a"], ["2", "b"]])
    sheet = load_workbook(tmp_path / "x.xlsx").active
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:B3"
    assert sheet.column_dimensions["B"].width == 60


def test_a_workbook_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def rows():
        yield ["unu"]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_workbook(tmp_path / "x.xlsx", {"id": 10}, rows())
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_whose_only_sheet_is_a_chart_is_refused(tmp_path: Path) -> None:
    def chart_alone(book: Workbook) -> None:
        book.create_chartsheet("grafic", 0)
        book.worksheets[0].sheet_state = "hidden"

    with pytest.raises(InputError, match="has no sheet that can be read"):
        cells_of(write_sheet(tmp_path / "x.xlsx", [["a"]], change=chart_alone))


def test_the_cells_of_a_column_are_chosen_from_a_list(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    write_workbook(path, {"tag": 20, "mark": 10}, [["a", None]], choices={"mark": ["right", "wrong"]})
    (offered,) = load_workbook(path).active.data_validations.dataValidation
    assert (offered.type, offered.formula1, str(offered.sqref)) == ("list", '"right,wrong"', "B2:B1048576")


def test_a_row_shows_several_lines_of_a_text(tmp_path: Path) -> None:
    write_workbook(tmp_path / "x.xlsx", {"text": 80}, [["long " * 99]], row_lines=4)
    sheet = load_workbook(tmp_path / "x.xlsx").active
    assert sheet.row_dimensions[2].height == 60.0
    assert sheet["A2"].alignment.wrap_text
