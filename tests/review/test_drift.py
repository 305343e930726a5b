"""The live model on newer documents of the example: figures, and what they lead to."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import settings_for, silent
from sqlalchemy import create_engine

from get_tags_train.core.errors import InputError
from get_tags_train.core.files import remove_folder
from get_tags_train.data.input_files import read_ids
from get_tags_train.data.prepared import PreparedData
from get_tags_train.review.drift import measure_drift
from get_tags_train.review.drift_advice import FEWEST, FEWEST_TO_WAIT
from get_tags_train.splits.held_out import held_out_in, texts_and_labels
from get_tags_train.text.clean import text_hash


@pytest.fixture
def copy(drift_home: Path, tmp_path: Path) -> Path:
    """A home to change."""
    return Path(shutil.copytree(drift_home, tmp_path / "home"))


def measured(home: Path, count: int = 2000) -> dict[str, Any]:
    settings = settings_for(home, url="sqlite:///demo.db")
    found = measure_drift(settings, count=count, on_event=silent).as_json()
    return dict(json.loads(json.dumps(found)))


def all_ids(home: Path) -> list[int]:
    engine = create_engine(f"sqlite:///{home / 'demo.db'}")
    with engine.connect() as connection:
        found = [row[0] for row in connection.exec_driver_sql("SELECT id FROM documents ORDER BY id")]
    engine.dispose()
    return found


def last_old(home: Path) -> int:
    """The last id of the documents that the model is of."""
    return max(map(int, read_ids(home / "ids.csv")))


def execute(home: Path, *statements: str) -> None:
    engine = create_engine(f"sqlite:///{home / 'demo.db'}")
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_all_that_is_told(copy: Path) -> None:
    found = measured(copy)
    assert found["newer"]["found"] == 120
    assert found["newer"]["known_by"] == "highest id"
    assert FEWEST <= found["documents"] <= 120
    assert found["documents"] + found["near_duplicates"] == found["newer"]["kept"]
    assert found["held_out"] >= FEWEST
    precision = found["precision_at_k"]
    for one in (precision["newer"], precision["held_out"]):
        assert one["interval"][0] < one["value"] < one["interval"][1]
    difference = precision["difference"]
    assert difference["value"] == pytest.approx(precision["newer"]["value"] - precision["held_out"]["value"], abs=2e-6)
    assert difference["interval"][0] < difference["value"] < difference["interval"][1]
    low, high = precision["less_than_expected"]["interval"]
    assert low < high
    assert found["new_tags"]["documents"].keys().isdisjoint(model_tags(copy))
    assert set(found["texts"]) == {"characters", "unknown_pieces", "cut"}


def model_tags(home: Path) -> set[str]:
    (folder,) = (home / "_models").iterdir()
    return {tag["tag"] for tag in json.loads((folder / "get_tags.json").read_bytes())["tags"]}


def test_a_new_tag_is_a_reason_to_retrain(copy: Path) -> None:
    execute(
        copy,
        "INSERT INTO tags VALUES (9999, 'etichetă nouă')",
        f"INSERT INTO document_tags SELECT id, 9999 FROM documents WHERE id > {last_old(copy)} AND id % 3 = 0",
    )
    found = measured(copy)
    assert found["advice"] == "retrain"
    assert "new tags" in found["reasons"]
    assert "etichetă nouă" in found["sentence"]
    assert found["new_tags"]["arrived"][0] == "etichetă nouă"


def test_a_tag_that_went_from_everywhere_is_named(copy: Path) -> None:
    execute(
        copy,
        "DELETE FROM document_tags WHERE tag_id = (SELECT tag_id FROM document_tags GROUP BY tag_id "
        f"ORDER BY count(*) DESC LIMIT 1) AND document_id > {last_old(copy)}",
    )
    (changed,) = measured(copy)["changed_tags"]
    assert changed["newer"] == 0
    assert changed["reference"] > 0.1


def test_longer_texts_are_told(copy: Path) -> None:
    execute(copy, f"UPDATE documents SET text = text || ' ' || text || ' ' || text WHERE id > {last_old(copy)}")
    low, high = measured(copy)["texts"]["characters"]["interval"]
    assert 0 < low < high


def test_near_duplicates_of_the_models_documents_are_not_counted(copy: Path) -> None:
    first, last = all_ids(copy)[0], all_ids(copy)[-1]
    before = measured(copy)["near_duplicates"]
    execute(copy, f"UPDATE documents SET text = (SELECT text FROM documents WHERE id = {first}) WHERE id = {last}")
    assert measured(copy)["near_duplicates"] == before + 1


def test_held_out_documents_that_the_model_saw_are_no_reference(copy: Path) -> None:
    before = measured(copy)["held_out"]
    data = PreparedData(copy / "_cache" / "_data" / "tags_v1")
    is_test = np.zeros(data.manifest.documents_kept, bool)
    is_test[[place for place, part in held_out_in(copy, data).items() if part == "report"][:5]] = True
    (trained,) = (copy / "_live" / "versions").glob("*/trained_texts.npy")
    added = [int.from_bytes(text_hash(text)[:8], "little") for text in texts_and_labels(data, is_test)[0]]
    np.save(trained, np.unique(np.append(np.load(trained), np.array(added, np.uint64))))
    assert measured(copy)["held_out"] == before - 5


def test_a_sample_is_no_larger_than_it_may_be(copy: Path) -> None:
    found = measured(copy, count=60)
    assert (found["newer"]["found"], found["newer"]["sampled"]) == (120, 60)


def test_nothing_newer_is_not_enough(copy: Path) -> None:
    execute(copy, f"DELETE FROM documents WHERE id > {last_old(copy)}")
    found = measured(copy)
    assert (found["advice"], found["documents"], found["needed"]) == ("not enough", 0, FEWEST_TO_WAIT)


def test_without_the_models_data_nothing_is_newer(copy: Path) -> None:
    remove_folder(copy / "_cache" / "_data" / "tags_v1")
    with pytest.raises(InputError, match=r"The data of the live model tags_v1-.*, tags_v1, are not in this home"):
        measured(copy)


def test_data_of_the_same_name_are_not_taken_for_the_models(copy: Path) -> None:
    (path,) = (copy / "_live" / "versions").glob("*/get_tags.json")
    metadata = json.loads(path.read_bytes())
    path.write_text(json.dumps({**metadata, "data": {**metadata["data"], "checksum": "another"}}), encoding="utf-8")
    with pytest.raises(InputError, match="are not in this home"):
        measured(copy)
