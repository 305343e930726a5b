"""get_tags.json: what other versions wrote is kept and has defaults; what is wrong in it is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import read_json, write_json
from get_tags_train.model.evaluation_record import EvaluationRecord
from get_tags_train.model.metadata import METADATA_FILE, ModelMetadata, read_metadata, verify, write_metadata


def metadata_of(folder: Path, written: Any) -> ModelMetadata:
    write_json(folder / METADATA_FILE, written)
    metadata = read_metadata(folder)
    assert metadata is not None
    return metadata


def test_a_folder_that_get_tags_did_not_make_has_none(tmp_path: Path) -> None:
    assert read_metadata(tmp_path) is None
    with pytest.raises(InputError, match="was not made by get-tags"):
        verify(tmp_path)


def test_what_an_earlier_version_did_not_write_has_a_default(tmp_path: Path) -> None:
    metadata = metadata_of(tmp_path, {"tags": [{"tag": "taxe"}], "evaluations": [{"precision_at_k": {"1": 0.5}}]})
    assert (metadata.created, metadata.settings.epochs, metadata.resumed) == ("", 0, False)
    assert metadata.tags[0].threshold == 0.5
    assert metadata.evaluation is not None
    assert metadata.evaluation.intervals == {}


def test_what_another_version_wrote_is_written_again_and_nothing_is_added(tmp_path: Path) -> None:
    written = {
        "created": "2026-01-01T00:00:00+02:00",
        "settings": {"epochs": 3, "of_a_later_version": [1, None]},
        "tags": [{"tag": "taxe", "colour": "red"}],
        "blend": {"weight": 0.5},
    }
    write_metadata(tmp_path, metadata_of(tmp_path, written))
    assert read_json(tmp_path / METADATA_FILE) == written


def test_a_model_of_this_repository_is_written_as_it_was_read(small_model: Path, tmp_path: Path) -> None:
    metadata = read_metadata(small_model)
    assert metadata is not None
    write_metadata(tmp_path, metadata)
    assert read_json(tmp_path / METADATA_FILE) == read_json(small_model / METADATA_FILE)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ([], "metadata of a model: "),
        ({"tags": [{"tag": "a"}, {}]}, "tags.1.tag"),
        ({"files": {"model.safetensors": 5}}, "files.model.safetensors"),
        ({"settings": {"epochs": "3"}}, "settings.epochs: it should be a whole number"),
        ({"epochs": [{"loss": 1.0, "precision_at_k": [0.5]}, {"loss": 1.0, "precision_at_k": [0.5, 0.4]}]}, "epochs"),
        ({"evaluations": [{"top_k": 2, "precision_at_k": {"1": 0.5}}]}, "evaluations.0: precision_at_k lacks 2"),
        ({"evaluations": [{"comparisons": [{"rival": "live"}]}]}, "evaluations.0.comparisons.0.rival_name"),
        ({"evaluations": [{"intervals": {"micro_f1": [0.1, 0.2]}}]}, "metrics lacks mean_average_precision"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(tmp_path: Path, written: Any, named: str) -> None:
    with pytest.raises(GetTagsError) as caught:
        metadata_of(tmp_path, written)
    assert named in caught.value.message
    assert str(tmp_path / METADATA_FILE) in caught.value.message
    assert "copy it anew" in caught.value.hint


def test_what_is_no_json_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / METADATA_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(GetTagsError, match="cannot be read"):
        read_metadata(tmp_path)


def test_only_the_newest_evaluation_keeps_what_is_long() -> None:
    tag = {"tag": "taxe", "support": 1, "precision": None, "recall": 0.0, "f1": 0.0, "named": 0}
    long = {"examples": 3, "tags": [tag], "never_named": ["taxe"], "of_a_later_version": 1}
    first = EvaluationRecord.of("2026-01-01", {**long, "held_out": long, "rare": None})
    second = EvaluationRecord.of("2026-01-02", long)
    kept = ModelMetadata().with_evaluation(first).with_evaluation(second).as_json()["evaluations"]
    short = {"examples": 3, "of_a_later_version": 1}
    assert kept[0] == {"date": "2026-01-01", **short, "held_out": short, "rare": None}
    assert json.dumps(kept[1]) == json.dumps(second.as_json())
    assert kept[1]["tags"] == [tag]


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    metadata_of(tmp_path, {"files": {"model.safetensors": "0" * 64}})
    with pytest.raises(GetTagsError, match=r"model.safetensors is missing or has changed"):
        verify(tmp_path)
