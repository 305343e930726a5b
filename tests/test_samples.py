"""Test samples: read, cleaned, and found again among the documents."""

import hashlib
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pytest

from get_tags_train.dataset import (
    Manifest,
    PreparedData,
    document_schema,
    file_sha256,
    write_batches,
    write_manifest,
    write_tags,
)
from get_tags_train.errors import InputError
from get_tags_train.samples import Samples
from get_tags_train.text import text_hash


def write_samples(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def prepared(folder: Path, *texts: str) -> PreparedData:
    """Prepared data with these texts, one batch for each."""
    schema = document_schema(pa.int64())
    batches = (
        pa.record_batch([[number], [text], [b""], [text_hash(text)], [[]], [[]]], schema=schema)
        for number, text in enumerate(texts)
    )
    write_batches(folder / "documents.arrow", schema, batches)
    write_tags(folder, [], [], [])
    path = folder / "documents.arrow"
    files = {path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}}
    blank = {field.name: None for field in fields(Manifest) if field.name != "format"}
    write_manifest(folder, Manifest(**{**blank, "name": folder.name, "files": files}))  # type: ignore[arg-type]
    return PreparedData(folder)


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


def test_documents_with_the_words_of_a_sample_are_found_whatever_their_spacing(tmp_path: Path) -> None:
    data = prepared(tmp_path / "tags_v1", "unu doi", "Șapte\nani", "Șapte ani și", "Șapte ani")
    samples = Samples.read(write_samples(tmp_path / "s.csv", 'text,labels\n"<p>Şapte</p> ani",a\ncu totul altul,b\n'))
    assert samples.in_data(data).tolist() == [False, True, False, True]


def test_labels_are_renamed_as_the_tags_of_documents_are(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    file.write_text("text,labels\nun text,Civil;vechi;penal\n", encoding="utf-8")
    samples = Samples.read(file, {"Civil": "drept civil", "vechi": "", "penal": "drept civil"})
    assert samples.labels == [["drept civil"]]


def test_a_sample_that_is_empty_once_clean_takes_no_document_out_of_training(tmp_path: Path) -> None:
    data = prepared(tmp_path / "tags_v1", "unu doi", "trei\npatru")
    samples = Samples.read(write_samples(tmp_path / "s.csv", "text,labels\n<p></p>,a\ncu totul altul,b\n"))
    assert samples.in_data(data).tolist() == [False, False]
