"""What cleaning removed is counted, and documents that lost far more than most are listed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import fill, settings_for, silent

from get_tags_train.core.events import Event, Notice
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import MANIFEST, PreparedData
from get_tags_train.data.removed_text import RemovedSummary, RemovedText
from get_tags_train.data.statistics import compute_statistics


def removed_text(*documents: tuple[int, int]) -> RemovedText:
    """Of (characters, removed) of each document."""
    characters, removed = np.array(documents, np.int32).reshape(-1, 2).T
    return RemovedText(characters, removed)


def test_a_document_lost_much_that_keeps_less_than_half_of_the_usual_share() -> None:
    usual = [(100, 20)] * 97  # 95% of all keep .8 or more
    assert removed_text(*usual, (100, 59), (100, 61), (10, 9)).lost_much().tolist() == [False] * 98 + [True] * 2


def test_a_document_that_lost_all_is_always_one_of_them_and_an_empty_one_never_is() -> None:
    assert removed_text((10, 10), (10, 10), (0, 0), (10, 0)).lost_much().tolist() == [True, True, False, False]
    assert removed_text((0, 0)).lost_much().tolist() == [False]
    assert removed_text().lost_much().tolist() == []


def test_shares_worked_by_hand() -> None:
    found = removed_text(*[(100, n) for n in range(100)], (0, 0)).summary()
    # Nearest rank: the 95th of 0, 1, ... 99 percent.
    assert (found.share, found.most) == (0.495, 0.94)
    assert removed_text().summary() == RemovedSummary(share=0.0, most=0.0, lost_much=0)


@pytest.fixture
def settings(tmp_path: Path, demo_tokenizer_folder: Path) -> Any:
    documents = [(n, "Titlu", f"  Art. {n} Prezenta lege \n") for n in range(1, 41)]
    documents += [
        (50, None, "<script>var a = 1</script><p>Art. 50</p>"),
        (51, None, "<!-- Art. 51 -->"),
        (52, None, " "),
    ]
    documents.append((53, None, "<p class='x'>&nbsp;</p>"))
    fill(f"sqlite:///{tmp_path / 'test.db'}", documents, [(n, "tag") for n, *_ in documents])
    return settings_for(tmp_path, training={"base_model": str(demo_tokenizer_folder)})


def test_documents_that_lost_much_are_counted_listed_and_told(settings: Any) -> None:
    heard: list[Event] = []
    data = PreparedData(Path(extract(settings, heard.append).path))
    listed = (data.folder / "much_removed.csv").read_text(encoding="utf-8-sig").splitlines()
    assert listed == ["id,characters,removed", "50,40,33", "51,16,16"]
    assert data.manifest.removed is not None
    assert data.manifest.removed.lost_much == 2
    assert "much_removed.csv" in data.manifest.files
    assert any("much_removed.csv" in event.message for event in heard if isinstance(event, Notice))


def test_reused_documents_are_counted_as_new_ones_are(settings: Any) -> None:
    query = "SELECT id, title, text, id AS version FROM documents"
    versioned = settings.model_copy(
        update={"database": settings.database.model_copy(update={"documents_query": query})}
    )
    first, second = (PreparedData(Path(extract(versioned, silent).path)).manifest for _ in range(2))
    assert second.taken_from_earlier == second.documents_read
    assert second.removed == first.removed


def test_data_without_the_figure_still_open(settings: Any) -> None:
    folder = Path(extract(settings, silent).path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del manifest["removed"]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert compute_statistics(PreparedData(folder)).removed is None
