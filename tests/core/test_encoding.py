"""The encoding of a text file: found, or the line with the wrong byte named."""

import codecs
from pathlib import Path

import pytest

from get_tags_train.core import encoding
from get_tags_train.core.encoding import find_encoding, read_text, text_lines
from get_tags_train.core.errors import InputError

TEXT = "Ședința părților\nși țara\n"


def plain(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_text(path)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp1250"]
)
@pytest.mark.parametrize("chunk_bytes", [7, 1 << 20])
def test_text_is_read_in_its_encoding(
    tmp_path: Path, codec: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_CHUNK_BYTES", chunk_bytes)
    text = TEXT.translate(str.maketrans("ȘșȚț", "ŞşŢţ")) if codec == "cp1250" else TEXT
    content = text.encode(codec)
    if codec == "utf-32-be":
        content = codecs.BOM_UTF32_BE + content
    path = plain(tmp_path / "x.txt", content)
    assert read_text(path) == text
    assert list(text_lines(path, find_encoding(path), "x")) == text.splitlines(keepends=True)


def test_capitals_in_cp1250_that_are_utf_8_by_chance_are_cp1250(tmp_path: Path) -> None:
    text = "PĂŞUNE și fâneaţă, ÎŞI".replace("ș", "ş")  # ĂŞ and ÎŞ are C3 AA and CE AA
    assert read_text(plain(tmp_path / "x.txt", text.encode("cp1250"))) == text


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_one_byte_of_another_encoding_is_named_by_its_line(tmp_path: Path, mark: bytes) -> None:
    content = mark + "șase țări\nșapte\n".encode() + "opt ţări\n".encode("cp1250") + "nouă\n".encode()
    assert "line 3: a byte is not UTF-8, unlike the rest of the file" in refused(plain(tmp_path / "x.csv", content))


def test_a_mark_makes_a_file_utf_8_whatever_the_rest_is(tmp_path: Path) -> None:
    content = codecs.BOM_UTF8 + "şapte ţări\n".encode("cp1250")
    assert "line 1: a byte is not UTF-8" in refused(plain(tmp_path / "x.csv", content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"unu\n\x81\x83\x88\xff", "is not text in UTF-8 or cp1250: see line 2"),
        ("ab".encode("utf-16")[:-1], "is not text in UTF-16: see line 1"),
        ("unu\ndoi".encode("utf-16")[:-1], "is not text in UTF-16: see line 2"),
        (b"%PDF-1.7\n...", "is not a text file but a PDF file"),
        (b"PK\x03\x04\x14\0\x06\0", "is not a text file but a Word or Excel file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is not a text file but an old Word or Excel file"),
        (b"{\\rtf1\\ansi", "is not a text file but an RTF file"),
        (b"\x1f\x8b\x08", "is not a text file but a gzip archive"),
    ],
)
def test_what_is_no_text_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused(plain(tmp_path / "x.csv", content))


@pytest.mark.parametrize(
    "half",
    [
        "a😀b".encode("utf-16")[:4] + "a😀b".encode("utf-16-le")[2:4] + "b".encode("utf-16-le"),
        "a\ud83db".encode("utf-8", "surrogatepass"),
    ],
)
def test_half_an_emoji_is_left_out(tmp_path: Path, half: bytes) -> None:
    assert read_text(plain(tmp_path / "x.txt", half)) == "ab"


def test_marks_inside_a_file_that_was_joined_from_several_are_left_out(tmp_path: Path) -> None:
    path = plain(tmp_path / "x.csv", codecs.BOM_UTF8 + b"1\n" + codecs.BOM_UTF8 + b"2\n")
    assert list(text_lines(path, "utf-8", "x")) == ["1\n", "2\n"]


def test_a_zero_byte_is_no_utf_16(tmp_path: Path) -> None:
    text = "unu\0doi" + " trei" * 50
    assert read_text(plain(tmp_path / "x.txt", text.encode())) == text


@pytest.mark.parametrize("text", ["0,Ā", "șțăî", "a", "Ă;Ș\r\nȚ;î\r\n"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_few_letters_of_utf_16_without_its_mark_are_known(tmp_path: Path, text: str, codec: str) -> None:
    assert read_text(plain(tmp_path / "x.txt", f"{text}\n".encode(codec))) == f"{text}\n"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_in_other_letters_without_its_mark_is_no_utf_8(tmp_path: Path, codec: str) -> None:
    assert "it has zero bytes" in refused(plain(tmp_path / "x.csv", "текст;метка\nеще;а\n".encode(codec)))


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MAX_CELL_CHARACTERS", 10)
    path = plain(tmp_path / "x.csv", b"unu\n" + b"x" * 11)
    with pytest.raises(InputError, match="line 2 is longer than 10 characters"):
        list(text_lines(path, "utf-8", "x.csv"))


@pytest.mark.parametrize("read", [find_encoding, read_text])
def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path, read) -> None:
    with pytest.raises(InputError, match=r"There is no file .*none\.csv"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match=tmp_path.name):
        read(tmp_path)
