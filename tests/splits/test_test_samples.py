"""Test samples: read, cleaned, and where each of them came from."""

import hashlib
from datetime import date
from pathlib import Path

import pytest

from get_tags_train.core.errors import InputError
from get_tags_train.splits.test_samples import Origin, Samples, add_origins, origins_path


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
    assert len(samples.texts) == len(samples.labels) == 120
    assert all(samples.texts) and all(samples.labels)


@pytest.mark.parametrize("content", ["", "text,labels\n"])
def test_samples_without_an_example_are_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError):
        Samples.read(write_samples(tmp_path / "s.csv", content))


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
