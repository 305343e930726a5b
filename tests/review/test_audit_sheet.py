"""The list as people get it and as it comes back."""

from pathlib import Path

import pytest
from openpyxl import load_workbook

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import set_language
from get_tags_train.review.audit import Audit, Suspect
from get_tags_train.review.audit_sheet import Told, read_sheet, row_check, write_pairs, write_sheet
from get_tags_train.review.tag_pairs import TagPair
from get_tags_train.review.yield_estimate import Foreseen

SUSPECTS = [
    Suspect("00012", "Titlu", "Început", "drept civil", "missing", 0.8123, ["3", "4"], "… cauză …", 1.465, "ab" * 16),
    Suspect("13", "", '=HYPERLINK("x")', "=1+1", "wrong", 0.5, [], "+2", 0.0, "cd" * 16),
]
FOUND = Audit("tags_v1", SUSPECTS, Foreseen(1.3, 0.4, 2.0), [], 0)


@pytest.mark.parametrize("name", ["list.xlsx", "list.csv"])
def test_a_list_comes_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_sheet(tmp_path / name, FOUND)
    rows = read_sheet(tmp_path / name)
    assert [(r.document_id, r.tag, r.suspicion, r.text_hash) for r in rows] == [
        (s.document_id, s.tag, s.suspicion, s.text_hash) for s in SUSPECTS
    ]
    assert [(row.answer, row.probability, row.estimate) for row in rows] == [(None, 0.8123, 1.465), (None, 0.5, 0.0)]


def test_a_workbook_says_what_to_expect_and_offers_the_answers(tmp_path: Path) -> None:
    write_sheet(tmp_path / "list.xlsx", FOUND)
    sheet = load_workbook(tmp_path / "list.xlsx").active
    assert sheet["A1"].value == "Of these 2 about 1 are errors (95%: 0 to 2)."
    assert sheet.freeze_panes == "A3"
    assert sheet.auto_filter.ref.startswith("A2:")
    [offered] = sheet.data_validations.dataValidation
    assert offered.formula1 == '"yes,no,don\'t know"'
    assert "D3" in offered.sqref


def test_nothing_of_a_document_is_a_formula(tmp_path: Path) -> None:
    write_sheet(tmp_path / "list.xlsx", FOUND)
    assert all(cell.data_type != "f" for row in load_workbook(tmp_path / "list.xlsx").active for cell in row)
    write_sheet(tmp_path / "list.csv", FOUND)
    assert ",=" not in (tmp_path / "list.csv").read_text(encoding="utf-8-sig")


def test_a_romanian_list_is_read_in_english(tmp_path: Path) -> None:
    set_language("ro")
    try:
        write_sheet(tmp_path / "list.csv", FOUND)
    finally:
        set_language("en")
    text = (tmp_path / "list.csv").read_text(encoding="utf-8-sig")
    assert "lipsă" in text
    (tmp_path / "list.csv").write_text(text.replace(",lipsă,,", ",lipsă,Da,"), encoding="utf-8-sig")
    assert [row.answer for row in read_sheet(tmp_path / "list.csv")] == ["error", None]


HEADER = ["id", "tag", "suspicion", "is it an error?", "probability", "check"]
ROW = ["1", "a", "wrong", "", "50%", row_check("1", "a", "wrong", Told("ab" * 16, 0.5, -1.5))]


@pytest.mark.parametrize(
    ("mark", "answer"),
    [
        ("yes", "error"),
        ("NO ", "no error"),
        (" Da", "error"),
        ("NU", "no error"),
        ("don't know", "don't know"),
        ("don’t know", "don't know"),
        ("Nu stiu", "don't know"),
        ("", None),
    ],
)
def test_answers_are_read(tmp_path: Path, mark: str, answer: str | None) -> None:
    write_csv(tmp_path / "list.csv", [HEADER, [*ROW[:3], mark, *ROW[4:]]])
    [row] = read_sheet(tmp_path / "list.csv")
    assert (row.answer, row.probability, row.estimate) == (answer, 0.5, -1.5)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([HEADER, [*ROW[:3], "maybe", *ROW[4:]]], "line 2: 'maybe' is not an answer"),
        ([HEADER, [*ROW[:5], ROW[5].replace("0.5", "0.6")]], "line 2: the row is not as the audit wrote it"),
        ([HEADER, [*ROW[:5], "no check"]], "line 2: the row is not as the audit wrote it"),
        ([HEADER, [*ROW[:2], "else", *ROW[3:]]], "line 2: the row is not as the audit wrote it"),
        ([HEADER, ["1", "another tag", *ROW[2:]]], "line 2: the row is not as the audit wrote it"),
        ([HEADER, ["2", *ROW[1:]]], "line 2: the row is not as the audit wrote it"),
        ([HEADER[:3], ROW[:3]], "no column is it an error?"),
        ([["x", "y"], ["1", "2"]], "no column id"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, rows: list[list[str]], said: str) -> None:
    write_csv(tmp_path / "list.csv", rows)
    with pytest.raises(InputError) as error:
        read_sheet(tmp_path / "list.csv")
    assert said in error.value.message


def test_rows_may_be_deleted_and_columns_inserted(tmp_path: Path) -> None:
    write_sheet(tmp_path / "list.xlsx", FOUND)
    book = load_workbook(tmp_path / "list.xlsx")
    book.active.delete_rows(3)
    book.active.delete_rows(1)
    book.active.insert_cols(2)
    book.save(tmp_path / "list.xlsx")
    assert [row.document_id for row in read_sheet(tmp_path / "list.xlsx")] == ["13"]


def test_a_list_that_excel_saved_with_semicolons_is_read(tmp_path: Path) -> None:
    # A Romanian Excel may take a number with a point for a date.
    rows = [HEADER, [*ROW[:3], "da", "01.ian", ROW[5]]]
    (tmp_path / "list.csv").write_bytes("\r\n".join(";".join(row) for row in rows).encode("utf-8-sig"))
    [row] = read_sheet(tmp_path / "list.csv")
    assert (row.answer, row.probability, row.estimate) == ("error", 0.5, -1.5)


def test_suggested_pairs_can_go_into_the_map(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.csv", [TagPair("Drept Civil", "drept civil", (2, 90), 1.0, 0.8, 0.0, 0.4)])
    lines = (tmp_path / "pairs.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("tag,becomes,")
    assert lines[1] == "Drept Civil,drept civil,2 / 90,1.00,0.80,0.00,0.40"
