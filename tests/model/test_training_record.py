"""What a model was trained on is told by its texts' hashes, later and elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from get_tags_train.core.errors import GetTagsError
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.training_record import FILE, was_trained_on, write_text_hashes


@pytest.fixture
def data(small_home: Path) -> PreparedData:
    return PreparedData(small_home / "_cache" / "_data" / "tags_v1")


def texts_of(data: PreparedData) -> list[str]:
    return [text for batch in data.batches() for text in batch.column("text").to_pylist()]


def test_documents_that_were_trained_on_are_known_again(tmp_path: Path, data: PreparedData) -> None:
    texts = texts_of(data)
    write_text_hashes(tmp_path, data, np.arange(10), tmp_path / "no base model")
    found = was_trained_on(tmp_path, [*texts[:12], "ceva nou"])
    assert found is not None
    assert found.tolist() == [True] * 10 + [False] * 3


def test_a_text_is_known_without_its_title_and_with_other_spaces(tmp_path: Path, data: PreparedData) -> None:
    texts = texts_of(data)
    row, text = next((n, t) for n, t in enumerate(texts) if "\n" in t)
    write_text_hashes(tmp_path, data, np.array([row]), tmp_path / "no base model")
    found = was_trained_on(tmp_path, [text.partition("\n")[2], "  ".join(text.split(" "))])
    assert found is not None
    assert found.all()


def test_a_model_that_says_nothing(tmp_path: Path) -> None:
    assert was_trained_on(tmp_path, ["text"]) is None


def test_what_the_base_model_was_trained_on_counts_too(tmp_path: Path, data: PreparedData) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_text_hashes(first, data, np.arange(5), tmp_path / "no base model")
    write_text_hashes(second, data, np.arange(5, 8), first)
    found = was_trained_on(second, texts_of(data)[:9])
    assert found is not None
    assert found.tolist() == [True] * 8 + [False]


def test_the_file_is_small_and_sorted(tmp_path: Path, data: PreparedData) -> None:
    write_text_hashes(tmp_path, data, np.arange(data.manifest.documents_kept), tmp_path / "no base model")
    hashes = np.load(tmp_path / FILE, allow_pickle=False)
    assert hashes.dtype == np.uint64
    assert (np.diff(hashes) > 0).all()
    assert hashes.nbytes <= 16 * data.manifest.documents_kept


def test_a_damaged_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not an array")
    with pytest.raises(GetTagsError, match="cannot be read"):
        was_trained_on(tmp_path, ["text"])
