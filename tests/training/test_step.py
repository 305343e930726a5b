"""One optimizer step: the same whatever fits into memory at once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from databases import settings_for
from transformers import BertForSequenceClassification

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.home import data_dir
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.training_set import choose_training_set
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.batches import open_documents
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.head import load_for_tags
from get_tags_train.training.step import TrainingStep
from get_tags_train.training.throughput import fastest_batch_size, longest_documents, seconds_per_token

MakeTrainingStep = Callable[..., TrainingStep]
ROWS = np.arange(12)


@pytest.fixture(params=[1, 2], ids=["one_thread", "two_threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """So many CPU threads for torch, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def make_training_step(small_home: Path, demo_tokenizer_folder: Path, tmp_path: Path, threads: int) -> MakeTrainingStep:
    """A training_step in fp32 without dropout, so that equal arithmetic has equal results."""

    def make(dropout: float = 0.0, **settings: Any) -> TrainingStep:
        data = PreparedData(data_dir(small_home) / "tags_v1")
        base_model = str(demo_tokenizer_folder)
        values = {"base_model": base_model, "context_length": 48, "precision": "fp32", "max_grad_norm": 0}
        values |= settings
        precision = values.pop("precision")
        training = settings_for(tmp_path, training=values).training.model_copy(update={"precision": precision})
        examples = choose_training_set(data, np.zeros(data.manifest.documents_kept, bool), 1)
        documents = open_documents(data, examples, load_tokenizer(base_model), 48, tmp_path)
        model = load_for_tags(base_model, examples, training)
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Dropout) and "attention.self" not in name:  # there it is none, ever
                module.p = dropout
        return TrainingStep(model, documents, training, ProcessGroup("cpu"), "cpu")

    return make


def lengths(small_home: Path) -> np.ndarray:
    data = PreparedData(data_dir(small_home) / "tags_v1")
    return np.concatenate([np.diff(batch.column("input_ids").offsets.to_numpy()) for batch in data.batches()])


def gradients(training_step: TrainingStep) -> torch.Tensor:
    training_step.gradient(0, ROWS)
    return torch.cat([p.grad.flatten() for p in training_step._parameters if p.grad is not None])


def out_of_memory_beyond(monkeypatch: pytest.MonkeyPatch, documents: int) -> list[int]:
    """A device that holds so many documents at once; what was tried."""
    forward, tried = BertForSequenceClassification.forward, []

    def limited(self: Any, input_ids: torch.Tensor, **more: Any) -> Any:
        tried.append(len(input_ids))
        if len(input_ids) > documents:
            raise torch.OutOfMemoryError("simulated")
        return forward(self, input_ids=input_ids, **more)

    monkeypatch.setattr(BertForSequenceClassification, "forward", limited)
    return tried


def test_the_gradient_does_not_depend_on_how_much_is_computed_at_once(make_training_step: MakeTrainingStep) -> None:
    training_step = make_training_step()
    at_once = gradients(training_step)
    training_step.zero_grad()
    training_step.micro_batch_tokens = 100
    assert torch.allclose(gradients(training_step), at_once, atol=1e-7)


def test_steps_with_dropout_are_the_same_every_time(make_training_step: MakeTrainingStep) -> None:
    one, other, undropped = make_training_step(dropout=0.5), make_training_step(dropout=0.5), make_training_step()
    for number in range(4):
        losses = {training_step.step(number, ROWS, 1.0).loss for training_step in (one, other)}
        assert len(losses) == 1
        assert undropped.step(number, ROWS, 1.0).loss not in losses
    assert all(torch.equal(weight, other.weights()[name]) for name, weight in one.weights().items())


def test_replicas_share_one_model(make_training_step: MakeTrainingStep) -> None:
    training_step = make_training_step(learning_rate=1e-2)
    weights = {name: weight * 0.5 for name, weight in training_step.weights().items()}
    training_step.load_weights(weights)
    training_step.step(0, ROWS, 1.0)
    for model in training_step._replicas:
        assert all(torch.equal(weight, training_step.weights()[name]) for name, weight in model.state_dict().items())
        assert not torch.equal(model.state_dict()["classifier.weight"], weights["classifier.weight"])


