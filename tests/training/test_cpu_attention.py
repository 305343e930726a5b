"""Attention as plain products: what torch's own kernel gives."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from get_tags_train.training.cpu_kernels import has_plain_attention, use_plain_products

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 40, "pad_token_id": 0,
}  # fmt: skip
INPUTS = {"input_ids": torch.randint(1, 50, (3, 20)), "attention_mask": torch.ones(3, 20, dtype=torch.int64)}


def make(model_type: str) -> PreTrainedModel:
    torch.manual_seed(1)
    model: PreTrainedModel = AutoModel.from_config(
        AutoConfig.for_model(model_type, **SIZES), attn_implementation="sdpa"
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
            use_plain_products(model)
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
    use_plain_products(model)
    model.save_pretrained(tmp_path)
    assert "get_tags" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert AutoModel.from_pretrained(tmp_path).config._attn_implementation == "sdpa"
