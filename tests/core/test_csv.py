"""CSV as Excel on Romanian Windows writes it, read right; what is wrong with it, named by its line."""

import codecs
import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from get_tags_train.core.csv import write_csv
from get_tags_train.core.encoding import read_text
from get_tags_train.core.errors import InputError
from get_tags_train.data.input_files import read_ids, read_tags_map
from get_tags_train.splits.test_samples import append_samples, as_written, read_samples
from get_tags_train.text.clean import clean_text
from get_tags_train.text.tags import normalise_tag, parse_labels

TEXT = 'Şedința: "părțile", a;b\nși restul, tot'
TAGS = ["drept civil", "țară", "Procedură"]
STYLES = {
    "semicolon": ";".join(TAGS),
    "pipe": " | ".join(TAGS),
    "json": '["drept civil", "țară", "Procedură"]',
    "python": "['drept civil', 'țară', 'Procedură']",
}


def written(
    path: Path, rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8", eol: str = "\r\n"
) -> Path:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=eol).writerows(rows)
    path.write_bytes(stream.getvalue().encode(encoding))
    return path


def plain(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1250", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("style", STYLES)
def test_samples_in_every_dialect(tmp_path: Path, encoding: str, delimiter: str, style: str) -> None:
    # cp1250 has the letters with cedilla only; tags are normalised, texts come as they are.
    as_stored = str.maketrans("șȘțȚ", "şŞţŢ") if encoding == "cp1250" else {}
    text, labels = TEXT.translate(as_stored), STYLES[style].translate(as_stored)
    for header, eol in itertools.product([[], [["text", "labels"]]], ["\n", "\r\n"]):
        path = written(tmp_path / "s.csv", [*header, [text, labels], ["doi", labels]], delimiter, encoding, eol)
        first = 1 + len(header)
        assert read_samples(path) == [(first, text, TAGS), (first + 2, "doi", TAGS)]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1).filter(str.strip)
tag_cells = st.lists(st.text("aășț 1-.,'\"", min_size=1).filter(str.strip), max_size=4)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(cells, tag_cells), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_csv_writes_is_read_back(
    tmp_path: Path, rows: list[tuple[str, list[str]]], delimiter: str, encoding: str
) -> None:
    assume(not rows[0][0].startswith("\ufeff"))
    assume(
        not any(cell.startswith("'") for text, tags in rows for cell in (text, *tags))
    )  # kept formulas from starting
    stored = [["text", "labels"], *([text, ";".join(tags)] for text, tags in rows)]
    path = written(tmp_path / "s.csv", stored, delimiter, encoding)
    read = [(text, labels) for _, text, labels in read_samples(path)]
    assert read == [(text, list(dict.fromkeys(map(normalise_tag, tags)))) for text, tags in rows]


def test_labels_may_come_before_the_text(tmp_path: Path) -> None:
    assert read_samples(plain(tmp_path / "s.csv", "Etichete;Text\na|b;unu\n")) == [(2, "unu", ["a", "b"])]


def test_a_first_row_that_is_no_header_is_an_example(tmp_path: Path) -> None:
    assert read_samples(plain(tmp_path / "s.csv", "text lung,a\nalt text,b\n"))[0] == (1, "text lung", ["a"])


def test_empty_columns_that_excel_leaves_behind_are_nothing(tmp_path: Path) -> None:
    path = plain(tmp_path / "s.csv", "text;labels;;\nunu;a|b;;\ndoi;c;;\n;;;\n")
    assert read_samples(path) == [(2, "unu", ["a", "b"]), (3, "doi", ["c"])]


def test_an_example_may_have_no_labels(tmp_path: Path) -> None:
    assert read_samples(plain(tmp_path / "s.csv", "text,labels\nunu,\n")) == [(2, "unu", [])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('text,labels\n"unu\ndoi",a\ntrei,b,c\n', r"line 4: 'trei \| b \| c'"),
        ("text,labels\nunu,a\n \t,b\n", "line 3: the text is empty"),
        ('text,labels\nunu,a\ndoi,"[""b"", "\n', "line 3: the labels cannot be read: a list that is not complete"),
        ("text,labels\nunu,[{}]\n", "line 2: the labels cannot be read: a list with {}, which is no text"),
        ("text,labels\nunu\n", "line 2: 'unu'"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_samples(plain(tmp_path / "s.csv", content))
    assert "s.csv" in caught.value.message
    assert caught.value.hint


def test_many_bad_rows_are_counted(tmp_path: Path) -> None:
    content = "text,labels\n" + "unu,a\n" * 9 + "a,b,c\n" * 8
    with pytest.raises(InputError, match=r"line 11: .* line 12: .* line 13: .* and 5 more"):
        read_samples(plain(tmp_path / "s.csv", content))


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n \r\n", b"text,labels\r\n", codecs.BOM_UTF16_LE])
def test_samples_without_an_example_are_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="has no examples in it"):
        read_samples(plain(tmp_path / "s.csv", content))


@pytest.mark.parametrize("read", [read_samples, read_ids, read_text])
def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path, read) -> None:
    with pytest.raises(InputError, match=r"There is no file .*none\.csv"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize("read", [read_samples, read_ids, read_text])
def test_a_folder_instead_of_a_file_is_an_error_that_names_it(tmp_path: Path, read) -> None:
    with pytest.raises(InputError, match=tmp_path.name):
        read(tmp_path)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not text"):
        read_text(plain(tmp_path / "x.csv", b"\x81\x83\x88\xff"))


def test_a_torn_utf_16_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not text"):
        read_text(plain(tmp_path / "x.csv", "ab".encode("utf-16")[:-1]))


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a;b", ["a", "b"]),
        ("a|b", ["a", "b"]),
        (" a ; b ;", ["a", "b"]),
        ("a, b", ["a, b"]),
        ("a;a;b", ["a", "b"]),
        ("taxă şi impozit;taxă și impozit", ["taxă și impozit"]),
        ('["a;b", "c"]', ["a;b", "c"]),
        ("['a', \"b\"]", ["a", "b"]),
        ("[1, 2]", ["1", "2"]),
        ("('a', 'b')", ["a", "b"]),
        ("(UE) 2016/679, art. 5", ["(UE) 2016/679, art. 5"]),
        ("[]", []),
        ("", []),
        ("   ", []),
    ],
)
def test_labels_in_every_form(cell: str, labels: list[str]) -> None:
    assert parse_labels(cell) == labels


