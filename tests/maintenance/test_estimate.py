"""What the wizard foresees: counts, times judged by earlier runs, places."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from databases import settings_for
from rich.console import Console
from vocabularies import SMALL, vocabulary

from get_tags_train.cli.tables import summary
from get_tags_train.core.files import write_json
from get_tags_train.core.home import data_dir
from get_tags_train.core.settings import Settings, Source
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import PreparedData
from get_tags_train.maintenance.estimate import estimate_run
from get_tags_train.model.metadata import METADATA_FILE


@pytest.fixture
def home(tmp_path: Path, small_home: Path) -> Path:
    """60 documents, prepared and trained on once."""
    shutil.copytree(small_home, tmp_path / "home")
    return tmp_path / "home"


def base_model(demo_home: Path) -> str:
    return str(demo_home / "demo_bert")


def test_nothing_is_known_before_the_first_run(tmp_path: Path) -> None:
    found = estimate_run(settings_for(tmp_path))
    assert (found.documents, found.data_seconds, found.training_seconds) == (None, None, None)
    assert found.data_path == tmp_path / "_cache" / "_data" / "tags_v1"


def test_time_is_judged_by_the_last_run_like_it(home: Path, demo_home: Path) -> None:
    (metadata_path,) = (home / "_models").glob(f"*/{METADATA_FILE}")
    metadata = json.loads(metadata_path.read_text(encoding="utf-8"))
    metadata_path.write_text(json.dumps(metadata | {"seconds": 100.0, "examples": 50}), encoding="utf-8")
    training = {"base_model": base_model(demo_home), "epochs": 3, "context_length": 48}
    settings = settings_for(home, training=training)
    settings = settings.model_copy(update={"source": Source("cached", data_name="tags_v1")})
    found = estimate_run(settings)
    kept = PreparedData(found.data_path).manifest.documents_kept
    assert (found.documents, found.data_seconds) == (kept, 0.0)
    assert found.training_seconds == pytest.approx(100 / 50 * kept * 3)
    assert found.model_like == metadata_path.parent.name
    longer = settings_for(home, training=training | {"context_length": 64})
    assert estimate_run(longer.model_copy(update={"source": settings.source})).training_seconds is None


def test_a_list_of_ids_is_counted(home: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("id\n1\n2\n3\n")
    settings = settings_for(home).model_copy(update={"source": Source("ids", tmp_path / "ids.csv")})
    found = estimate_run(settings)
    assert found.documents == 3
    assert found.data_path.name == "tags_v2"


def test_data_that_were_mostly_reused_tell_how_many_and_not_how_long(home: Path) -> None:
    manifest = data_dir(home) / "tags_v1" / "manifest.json"
    stored = json.loads(manifest.read_bytes())
    stored["source"]["kind"] = "database"
    write_json(manifest, stored | {"taken_from_earlier": stored["documents_read"]})
    found = estimate_run(settings_for(home))
    assert (found.documents, found.data_seconds) == (stored["documents_read"], None)


@pytest.fixture
def versioned(tmp_path: Path, demo_home: Path) -> Settings:
    """Settings of a home whose documents come with versions, all of them extracted once."""
    shutil.copy(demo_home / "demo.db", tmp_path / "test.db")
    documents_query = "SELECT id, title, text, 1 AS version FROM documents"
    settings = settings_for(
        tmp_path, database={"documents_query": documents_query}, training={"base_model": base_model(demo_home)}
    )
    extract(settings, lambda event: None)
    return settings


def shown(settings: Settings) -> str:
    with (console := Console(file=io.StringIO(), width=200)).capture() as captured:
        console.print(summary(settings, estimate_run(settings), None))
    return captured.get()


def test_a_second_extraction_is_not_judged_by_the_first(versioned: Settings) -> None:
    found = estimate_run(versioned)
    assert (found.data_seconds, found.data_like, found.changed_since) == (None, "", "tags_v1")
    assert "data: only documents that changed since tags_v1 are read" in shown(versioned)
    full = versioned.model_copy(update={"source": Source(reads_all=True)})
    assert (estimate_run(full).data_like, estimate_run(full).changed_since) == ("tags_v1", "")


def test_a_third_extraction_is_judged_by_the_second(versioned: Settings) -> None:
    extract(versioned, lambda event: None)
    found = estimate_run(versioned)
    assert (found.data_like, found.changed_since) == ("tags_v2", "tags_v2")
    seconds = PreparedData(found.data_path.with_name("tags_v2")).manifest.seconds
    assert found.data_seconds is not None and found.data_seconds <= sum(seconds.values())
    assert "(as tags_v2 took)" in shown(versioned)


def test_another_base_model_has_all_texts_read(versioned: Settings, tmp_path: Path) -> None:
    vocabulary(tmp_path, SMALL)
    training = versioned.training.model_copy(update={"base_model": str(tmp_path)})
    found = estimate_run(versioned.model_copy(update={"training": training}))
    assert (found.data_like, found.changed_since) == ("tags_v1", "")


def test_damaged_runs_tell_nothing(home: Path) -> None:
    for path in home.rglob("manifest.json"):
        path.write_text("{")
    for path in home.rglob(METADATA_FILE):
        path.write_text("{")
    found = estimate_run(settings_for(home))
    assert (found.documents, found.data_seconds, found.training_seconds) == (None, None, None)


def test_the_summary_says_it(tmp_path: Path) -> None:
    estimate = replace(
        estimate_run(settings_for(tmp_path)), documents=170_000, data_seconds=22_300.0, data_like="tags_v3"
    )
    with (console := Console(file=io.StringIO(), width=200)).capture() as shown:
        console.print(summary(settings_for(tmp_path), estimate, None))
    assert "all of the database, about 170,000 documents" in shown.get()
    assert "data 6 h 12 min (as tags_v3 took); training: shown once it has begun" in shown.get()
    assert str(tmp_path / "_cache" / "_data" / "tags_v1") in shown.get()
