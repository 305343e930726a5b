"""Which of the two computes a model, and what is said where it is the slower one."""

from pathlib import Path

import pytest
from databases import silent
from transformers import AutoConfig, DistilBertConfig, DistilBertForSequenceClassification

from get_tags_train.core.events import Event, Notice
from get_tags_train.model import classifier as module
from get_tags_train.model.classifier import open_classifier
from get_tags_train.model.metadata import read_metadata
from get_tags_train.model.onnx_classifier import OnnxClassifier
from get_tags_train.model.tagger import TagModel
from get_tags_train.model.torch_classifier import TorchClassifier


def said(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice) and event.level == "warning"]


@pytest.mark.parametrize(("precision", "kind"), [("fp32", OnnxClassifier), ("bf16", TorchClassifier)])
def test_onnx_runtime_computes_float32_on_a_processor(small_model: Path, precision: str, kind: type) -> None:
    config = AutoConfig.from_pretrained(small_model)
    assert type(open_classifier(small_model, config, "cpu", precision, silent)) is kind


def test_a_model_without_a_graph_is_computed_by_torch(tmp_path: Path) -> None:
    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=24, num_labels=3)
    DistilBertForSequenceClassification(config).save_pretrained(tmp_path)
    events: list[Event] = []
    assert type(open_classifier(tmp_path, config, "cpu", "fp32", events.append)) is TorchClassifier
    assert events == []


def test_without_onnx_runtime_torch_computes_and_it_is_said(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = TagModel.load(small_model).predict(["contract de muncă"])
    monkeypatch.setattr(module, "MISSING", "DLL load failed")
    events: list[Event] = []
    model = TagModel.load(small_model, on_event=events.append)
    assert type(model._classifier) is TorchClassifier
    assert said(events) == [
        "ONNX Runtime cannot be loaded: DLL load failed. torch computes instead: the same tags, more slowly."
    ]
    for (tag, score), (wanted, its) in zip(model.predict(["contract de muncă"])[0], expected[0], strict=True):
        assert (tag, score) == (wanted, pytest.approx(its, abs=1e-4))


def test_a_runtime_that_gives_other_scores_is_not_used(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = OnnxClassifier.__call__
    monkeypatch.setattr(OnnxClassifier, "__call__", lambda own, ids, mask: right(own, ids, mask) + 0.5)
    events: list[Event] = []
    model = TagModel.load(small_model, on_event=events.append)
    assert type(model._classifier) is TorchClassifier
    assert said(events) == [
        "ONNX Runtime gives this model other scores than torch here. torch computes instead: the same tags, more "
        "slowly."
    ]


def test_both_give_the_same_scores(small_model: Path) -> None:
    metadata = read_metadata(small_model)
    assert metadata is not None
    texts = [probe.text for probe in metadata.probes]
    by_torch = TagModel(small_model, classifier=TorchClassifier(small_model, "cpu", "fp32")).scores(texts)
    assert abs(TagModel(small_model).scores(texts) - by_torch).max() < 1e-4
