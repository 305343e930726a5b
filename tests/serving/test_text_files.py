"""Files of texts as people have them, read as a stream; what is wrong is found before the work begins."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import InputError
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
        ("{", "line 2 is no JSON"),
        ("7", "line 2 is no JSON object"),
        ('{"corp": "x"}', "line 2 has no text"),
        ('{"text": 5}', "line 2: text is no text"),
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