@pytest.mark.parametrize(
    "cell",
    [
        "[",
        "['a'",
        '["a" "b"',
        "[a, b]",
        "[None]",
        "[['a']]",
        "[" * 5000,
        "[1]['a'",
        "[0] + [1]",
        "[1, 2.5]",
        '["a", null]',
        "[true]",
        "[NaN]",
        "['a' 'b']",
        "['a'\n 'b']",
        "{'a', 'b'}",
        '{"a": 1}',
        "{drept civil,taxe}",
        "[b'a']",
        "['a', ('b',)]",
    ],
)
def test_a_broken_list_of_labels_is_an_error(cell: str) -> None:
    with pytest.raises(ValueError, match="a list"):
        parse_labels(cell)


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


def test_what_is_written_opens_in_excel_with_its_letters(tmp_path: Path) -> None:
    write_csv(tmp_path / "out" / "x.csv", [["text", "labels"], ["Țară, „ghilimele”\nrând", "a;b"]])
    assert (tmp_path / "out" / "x.csv").read_bytes().startswith(codecs.BOM_UTF8)
    assert read_samples(tmp_path / "out" / "x.csv") == [(2, "Țară, „ghilimele”\nrând", ["a", "b"])]


def test_a_written_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def rows():
        yield ["unu"]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_csv(tmp_path / "x.csv", rows())
    assert list(tmp_path.iterdir()) == []


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
        ("a,b\na,c\n", "line 2: a stands on line 1 too, and becomes something else there."),
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


# --- adding to people's own files ---

ADDED = [("Ținut și „țară”; două\nrânduri, aici", ["taxă", "TVA"])]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1250", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_is_added_is_written_as_the_file_is(tmp_path: Path, encoding: str, line_end: str, delimiter: str) -> None:
    path = tmp_path / "samples.csv"
    old = f'text{delimiter}labels{line_end}"şapte{delimiter} ani"{delimiter}"unu;doi"{line_end}'.encode(encoding)
    path.write_bytes(old)
    backup = append_samples(path, ADDED)
    assert backup.read_bytes() == old
    new = path.read_bytes()
    assert new.startswith(old)
    assert new.decode(encoding).count("\n") == new.decode(encoding).count(line_end) == 4
    (_, _, _), (line, text, labels) = read_samples(path)
    assert (line, labels) == (3, ["taxă", "TVA"])
    assert clean_text(text) == ADDED[0][0]


@pytest.mark.parametrize(
    ("old", "row"),
    [
        ("text,labels\nunu,a|b\n", "doi,c|d"),
        ('labels;text\n"[""a"", ""b""]";unu\n', '"[""c"", ""d""]";doi'),
        ("unu,a", "doi,c;d"),
        ("unu,a;b\n\n", "doi,c;d"),
    ],
)
def test_the_order_of_columns_and_the_way_of_labels_are_kept(tmp_path: Path, old: str, row: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(old, encoding="utf-8")
    append_samples(path, [("doi", ["c", "d"])])
    assert path.read_text(encoding="utf-8").splitlines()[-1] == row
    assert [(text, labels) for _, text, labels in read_samples(path)][-1] == ("doi", ["c", "d"])


@pytest.mark.parametrize("tag", ["taxe; impozite", "a|b", "[1]"])
def test_tags_that_look_like_several_are_written_as_a_list(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("text,labels\nunu,a\n", encoding="utf-8")
    append_samples(path, [("doi", [tag, "b"])])
    assert read_samples(path)[1][2] == [tag, "b"]


def test_a_letter_that_cp1250_lacks_is_an_error() -> None:
    assert as_written("țară și „oraș”", "cp1250") == "ţară şi „oraş”"
    with pytest.raises(UnicodeEncodeError):
        as_written("m²", "cp1250")
