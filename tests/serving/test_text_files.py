"""Files of texts as people have them, read as a stream; what is wrong is found before the work begins."""

import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_files import FORMS, Form, write_sheet, write_table

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import write_workbook
from get_tags_train.serving.text_files import Text, Texts

LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), min_size=1, max_size=30)


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def refused(path: Path, **more: object) -> str:
    with pytest.raises(InputError) as caught:
        Texts.of_file(path, **more)  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value.message


def test_a_text_file_is_one_text(tmp_path: Path) -> None:
    texts = Texts.of_file(write(tmp_path / "a.txt", "unu\ndoi", "cp1250"))
    assert list(texts) == [Text("1", "unu\ndoi")]
    assert len(texts) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1250"])
def test_a_csv_file_as_excel_writes_it(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [["Id", "Text", "altele"], ["7", '"doi, trei; patru\nșase"', "x"], ["8", '"ț"', ""]]
    content = "\r\n".join(delimiter.join(row) for row in rows).replace("ș", "ş").replace("ț", "ţ")
    texts = Texts.of_file(write(tmp_path / "a.csv", content, encoding))
    assert list(texts) == [Text("7", "doi, trei; patru\nşase"), Text("8", "ţ")]
    assert list(texts) == list(texts)


def test_the_columns_with_the_text_are_chosen_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "titlu,continut\nT1,C1\n,C2\n\n")
    assert [text.text for text in Texts.of_file(path, columns=["Titlu", "continut"])] == ["T1\nC1", "C2"]
    assert [text.id for text in Texts.of_file(path, columns=["continut"])] == ["1", "2"]
    assert refused(path) == f"{path} has no column text."
    assert refused(path, columns=["corp"]) == f"{path} has no column corp."


def test_a_broken_row_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,id\n"a\nb",1\nc,d,2\n')
    assert "line 4: 3 cells, and the header has 2" in refused(path)


