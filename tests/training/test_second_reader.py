"""The second reader in a training: beside the BERT, no larger than it, the same after a kill, and refused if half."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import settings_for, silent
from transformers import pipeline

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.home import data_dir
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.metadata import own_metadata, verify
from get_tags_train.model.second_reader import FILE
from get_tags_train.model.tagger import TagModel
from get_tags_train.splits.held_out import texts_and_labels
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training import train as stage
from get_tags_train.training.second_reader import stored_name


@pytest.fixture(scope="module")
def prepared(small_home: Path) -> PreparedData:
    return PreparedData(data_dir(small_home) / "tags_v1")


def trained(prepared: PreparedData, home: Path, demo_home: Path, on_event: Any = silent, **training: Any) -> Path:
    """A model of an epoch, every third document for validation."""
    base_model = str(demo_home / "demo_bert")
    options = {"base_model": base_model, "epochs": 1, "context_length": 24, **training}
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[::3] = True
    return stage.train(
        settings_for(home, training=options),
        prepared,
        np.zeros_like(validation),
        tokenizer=load_tokenizer(base_model),
        device="cpu",
        on_event=on_event,
        validation=validation,
    ).folder


@pytest.fixture(scope="module")
def texts(prepared: PreparedData) -> list[str]:
    mask = np.zeros(prepared.manifest.documents_kept, bool)
    mask[:6] = True
    return texts_and_labels(prepared, mask)[0]


@pytest.fixture(scope="module")
def folder(blended_model: Path) -> Path:
    return blended_model


def test_it_lies_beside_the_bert_and_is_no_larger(folder: Path) -> None:
    assert 0 < (folder / FILE).stat().st_size <= (folder / "model.safetensors").stat().st_size
    assert FILE in own_metadata(folder).files
    verify(folder)


def test_the_model_answers_with_the_blend_and_plain_transformers_with_the_bert(folder: Path, texts: list[str]) -> None:
    model = TagModel.load(folder)
    blended, alone = model.scores_and_bert_alone(texts)
    assert np.abs(blended - alone).max() > 0.01
    assert np.array_equal(model.scores(texts), blended)
    plain = pipeline("text-classification", str(folder), top_k=None)(texts, truncation=True)
    for row, answers in zip(alone, plain, strict=True):
        found = {answer["label"]: answer["score"] for answer in answers}
        assert row == pytest.approx([found[tag] for tag in model.tags], abs=1e-4)


def test_the_blend_reads_beyond_the_context(folder: Path, texts: list[str]) -> None:
    model = TagModel.load(folder)
    longer = max(texts, key=len)
    (blended, other), (alone, same) = model.scores_and_bert_alone([longer, longer + " impozit pe venit"])
    assert alone == pytest.approx(same, abs=1e-5)
    assert np.abs(blended - other).max() > 1e-4


def test_a_training_document_is_a_reason_for_its_tags(folder: Path, prepared: PreparedData) -> None:
    batch = next(prepared.batches())
    own, text, tags = batch.column("id")[1].as_py(), batch.column("text")[1].as_py(), batch.column("tags")[1].as_py()
    (reason,) = TagModel.load(folder).reasons(text, [prepared.tags[tags[0]]])
    assert reason.documents[0].id == own
    assert reason.documents[0].similarity > 0.9


def test_a_folder_that_has_lost_it_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    half = Path(shutil.copytree(folder, tmp_path / "half"))
    (half / FILE).unlink()
    with pytest.raises(GetTagsError, match=FILE):
        TagModel(half)
    with pytest.raises(GetTagsError, match=FILE):
        verify(half)


def test_a_folder_with_a_torn_one_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    torn = Path(shutil.copytree(folder, tmp_path / "torn"))
    (torn / FILE).write_bytes((torn / FILE).read_bytes()[:-100])
    with pytest.raises(GetTagsError, match=FILE):
        TagModel(torn)


def test_without_it_the_model_is_the_bert(prepared: PreparedData, tmp_path: Path, demo_home: Path) -> None:
    made = trained(prepared, tmp_path, demo_home, blend=False)
    model = TagModel.load(made)
    assert not (made / FILE).exists()
    with pytest.raises(GetTagsError, match="no second reader"):
        model.reasons("legea", model.tags[:1])


def test_the_training_says_what_it_gains_and_what_the_cut_costs(
    prepared: PreparedData, tmp_path: Path, demo_home: Path
) -> None:
    events: list[Event] = []
    metadata = own_metadata(trained(prepared, tmp_path, demo_home, on_event=events.append))
    said = " ".join(event.message for event in events if isinstance(event, Notice))
    assert "second reader" in said
    assert "Reading only 24 tokens costs" in said
    assert metadata.cut_cost is not None
    assert 0 < metadata.cut_cost.cut <= metadata.cut_cost.documents


def test_killed_after_the_bert_was_trained_it_comes_out_the_same(
    prepared: PreparedData, folder: Path, tmp_path: Path, demo_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(stage, "write_model_folder", killed)
        trained(prepared, tmp_path, demo_home, blend=True)
    again = trained(prepared, tmp_path, demo_home, blend=True)
    for name in (FILE, "model.safetensors"):
        assert own_metadata(again).files[name] == own_metadata(folder).files[name]


def test_a_name_in_memory_takes_at_most_88_bytes_and_keeps_the_id() -> None:
    assert stored_name(7, "Codul penal") == b'[7,"Codul penal"]'
    cut = stored_name("L-286/2009", "Î" * 100)
    assert len(cut) <= 88
    own, title = json.loads(cut)
    assert own == "L-286/2009" and title == "Î" * (len(title) - 1) + "…"
    assert json.loads(stored_name("x" * 90, "Codul penal")) == ["x" * 90, ""]
