"""The second reader of a model folder: what it answers, its reasons, its file, and what a damaged one is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from get_tags_train.metrics.blending import Blend
from get_tags_train.metrics.calibration import Calibration
from get_tags_train.model.linear_reader import LinearReader, strongest
from get_tags_train.model.nearest_documents import DocumentName, NearestDocuments
from get_tags_train.model.second_reader import FILE, SecondReader
from get_tags_train.text.tfidf import TfIdf, count_words

TEXTS = [
    "legea penală pedepsește furtul",
    "codul fiscal fixează impozitul",
    "legea penală iartă",
    "ceva cu totul altfel",
]
TAGS = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], np.float32)


@pytest.fixture
def reader() -> SecondReader:
    counts = count_words(TEXTS)
    hashes = np.unique(counts.indices)
    counts = counts[:, hashes]
    tfidf = TfIdf.of(counts, hashes)
    features = tfidf.weighted(counts)
    names = [b'[1, "Codul penal"]', b'["b/2", ""]', b'[3, ""]', b'[4, ""]']
    linear = LinearReader(
        tfidf=tfidf,
        weights=csr_matrix(features.T @ (TAGS - 0.5)),
        biases=np.array([-0.5, -0.25], np.float32),
        calibration=Calibration.unchanged(2),
        thresholds=np.array([0.4, 0.6]),
        documents=4,
        seconds=0.0,
    )
    nearest = NearestDocuments(
        postings=features.T.tocsr(),
        tags=csr_matrix(TAGS),
        names=np.frombuffer(b"".join(names), np.uint8),
        ends=np.cumsum([len(name) for name in names]),
    )
    return SecondReader(
        linear=linear,
        nearest=nearest,
        bert_calibration=Calibration(np.array([2.0, 1.0]), np.array([0.5, 0.0])),
        blend=Blend(0.5, 2.0, 3.0, -1.0),
        calibration=Calibration(np.array([1.5, 1.0]), np.array([0.0, 0.25])),
        thresholds=np.array([0.3, 0.5]),
    )


def test_the_blend_is_the_weighted_sum_of_what_each_reads(reader: SecondReader) -> None:
    assert reader.nearest is not None
    features = reader.linear.tfidf.features(TEXTS[:1])
    margins, shares = reader.linear.margins(features), reader.nearest.shares(features)
    found = reader.logits(np.array([[2.5, 1.0]], np.float32), reader.read(TEXTS[:1]))
    before = 0.5 * np.array([1.0, 1.0]) + 2 * margins[0] + 3 * shares[0] - 1
    assert found[0] == pytest.approx(np.array([1.5, 1.0]) * before + np.array([0.0, 0.25]), abs=1e-5)


def test_shares_are_those_of_the_nearest_documents_the_nearer_the_heavier(reader: SecondReader) -> None:
    assert reader.nearest is not None
    features = reader.linear.tfidf.features(["legea penală", "codul", "necunoscut"])
    shares = reader.nearest.shares(features)
    assert shares[0] == pytest.approx([1.0, 0.0])
    assert shares[1] == pytest.approx([0.0, 1.0])
    assert shares[2].tolist() == [0.0, 0.0]


def test_its_words_add_up_to_the_margin(reader: SecondReader) -> None:
    text = "legea penală"
    words = reader.reasons(text, [0])[0].words
    margin = reader.linear.margins(reader.linear.tfidf.features([text]))[0, 0] - reader.linear.biases[0]
    assert {word for word, _adds in words} == {"legea", "penală", "legea penală"}
    assert sum(adds for _word, adds in words) == pytest.approx(1.5 * 2.0 * margin, rel=1e-5)


def test_its_documents_are_the_nearest_that_have_the_tag(reader: SecondReader) -> None:
    found = reader.reasons("legea penală pedepsește și codul fiscal", [0, 1])
    assert [(own, title) for own, title, _ in found[0].documents] == [(1, "Codul penal"), (3, "")]
    assert [own for own, _title, _ in found[1].documents] == ["b/2"]
    assert 1 > found[0].documents[0].similarity > found[0].documents[1].similarity > 0


def test_the_file_gives_the_same_reader(reader: SecondReader, tmp_path: Path) -> None:
    reader.save(tmp_path)
    again = SecondReader.load(tmp_path, 2)
    bert = np.zeros((len(TEXTS), 2), np.float32)
    assert again.logits(bert, again.read(TEXTS)) == pytest.approx(reader.logits(bert, reader.read(TEXTS)), abs=5e-3)
    assert again.blend == reader.blend
    assert np.array_equal(again.linear.biases, reader.linear.biases)
    assert again.nearest is not None and again.nearest.name(0) == DocumentName(1, "Codul penal")


def test_without_nearest_documents_it_reads_and_is_kept(reader: SecondReader, tmp_path: Path) -> None:
    replace(reader, nearest=None).save(tmp_path)
    again = SecondReader.load(tmp_path, 2)
    assert again.nearest is None
    assert again.read(TEXTS).shape == (4, 2)
    assert again.reasons("legea penală", [0])[0].documents == []


@pytest.mark.parametrize("kept", [0, 100, -20], ids=["empty", "torn", "half"])
def test_a_damaged_file_is_refused_by_name(reader: SecondReader, tmp_path: Path, kept: int) -> None:
    reader.save(tmp_path)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=FILE):
        SecondReader.load(tmp_path, 2)


def test_that_of_another_model_is_refused_by_name(reader: SecondReader, tmp_path: Path) -> None:
    reader.save(tmp_path)
    with pytest.raises(ValueError, match=r"second_reader.safetensors.*does not fit"):
        SecondReader.load(tmp_path, 3)


def test_numbers_that_are_none_are_refused(reader: SecondReader, tmp_path: Path) -> None:
    replace(reader, thresholds=np.array([np.nan, 0.5])).save(tmp_path)
    with pytest.raises(ValueError, match="thresholds does not fit"):
        SecondReader.load(tmp_path, 2)


def test_of_each_row_the_strongest_numbers_stay() -> None:
    matrix = csr_matrix(np.array([[1.0, -3.0, 2.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]], np.float32))
    assert strongest(matrix, 2).toarray().tolist() == [[0, -3, 2], [0, 0.5, 0], [0, 0, 0]]
    assert strongest(matrix, 0).nnz == 0
