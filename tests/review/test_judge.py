"""A sheet goes out blind and comes back: what is read of it, and what its marks say."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook
from table_files import write_sheet as write_table

from get_tags_train.core.errors import InputError
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.i18n import set_language
from get_tags_train.model.metadata import ModelMetadata, read_metadata, write_metadata
from get_tags_train.review.judge import Judgement, judge_marks, judged_samples, keep, make_sheet
from get_tags_train.review.judge_plan import plan_for_rows
from get_tags_train.review.judge_pool import ComparedDocument, Document, Pool
from get_tags_train.review.judge_sheet import SheetKey, SheetRow, key_path, read_key

K = 2
TAGS = [f"t{n}" for n in range(30)]
Rule = Callable[[SheetKey, SheetRow], str]


def pool(differing: int = 20) -> Pool:
    """The model alone has the tag `a N`, which is wrong by the database, the live one `b N`; both have c N."""
    compared = []
    for n in range(differing):
        a, b, c = f"a {n}", f"b {n}", f"c {n}"
        document = Document(str(n), f"Textul documentului {n}", [b, c])
        compared.append(ComparedDocument(document, [a], [b], [c], frozenset([a, b, c])))
    return Pool(K, 40, compared, TAGS)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("new", "old"):
        folder = tmp_path / "_models" / name
        folder.mkdir(parents=True)
        write_metadata(folder, ModelMetadata(name=name, files={"model.safetensors": name}))
    return tmp_path


def made(home: Path, path: Path | None = None, rows: int = 64) -> tuple[SheetKey, Path]:
    models = home / "_models"
    found = pool()
    rng = np.random.default_rng(3)
    return make_sheet(home, (models / "new", models / "old"), found, plan_for_rows(found, rows), path=path, rng=rng)


def cells(path: Path) -> list[list[str]]:
    return [[cell or "" for cell in row] for row in load_workbook(path).active.iter_rows(values_only=True)]


def marked(key: SheetKey, path: Path, rule: Rule, to: Path | None = None) -> Path:
    """The sheet with marks by a rule."""
    header, *rows = cells(path)
    for row in rows:
        row[header.index("mark")] = rule(key, key.rows[int(row[0].rpartition("-")[2]) - 1])
    return write_table(to or path, [header, *rows])


def careful(better: str) -> Rule:
    """A judge for whom one model is always right."""

    def rule(_key: SheetKey, row: SheetRow) -> str:
        return "right" if row.source in (better, "agreed") else "wrong"

    return rule


def judged(home: Path, rule: Rule) -> Judgement:
    key, path = made(home)
    return judge_marks(home, [marked(key, path, rule)])


def test_a_sheet_tells_nothing_of_whose_a_tag_is(home: Path) -> None:
    key, path = made(home)
    header, *rows = cells(path)
    assert header == ["row", "document", "tag", "mark", "comment", "text"]
    assert [row[2] for row in rows] == [row.tag for row in key.rows]
    assert rows[0][5] == f"Textul documentului {rows[0][1]}"
    raw = path.read_bytes()
    assert not any(word in "".join(map("".join, rows)) for word in ("new", "old", "model", "live", "absurd"))
    assert b"live" not in raw
    assert read_key(home, key.sheet) == key


def test_the_model_that_people_prefer_is_better_whatever_the_database_says(home: Path) -> None:
    record = judged(home, careful("model")).record
    assert (record.verdict, record.judged, record.documents, record.differing) == ("better", 20, 40, 20)
    assert record.difference == pytest.approx(0.25)  # half of the documents differ, by one of two tags
    assert record.right_though_wrong is not None
    assert (record.right_though_wrong.rows, record.right_though_wrong.count) == (20, 20)
    assert record.wrong_though_right is not None
    assert (record.wrong_though_right.rows, record.wrong_though_right.count) == (20, 20)
    assert record.sentence.startswith("People who did not know which was which prefer new to old (precision@2 differs")


def test_the_live_model_may_be_preferred(home: Path) -> None:
    record = judged(home, careful("live")).record
    assert (record.verdict, record.difference) == ("worse", pytest.approx(-0.25))
    assert record.sentence.startswith("People who did not know which was which prefer old to new")


def test_what_is_as_often_right_as_wrong_is_not_told_apart(home: Path) -> None:
    def rule(_key: SheetKey, row: SheetRow) -> str:
        is_models = row.source == "agreed" or (row.source == "model") == bool(row.document % 2)
        return "right" if is_models and row.source != "absurd" else "wrong"

    record = judged(home, rule).record
    assert (record.verdict, record.difference) == ("not distinguishable", 0)


def test_a_judge_who_calls_everything_right_gets_no_verdict(home: Path) -> None:
    record = judged(home, lambda _key, _row: "right").record
    assert record.verdict == "no verdict"
    (controls,) = record.controls
    assert (controls.agreed, controls.agreed_right, controls.absurd, controls.absurd_right) == (12, 12, 12, 12)
    assert controls.care == 0
    assert "not to be relied on" in record.sentence


def test_documents_with_unmarked_rows_do_not_count(home: Path) -> None:
    rule = careful("model")
    found = judged(home, lambda key, row: "" if row.document < 5 and row.source == "live" else rule(key, row))
    assert (found.record.judged, found.record.verdict) == (15, "better")


def test_of_hardly_any_marks_there_is_no_verdict(home: Path) -> None:
    rule = careful("model")
    few = judged(home, lambda key, row: rule(key, row) if row.document < 9 else "").record
    assert (few.verdict, few.judged) == ("no verdict", 9)
    assert "too few documents are marked" in few.sentence


def test_nothing_marked_is_no_verdict(home: Path) -> None:
    none = judged(home, lambda _key, _row: "").record
    assert (none.verdict, none.judged, none.rows, none.interval) == ("no verdict", 0, 0, [-1.0, 1.0])


def test_dont_know_counts_as_half_right(home: Path) -> None:
    rule = careful("model")
    found = judged(home, lambda key, row: "don't know" if row.source == "model" else rule(key, row))
    assert found.record.difference == pytest.approx(0.125)


def test_two_judges(home: Path) -> None:
    key, path = made(home)
    first = marked(key, path, careful("model"), home / "first.xlsx")
    rule = careful("model")

    def other(key: SheetKey, row: SheetRow) -> str:
        return "wrong" if row.document < 5 else rule(key, row)

    second = marked(key, path, other, home / "second.xlsx")
    found = judge_marks(home, [first, second])
    # Of 40 rows that differ they agree on 35; the first calls 20 right, the second 15: half by chance.
    assert found.record.kappa == pytest.approx((35 / 40 - 0.5) / 0.5)
    assert found.record.difference == pytest.approx(0.5 * (15 + 5 / 2) / 20 / K)
    assert {tuple(row["marks"]) for row in found.disagreements()} == {("right", "wrong")}
    assert found.record.disagreements == len(found.disagreements()) >= 5


def test_the_same_file_twice_is_not_two_judges(home: Path) -> None:
    key, path = made(home)
    copy = marked(key, path, careful("model"), home / "copy.xlsx")
    with pytest.raises(InputError, match="the same"):
        judge_marks(home, [copy, copy])


def test_a_sheet_may_come_back_sorted_in_another_language_and_as_csv(home: Path) -> None:
    set_language("ro")
    try:
        key, path = made(home, home / "foaie.csv")
    finally:
        set_language("en")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header[3] == "marcaj"
    for row in rows:
        number = int(row[0].rpartition("-")[2]) - 1
        row[3] = "GRESIT" if key.rows[number].source in ("live", "absurd") else "Corect"
    with path.open("w", encoding="cp1250", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows([header, *sorted(rows, key=lambda row: row[2])])
    assert judge_marks(home, [path]).record.verdict == "better"


def changed(path: Path, row: int, column: int, value: str) -> None:
    table = cells(path)
    table[row][column] = value
    write_table(path, table)


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (3, 2, "another tag", "line 4: its tag was"),
        (3, 1, "99", "line 4: its document was"),
        (3, 0, "20200101-000000-001", "line 4: there is no row '20200101-000000-001' in that sheet"),
        (3, 3, "perhaps", "line 4: 'perhaps' is not a mark; it is one of right, wrong, don't know"),
    ],
)
def test_a_sheet_that_is_not_as_it_was_is_refused(home: Path, row: int, column: int, value: str, said: str) -> None:
    _key, path = made(home)
    changed(path, row, column, value)
    with pytest.raises(InputError) as error:
        judge_marks(home, [path])
    assert said in error.value.message


def test_a_row_that_is_there_twice_is_refused(home: Path) -> None:
    _key, path = made(home)
    write_table(path, [*cells(path), cells(path)[1]])
    with pytest.raises(InputError, match="twice"):
        judge_marks(home, [path])


def test_a_sheet_of_another_home_is_refused(home: Path, tmp_path: Path) -> None:
    _key, path = made(home)
    with pytest.raises(InputError, match="key of this sheet is not there"):
        judge_marks(tmp_path / "elsewhere", [path])


def test_another_table_is_refused(home: Path) -> None:
    with pytest.raises(InputError, match="not a sheet of judge: it has no column row"):
        judge_marks(home, [write_table(home / "x.xlsx", [["text", "labels"], ["a", "b"]])])


def test_two_sheets_are_not_one(home: Path) -> None:
    key, path = made(home)
    other = read_json(key_path(home, key.sheet)) | {"sheet": "20260101-000000"}
    write_json(key_path(home, "20260101-000000"), other)
    table = [[row[0].replace(key.sheet, "20260101-000000"), *row[1:]] for row in cells(path)]
    with pytest.raises(InputError, match="different sheets"):
        judge_marks(home, [path, write_table(home / "other.xlsx", table)])


def test_nothing_is_overwritten(home: Path) -> None:
    (home / "there.xlsx").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="there already"):
        made(home, home / "there.xlsx")
    assert (home / "there.xlsx").read_text(encoding="utf-8") == "mine"


def test_the_verdict_stays_with_both_models(home: Path) -> None:
    found = judged(home, careful("model"))
    folders = [home / "_models" / name for name in ("new", "old")]
    for _again in range(2):  # another import takes the place of the first
        assert keep(found.record, found.key, folders) == folders
    (own,), (other,) = (read_metadata(folder).judgements for folder in folders)
    assert (own.verdict, own.model, own.rival) == ("better", "new", "old")
    assert (other.verdict, other.model, other.rival) == ("worse", "old", "new")
    assert other.difference == -own.difference
    assert other.interval == [-own.interval[1], -own.interval[0]]


def test_a_model_that_is_another_now_keeps_no_verdict(home: Path) -> None:
    found = judged(home, careful("model"))
    folder = home / "_models" / "new"
    write_metadata(folder, ModelMetadata(name="new", files={"model.safetensors": "changed"}))
    assert keep(found.record, found.key, [folder]) == []


def test_judged_documents_become_samples_with_the_tags_that_people_left(home: Path) -> None:
    assert judged_samples(home) == []
    judged(home, careful("model"))
    samples = {one.document_id: one for one in judged_samples(home)}
    assert len(samples) == 20
    assert samples["7"].part == "judged"
    assert samples["7"].text == "Textul documentului 7"
    assert sorted(samples["7"].labels) == ["a 7", "c 7"]  # b 7 was wrong, and a 7 right


def test_whose_each_row_was_can_be_read_afterwards(home: Path) -> None:
    key = judged(home, careful("model")).key
    with (home / "_reviews" / f"judge-{key.sheet}.marks.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(key.rows)
    assert {(row["source"], row["marks"]) for row in rows} == {
        ("model", "right"), ("live", "wrong"), ("agreed", "right"), ("absurd", "wrong"),
    }  # fmt: skip


def test_errors_on_control_rows_widen_the_interval_away_from_zero(home: Path) -> None:
    sure = judged(home, careful("model")).record
    (home / "_reviews").rename(home / "before")

    def rule(key: SheetKey, row: SheetRow) -> str:
        agreed = [row for row in key.rows if row.source == "agreed"]
        return "wrong" if row in agreed[:3] else careful("model")(key, row)

    unsure = judged(home, rule).record
    assert unsure.controls[0].care == 0.75  # 9 of 12 agreed ones
    assert unsure.difference == sure.difference
    assert unsure.interval[0] == sure.interval[0]
    assert unsure.interval[1] == pytest.approx(sure.interval[1] / 0.75, abs=1e-5)