def test_json_lines(tmp_path: Path) -> None:
    lines = ['{"doc_id": 5, "text": "unu"}', "", '"doi"', '{"text": null, "x": 1}']
    texts = Texts.of_file(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert list(texts) == [Text("5", "unu"), Text("2", "doi"), Text("3", "")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not JSON"),
        ("7", "line 2 is not a JSON object"),
        ('{"corp": "x"}', "line 2 has no text"),
        ('{"text": 5}', "line 2: text is not text"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    assert said in refused(write(tmp_path / "a.jsonl", f'{{"text": "x"}}\n{line}\n'))


def test_files_with_nothing_in_them(tmp_path: Path) -> None:
    assert "no texts in it" in refused(write(tmp_path / "a.csv", "text\n"))
    assert "no texts in it" in refused(write(tmp_path / "a.jsonl", "\n"))
    assert "has no column text" in refused(write(tmp_path / "b.csv", ""))
    assert "There is no text" in refused(write(tmp_path / "a.txt", " \n"))
    assert "There is no file" in refused(tmp_path / "absent.csv")
    (tmp_path / "c.csv").write_bytes(b"\x81\xff")
    assert "is not text in UTF-8" in refused(tmp_path / "c.csv")
    assert "--column was given" in refused(write(tmp_path / "d.txt", "x"), columns=["text"])


@given(st.lists(LETTERS, min_size=1, max_size=5))
def test_whatever_is_written_is_read_again(written: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        write_csv(path, [["text", "id"], *([text, "n"] for text in written)])
        assert [text.text for text in Texts.of_file(path)] == written
        path = write(Path(folder) / "a.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in written))
        assert [text.text for text in Texts.of_file(path)] == written


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_the_same_in_every_file(tmp_path: Path, form: Form) -> None:
    rows = [["Id", "Text"], ["00012", "unu, doi; trei\npatru\tcinci"], ["=1", "sase"]]
    texts = Texts.of_file(write_table(tmp_path / form.name, rows, form))
    assert list(texts) == [Text(*row) for row in rows[1:]] == list(texts)


def test_one_column_of_a_romanian_excel_may_hold_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text\r\nArt. 1, alin. (2)\r\n"a; b"\r\n', "cp1250")
    assert [text.text for text in Texts.of_file(path)] == ["Art. 1, alin. (2)", "a; b"]


@pytest.mark.parametrize(
    "content",
    [
        '["unu", {"id": 7, "text": "doi"}, {"text": "trei"}]',
        '[\n  "unu",\n  {"id": 7.0,\n   "text": "doi"},\n  {"text": "trei"}\n]\n',
        '"unu"\n{"id": 7, "text": "doi"}\n{"text": "trei"}\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_json_file_is_an_array_or_values(tmp_path: Path, content: str, encoding: str) -> None:
    texts = Texts.of_file(write(tmp_path / "a.json", content, encoding))
    assert list(texts) == [Text("1", "unu"), Text("7", "doi"), Text("3", "trei")]


@pytest.mark.parametrize(("name", "ending"), [("a.tsv", ".tsv"), ("a.tab", ".tab")])
def test_a_tsv_file_is_a_table(tmp_path: Path, name: str, ending: str) -> None:
    texts = Texts.of_file(write(tmp_path / name, "id\ttext\n7\tunu, doi; trei\n"))
    assert list(texts) == [Text("7", "unu, doi; trei")]


@pytest.mark.parametrize("name", ["a.docx", "a.pdf", "a.xls", "a.ods", "a.xlsb", "a.parquet", "a.zip", "a.odt"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, name: str) -> None:
    assert f"{name} has the ending .{name[2:]}, and such files are not read" in refused(write(tmp_path / name, "x"))
    assert list(Texts.of_file(tmp_path / name, format="txt")) == [Text("1", "x")]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.md", "a.html"])
def test_a_text_of_another_name_is_one_text(tmp_path: Path, name: str) -> None:
    assert list(Texts.of_file(write(tmp_path / name, "unu\ndoi"))) == [Text("1", "unu\ndoi")]


def test_what_a_file_holds_and_what_it_is_called_must_agree(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"PK\x03\x04...")
    assert "is not a text file but a Word or Excel file" in refused(tmp_path / "a.txt")
    assert "is not an Excel workbook" in refused(write(tmp_path / "a.xlsx", "text\nunu\n"))
    assert "--input-format csv" in refused(write_sheet(tmp_path / "b.xlsx", [["text"], ["unu"]]), format="csv")


@pytest.mark.parametrize("half", ['{"id": "a\\ud83d", "text": "un\\ud83du"}', '{"id": "a", "text": "un\\ude00u"}'])
def test_half_an_emoji_is_left_out_of_texts_and_ids(tmp_path: Path, half: str) -> None:
    assert list(Texts.of_file(write(tmp_path / "a.jsonl", half))) == [Text("a", "unu")]
    assert list(Texts.of_file(write(tmp_path / "a.json", f"[{half}]"))) == [Text("a", "unu")]


@pytest.mark.parametrize("own", ["true", "1.5", "[1]", '{"a": 1}', "NaN"])
def test_an_id_that_is_no_text_or_whole_number_is_refused(tmp_path: Path, own: str) -> None:
    assert "line 1: id is neither text nor a whole number" in refused(
        write(tmp_path / "a.jsonl", f'{{"id": {own}, "text": "x"}}')
    )


@pytest.mark.parametrize(("own", "read"), [("null", ""), ("7.0", "7"), ("7", "7"), ('"07"', "07")])
def test_an_id_is_a_text_or_a_whole_number(tmp_path: Path, own: str, read: str) -> None:
    assert list(Texts.of_file(write(tmp_path / "a.jsonl", f'{{"id": {own}, "text": "x"}}'))) == [Text(read, "x")]


def test_the_column_called_text_is_the_text(tmp_path: Path) -> None:
    rows = "document,content,text\n7,alta,unu\n"
    assert [text.text for text in Texts.of_file(write(tmp_path / "a.csv", rows))] == ["unu"]
    several = refused(write(tmp_path / "b.csv", "document,content\n7,unu\n"))
    assert "several columns that may be the text: document, content" in several
    assert "several columns" in refused(write(tmp_path / "a.jsonl", '{"document": "7", "content": "unu"}'))
    assert "two columns called corp" in refused(write(tmp_path / "c.csv", "corp,corp\na,b\n"), columns=["corp"])


def test_an_error_of_excel_in_a_text_is_named_by_its_row(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "a.xlsx", [["text", "x"], ["unu", "#N/A"], ["#REF!", "y"]])
    assert "line 3: Excel's error #REF!" in refused(path)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.json", "a.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    """600 texts of 20,000 letters are 24 MB."""
    path, text = tmp_path / name, "ț" * 20_000
    rows = ((f"{n}", f"{n} {text}") for n in range(600))
    if name == "a.csv":
        write_csv(path, [("id", "text"), *rows])
    elif name == "a.xlsx":
        write_workbook(path, {"id": 10, "text": 60}, rows)
    else:
        objects = (json.dumps({"id": own, "text": text}) for own, text in rows)
        path.write_text("\n".join(objects) if name == "a.jsonl" else f"[{','.join(objects)}]", encoding="utf-8")
    tracemalloc.start()
    try:
        texts = Texts.of_file(path)
        assert sum(len(text.text) for text in texts) >= 12_000_000
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(texts) == 600
    assert peak < 15_000_000
