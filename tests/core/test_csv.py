"""CSV that Excel opens with its letters right, whole or not there."""

import codecs
from pathlib import Path

import pytest

from get_tags_train.core.csv import write_csv
from get_tags_train.splits.test_samples import read_samples


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