def test_where_memory_ends_less_is_computed_at_once_and_the_step_is_the_same(
    make_training_step: MakeTrainingStep, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_step, limited = make_training_step(), make_training_step()
    unlimited = training_step.step(3, ROWS, 1.0)
    tried = out_of_memory_beyond(monkeypatch, 3)
    result = limited.step(3, ROWS, 1.0)
    assert tried[0] == 12 // threads
    assert max(tried[-4:]) <= 3
    assert limited.micro_batch_tokens < training_step.micro_batch_tokens
    assert result.loss == pytest.approx(unlimited.loss, rel=1e-5)
    assert result.tokens == unlimited.tokens
    for name, weight in training_step.weights().items():
        assert torch.allclose(limited.weights()[name], weight, atol=1e-5), name
    tried.clear()
    limited.step(4, ROWS, 1.0)
    assert max(tried) <= 3  # what fitted is remembered


def test_memory_that_does_not_hold_one_document(
    make_training_step: MakeTrainingStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_step = make_training_step()
    out_of_memory_beyond(monkeypatch, 0)
    with pytest.raises(GetTagsError, match="not enough memory for even one document") as caught:
        training_step.step(0, ROWS, 1.0)
    assert "context_length" in caught.value.hint


def test_another_failure_is_not_taken_for_a_lack_of_memory(
    make_training_step: MakeTrainingStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, **inputs: Any) -> Any:
        raise RuntimeError("something else")

    monkeypatch.setattr(BertForSequenceClassification, "forward", broken)
    with pytest.raises(RuntimeError, match="something else"):
        make_training_step().step(0, ROWS, 1.0)


def test_a_gradient_that_is_no_number_changes_nothing(make_training_step: MakeTrainingStep) -> None:
    training_step = make_training_step()
    before = {name: weight.clone() for name, weight in training_step.weights().items()}
    training_step._parameters[-1].register_hook(lambda gradient: gradient * torch.nan)
    result = training_step.step(0, ROWS, 1.0)
    assert np.isfinite(result.loss)
    assert not result.is_finite
    assert all(torch.equal(weight, before[name]) for name, weight in training_step.weights().items())


def test_a_long_gradient_is_clipped(make_training_step: MakeTrainingStep) -> None:
    whole, training_step = make_training_step(), make_training_step(max_grad_norm=1e-3)
    norm = whole.gradient(0, ROWS).gradient_norm
    assert norm > 1e-3
    assert training_step.gradient(0, ROWS).gradient_norm == pytest.approx(norm)
    assert gradients(make_training_step(max_grad_norm=1e-3)).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_the_head_learns_at_its_own_rate(make_training_step: MakeTrainingStep) -> None:
    training_step = make_training_step(learning_rate=1e-9, head_learning_rate=1e-2, weight_decay=0.0)
    before = {name: weight.clone() for name, weight in training_step.weights().items()}
    training_step.step(0, ROWS, 1.0)
    moved = {name for name, weight in training_step.weights().items() if (weight - before[name]).abs().max() > 1e-6}
    assert moved == {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}


def test_precision_of_a_model_that_knows_the_documents(make_training_step: MakeTrainingStep) -> None:
    training_step = make_training_step(learning_rate=3e-3)
    first = training_step.validate(ROWS, 3)
    assert len(first) == 3
    for number in range(30):
        training_step.step(number, ROWS, 1.0)
    assert training_step.validate(ROWS, 3)[0] > max(first[0], 0.8)


def test_the_fastest_batch_size_fits_into_memory(
    make_training_step: MakeTrainingStep, threads: int, small_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_step = make_training_step()
    out_of_memory_beyond(monkeypatch, 9 // threads)
    assert fastest_batch_size(training_step, np.arange(40), lengths(small_home), ProcessGroup("cpu")) == 8
    assert training_step.micro_batch_tokens == make_training_step().micro_batch_tokens


def test_a_batch_size_that_gains_nothing_is_not_taken(
    make_training_step: MakeTrainingStep, small_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {8: 100.0, 16: 190.0, 32: 191.0}
    monkeypatch.setattr(
        "get_tags_train.training.throughput._seconds", lambda training_step, rows: len(rows) / speeds[len(rows)]
    )
    assert fastest_batch_size(make_training_step(), np.arange(50), lengths(small_home), ProcessGroup("cpu")) == 16


def test_measuring_changes_nothing(make_training_step: MakeTrainingStep, small_home: Path) -> None:
    training_step, known = make_training_step(), lengths(small_home)
    before = {name: weight.clone() for name, weight in training_step.weights().items()}
    assert seconds_per_token(training_step, longest_documents(ROWS, known, 8), known) > 0
    assert all(torch.equal(weight, before[name]) for name, weight in training_step.weights().items())
    assert all(parameter.grad is None for parameter in training_step._parameters)


def test_the_gradient_is_that_of_one_thread(make_training_step: MakeTrainingStep) -> None:
    by_these = gradients(make_training_step())
    torch.set_num_threads(1)
    assert torch.allclose(by_these, gradients(make_training_step()), atol=1e-7)


def overflowing(make_training_step: MakeTrainingStep, overflows: int) -> TrainingStep:
    """In fp16, at a loss scale that so many steps find too high."""
    training_step = make_training_step(precision="fp16", dropout=0.1)
    while training_step.gradient(0, ROWS).is_finite:
        training_step.zero_grad()
        scale = training_step._scaler.get_scale() * 2
        training_step._scaler.update()
        training_step._scaler.update(scale)
    training_step.zero_grad()
    training_step._scaler.update()
    training_step._scaler.update(training_step._scaler.get_scale() * 2**overflows)
    return training_step


def test_an_fp16_gradient_that_overflows_skips_the_step(make_training_step: MakeTrainingStep) -> None:
    training_step = overflowing(make_training_step, 2)
    before = {name: weight.clone() for name, weight in training_step.weights().items()}
    scale = training_step._scaler.get_scale()
    for lowered in (2, 4):
        result = training_step.step(0, ROWS, 1.0)
        assert (result.is_skipped, result.is_finite) == (True, False)
        assert training_step._scaler.get_scale() == scale / lowered
    assert all(torch.equal(weight, before[name]) for name, weight in training_step.weights().items())
    assert training_step.step(0, ROWS, 1.0).is_finite
    assert not all(torch.equal(weight, before[name]) for name, weight in training_step.weights().items())


def test_an_fp16_gradient_that_never_fits_has_diverged(make_training_step: MakeTrainingStep) -> None:
    training_step = make_training_step(precision="fp16")
    training_step._parameters[-1].register_hook(lambda gradient: gradient * torch.nan)
    results = [training_step.step(0, ROWS, 1.0) for _ in range(18)]
    assert [result.is_skipped for result in results] == [True] * 16 + [False] * 2


def test_the_loss_scale_is_resumed(make_training_step: MakeTrainingStep) -> None:
    undisturbed, resumed = overflowing(make_training_step, 1), make_training_step(precision="fp16", dropout=0.1)
    results = [undisturbed.step(number, ROWS, 1.0) for number in range(3)]
    skipped = sum(result.is_skipped for result in results)
    assert 0 < skipped < 3
    state = {name: tensor.clone() for name, tensor in undisturbed.optimizer_state().items()}
    resumed.load_weights({name: weight.clone() for name, weight in undisturbed.weights().items()})
    resumed.load_optimizer_state(state, 3 - skipped)
    assert resumed._scaler.state_dict() == undisturbed._scaler.state_dict()
    for number in (3, 4):
        assert resumed.step(number, ROWS, 1.0) == undisturbed.step(number, ROWS, 1.0)
    assert all(torch.equal(weight, resumed.weights()[name]) for name, weight in undisturbed.weights().items())


def test_where_memory_ends_documents_are_scored_in_smaller_parts(
    make_training_step: MakeTrainingStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_step = make_training_step()
    logits, labels = training_step.logits(ROWS)
    out_of_memory_beyond(monkeypatch, 2)
    fewer, same_labels = training_step.logits(ROWS)
    order, same_order = np.lexsort(logits.T), np.lexsort(fewer.T)
    assert np.allclose(fewer[same_order], logits[order], atol=1e-5)
    assert (same_labels[same_order] == labels[order]).all()
    assert training_step.micro_batch_tokens == training_step.max_micro_batch_tokens
