"""Test samples: read from files as people have them, cleaned, added to, and where each of them came from."""

import codecs
import csv
import hashlib
import io
import itertools
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from table_files import FORMS, Form, write_sheet, write_table

from get_tags_train.core.encoding import read_text
from get_tags_train.core.errors import InputError
from get_tags_train.data.input_files import read_ids
from get_tags_train.splits.test_samples import (
    Origin,
    Samples,
    add_origins,
    append_samples,
    as_written,
    origins_path,
    read_samples,
    sample_encoding,
)
from get_tags_train.text.clean import clean_text
from get_tags_train.text.tags import normalise_tag


def write_samples(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_texts_and_labels_are_cleaned_as_documents_are(tmp_path: Path) -> None:
    samples = Samples.read(
        write_samples(tmp_path / "s.csv", 'text,labels\n"<p>Şapte</p><p>ani</p>",taxă şi impozit;TVA\n')
    )
    assert samples.texts == ["Șapte\nani"]
    assert samples.labels == [["taxă și impozit", "TVA"]]


def test_the_checksum_is_the_files(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "s.csv", "unu,a\n")
    assert Samples.read(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Samples.read(path).path == path


def test_the_examples_samples_are_read(demo_home: Path) -> None:
    samples = Samples.read(demo_home / "test_samples_tags.csv")
    assert len(samples.texts) == len(samples.labels) == 300
    assert all(samples.texts) and all(samples.labels)


def test_absent_samples_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"s\.csv"):
        Samples.read(tmp_path / "s.csv")


def test_labels_are_renamed_as_the_tags_of_documents_are(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    file.write_text("text,labels\nun text,Civil;vechi;penal\n", encoding="utf-8")
    samples = Samples.read(file, {"Civil": "drept civil", "vechi": "", "penal": "drept civil"})
    assert samples.labels == [["drept civil"]]


def test_where_each_example_came_from(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "s.csv", 'text,labels\nal meu,a\n"<p>Şapte</p> ani",b\nrar,c\n')
    assert Samples.read(path).origins == [None, None, None]
    add_origins(path, [("Șapte\nani", "17", "random")])
    add_origins(path, [("rar", "18", "rare")])
    samples = Samples.read(path)
    today = date.today().isoformat()
    assert samples.origins == [None, Origin("17", "random", today), Origin("18", "rare", today)]
    assert samples.lines == [2, 3, 4]
    assert samples.of_part("rare").texts == ["rar"]
    headline = samples.of_part(None, "random")
    assert (headline.labels, headline.lines) == ([["a"], ["b"]], [2, 3])


def test_a_file_of_origins_without_its_columns_is_an_error(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "s.csv", "unu,a\n")
    origins_path(path).write_text("text_hash;id\n00;1\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no column part"):
        Samples.read(path)


# --- the file as people write it ---

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
        ("text,labels\nunu,[{}]\n", "line 2: the labels cannot be read: a list with {}, which is neither text"),
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


@pytest.mark.parametrize("form", FORMS)
def test_samples_are_the_same_in_every_file(tmp_path: Path, form: Form) -> None:
    rows = [["text", "labels"], ["unu, doi; trei\npatru", "drept civil;TVA"], ["cinci", "2024"], ["șase", ""]]
    if form.encoding == "cp1250":
        rows[3][0] = "sase"
    found = read_samples(write_table(tmp_path / form.name, rows, form))
    assert [(text, labels) for _, text, labels in found] == [
        (rows[1][0], ["drept civil", "TVA"]), ("cinci", ["2024"]), (rows[3][0], []),
    ]  # fmt: skip


def test_a_number_is_a_label_and_a_date_is_refused_by_its_row(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "s.xlsx", [["text", "labels"], ["unu", 2024], ["doi", 7.0]])
    assert [labels for _, _, labels in read_samples(path)] == [["2024"], ["7"]]
    path = write_sheet(tmp_path / "s.xlsx", [["text", "labels"], ["unu", "a"], ["doi", date(2026, 5, 1)]])
    with pytest.raises(InputError, match="line 3: Excel holds 2026-05-01 as a date"):
        read_samples(path)


def test_a_text_that_is_an_error_of_excel_is_refused_by_its_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3: Excel's error #N/A"):
        read_samples(write_samples(tmp_path / "s.csv", "text;labels\nunu;a\n#N/A;b\n"))


def test_two_columns_of_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its columns are called text, content"):
        read_samples(write_samples(tmp_path / "s.csv", "text;content\nunu;a\n"))


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


def test_what_is_added_to_a_file_with_a_sep_line_keeps_its_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_bytes(b"sep=|\r\ntext|labels\r\nunu, doi;|a;b\r\n")
    append_samples(path, [("trei", ["c", "d"])])
    assert [(text, labels) for _, text, labels in read_samples(path)] == [
        ("unu, doi;", ["a", "b"]), ("trei", ["c", "d"]),
    ]  # fmt: skip


def test_nothing_is_added_to_a_workbook(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "s.xlsx", [["text", "labels"], ["unu", "a"]])
    old = path.read_bytes()
    for refuse in (sample_encoding, lambda path: append_samples(path, [("doi", ["b"])])):
        with pytest.raises(InputError, match="cannot be added to a workbook") as caught:
            refuse(path)
        assert "CSV UTF-8" in caught.value.hint
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
