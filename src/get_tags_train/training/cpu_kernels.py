"""Attention, dropout and embeddings that train faster on a CPU than torch's own (docs/experiments.md: the figures)."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

_ATTENTION = "get_tags_products"
# Models whose attention is scaled products of full length, with a mask for padding and nothing else.
_PLAIN_ATTENTION = {"bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert"}
# Dropout compares random numbers of 16 bits.
_DROPOUT_LEVELS = 1 << 16
_random = threading.local()


def has_plain_attention(model: PreTrainedModel) -> bool:
    """Whether these kernels can compute the model."""
    return model.config.model_type in _PLAIN_ATTENTION


def use_cpu_kernels(model: PreTrainedModel, *, attention: bool) -> None:
    """Let a model with plain attention compute dropout and embeddings here, and attention if wanted; to the same end.

    attention: it pays in bf16; in fp32 torch's fused kernel is faster.
    """
    if attention:
        model.set_attn_implementation(_ATTENTION)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, _Dropout(child.p).train(child.training))
            elif type(child) is nn.Embedding:
                child.__class__ = _Embedding


def seed_dropout(seed: Sequence[int]) -> None:
    """Seed the masks that this thread draws from now on."""
    _random.generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))


def drop_out(states: Tensor, probability: float) -> Tensor:
    """Zero each value with a probability below 1, to the nearest 1/65536, and scale the others to keep the mean."""
    dropped = round(probability * _DROPOUT_LEVELS)
    if not dropped:
        return states
    count = states.numel()
    bits = _random.generator.integers(0, 1 << 64, -(-count // 4), dtype=np.uint64).view(np.int16)[:count]
    kept = torch.from_numpy(bits).view(states.shape) >= dropped - _DROPOUT_LEVELS // 2
    return states * (kept.to(states.dtype) * (_DROPOUT_LEVELS / (_DROPOUT_LEVELS - dropped)))


class _Dropout(nn.Dropout):
    """Dropout whose masks depend on the thread's seed: torch's come from one generator that all threads share."""

    def forward(self, input: Tensor) -> Tensor:
        return drop_out(input, self.p) if self.training else input


class _Embedding(nn.Embedding):
    """An embedding whose gradient costs as much as there are tokens: torch's is one of all rows, each micro-batch."""

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = _LookUp.apply(self.weight, input, self.padding_idx)  # type: ignore[no-untyped-call]
        return found


class _LookUp(torch.autograd.Function):
    """Rows of weights, whose gradient is added to `weight.grad` in place; that of the row `padding` is left out."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, rows: Tensor, padding: int | None) -> Tensor:
        ctx.weight, ctx.padding = weight, padding
        ctx.save_for_backward(rows)
        return nn.functional.embedding(rows, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        weight, rows = ctx.weight, ctx.saved_tensors[0].reshape(-1)
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        own = gradients[0].reshape(-1, weight.shape[1])
        if ctx.padding is not None:
            own = own * (rows != ctx.padding)[:, None]
        weight.grad.index_add_(0, rows, own)
        return None, None, None


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Softmax of scaled products; (documents, heads, tokens, width) each -> (documents, tokens, heads, width)."""
    weights = query * (query.shape[-1] ** -0.5 if scaling is None else scaling) @ key.transpose(2, 3)
    if attention_mask is not None:
        # In place and in the products' own type: the scores are by far the largest tensors of all.
        weights += attention_mask.to(weights.dtype)
    weights = torch.softmax(weights, -1)
    if module.training:
        weights = drop_out(weights, dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register(_ATTENTION, _attend)
AttentionMaskInterface.register(_ATTENTION, eager_mask)
