"""Attention on a processor as plain batched products, which beat torch's fused kernel there (docs/experiments.md)."""

from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from get_tags_train.dropout import drop_out

_NAME = "get_tags_products"
# Models whose attention is scaled products of full length, with a mask for padding and nothing else.
_PLAIN = {"bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert"}


def is_plain(model: PreTrainedModel) -> bool:
    """Whether the model's attention can be computed as plain products."""
    return model.config.model_type in _PLAIN


def use_plain_products(model: PreTrainedModel) -> None:
    """Let a model that is plain compute its attention here; but for dropout the results are the same."""
    model.set_attn_implementation(_NAME)


def _products(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Softmax of scaled products; (documents, heads, tokens, width) each -> (documents, tokens, heads, width)."""
    documents, heads, tokens, width = query.shape
    q, k, v = (part.reshape(documents * heads, tokens, width) for part in (query, key, value))
    weights = torch.bmm(q * (width**-0.5 if scaling is None else scaling), k.transpose(1, 2))
    if attention_mask is not None:
        # In place and in the products' own type: the scores are by far the largest tensors of all.
        weights.view(documents, heads, tokens, tokens).add_(attention_mask.to(weights.dtype))
    weights = torch.softmax(weights, -1)
    if module.training:
        weights = drop_out(weights, dropout)
    return torch.bmm(weights, v).view(documents, heads, tokens, width).transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _products)
AttentionMaskInterface.register(_NAME, eager_mask)
