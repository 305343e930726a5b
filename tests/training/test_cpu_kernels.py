"""Attention as plain products gives what torch's own kernel does; dropout drops what it should, as the seed says."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from get_tags_train.training.cpu_kernels import drop_out, has_plain_attention, seed_dropout, use_cpu_kernels

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 40, "pad_token_id": 0,
}  # fmt: skip
STATES = torch.ones(300, 1001)
INPUTS = {"input_ids": torch.randint(1, 50, (3, 20)), "attention_mask": torch.ones(3, 20, dtype=torch.int64)}


def make(model_type: str, **config: float) -> PreTrainedModel:
    torch.manual_seed(1)
    model: PreTrainedModel = AutoModel.from_config(
        AutoConfig.for_model(model_type, **SIZES, **config), attn_implementation="sdpa"
    )
    return model.eval()


@pytest.mark.parametrize("padded", [0, 7])
@pytest.mark.parametrize("model_type", ["bert", "roberta", "electra", "distilbert", "camembert", "xlm-roberta"])
def test_scores_and_gradients_are_those_of_the_fused_kernel(model_type: str, padded: int) -> None:
    inputs = {name: tensor.clone() for name, tensor in INPUTS.items()}
    inputs["attention_mask"][1, 20 - padded :] = 0
    seen = []
    for fastest in (False, True):
        model = make(model_type)
        if fastest:
            assert has_plain_attention(model)
            use_cpu_kernels(model, attention=True)
            assert model.config._attn_implementation == "get_tags_products"
        states = model(**inputs).last_hidden_state[inputs["attention_mask"].bool()]
        states.square().sum().backward()
        seen.append((states, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])))
    (states, gradient), (own_states, own_gradient) = seen
    assert torch.allclose(own_states, states, atol=1e-5)
    assert torch.allclose(own_gradient, gradient, atol=1e-3, rtol=1e-3)


def test_a_model_with_attention_of_its_own_kind_is_not_plain() -> None:
    model = make("bert")
    model.config.model_type = "deberta-v2"
    assert not has_plain_attention(model)


def test_what_is_saved_does_not_name_it(tmp_path: Path) -> None:
    model = make("bert")
    use_cpu_kernels(model, attention=True)
    model.save_pretrained(tmp_path)
    assert "get_tags" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert AutoModel.from_pretrained(tmp_path).config._attn_implementation == "sdpa"


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_and_the_mean_that_stays(probability: float) -> None:
    seed_dropout([1])
    dropped = drop_out(STATES, probability)
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=5e-3)
    assert dropped.mean().item() == pytest.approx(1, abs=2e-2)
    assert len(dropped.unique()) == 2


def test_the_gradient_passes_where_states_do() -> None:
    states = STATES.clone().requires_grad_()
    seed_dropout([2])
    dropped = drop_out(states, 0.3)
    dropped.sum().backward()
    assert states.grad is not None
    assert torch.equal(states.grad, dropped.detach())


def test_masks_follow_from_the_seed() -> None:
    masks = []
    for seed in (3, 3, 4):
        seed_dropout([seed])
        masks.append(drop_out(STATES, 0.1))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], drop_out(STATES, 0.1))


@pytest.mark.parametrize("attention", [False, True])
def test_layers_drop_only_while_training(attention: bool) -> None:
    model = make("bert", hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.0)
    undropped = model(**INPUTS).last_hidden_state
    use_cpu_kernels(model, attention=attention)
    assert torch.allclose(model(**INPUTS).last_hidden_state, undropped, atol=1e-5)
    seen = []
    for _ in range(2):
        seed_dropout([5])
        seen.append(model.train()(**INPUTS).last_hidden_state)
    assert torch.equal(*seen)
    assert not torch.allclose(seen[0], undropped, atol=1e-2)
    assert torch.allclose(model.eval()(**INPUTS).last_hidden_state, undropped, atol=1e-5)


def test_nothing_is_dropped_at_zero() -> None:
    assert drop_out(STATES, 0.0) is STATES


def test_gradients_of_an_embedding_add_up_over_micro_batches_and_leave_padding_out() -> None:
    layers = nn.Sequential(nn.Embedding(5, 2, padding_idx=0))
    own = copy.deepcopy(layers)
    use_cpu_kernels(own, attention=False)  # type: ignore[arg-type]
    for rows in ([[1, 3], [3, 0]], [[4, 3]]):
        for some in (layers, own):
            (some(torch.tensor(rows)) * torch.tensor([1.0, 2.0])).sum().backward()
    assert own[0].weight.grad is not None
    assert own[0].weight.grad.tolist() == [[0, 0], [1, 2], [0, 0], [3, 6], [1, 2]]
    assert torch.equal(own[0].weight.grad, layers[0].weight.grad)
