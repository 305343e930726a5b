"""What a model may be changed to before its first step; each result is a model that transformers loads as it stands."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from get_tags_train.training.batches import Documents, split_by_tokens

_TOKENS = 8_192
_MOST_STEPS = 200


def attend_evenly(model: Any) -> None:
    """In the last layer the first token begins with the mean of all tokens' values: a query of zero prefers none."""
    query = model.bert.encoder.layer[-1].attention.self.query
    with torch.no_grad():
        query.weight.zero_()
        query.bias.zero_()


def attend_evenly_by_half(model: Any) -> None:
    """The same for every other head of the last layer."""
    attention = model.bert.encoder.layer[-1].attention.self
    width = attention.attention_head_size
    with torch.no_grad():
        for head in range(0, attention.num_attention_heads, 2):
            attention.query.weight[head * width : (head + 1) * width].zero_()
            attention.query.bias[head * width : (head + 1) * width].zero_()


def pass_through_pooler(model: Any) -> None:
    """The pooler begins by letting the first token pass, instead of with what it was pretrained to."""
    with torch.no_grad():
        model.bert.pooler.dense.weight.copy_(torch.eye(model.config.hidden_size) / 2)
        model.bert.pooler.dense.bias.zero_()


def keep_layers(count: int) -> Callable[[Any], None]:
    """Only the first layers of the base model."""

    def shorten(model: Any) -> None:
        model.bert.encoder.layer = model.bert.encoder.layer[:count]
        model.config.num_hidden_layers = count

    return shorten


def start_anew(count: int) -> Callable[[Any], None]:
    """The last layers as before pretraining; Zhang et al., Revisiting Few-sample BERT Fine-tuning (ICLR 2021)."""

    def draw(model: Any) -> None:
        for layer in model.bert.encoder.layer[-count:]:
            for module in layer.modules():
                if isinstance(module, torch.nn.Linear):
                    torch.nn.init.normal_(module.weight, std=model.config.initializer_range)
                    torch.nn.init.zeros_(module.bias)
                elif isinstance(module, torch.nn.LayerNorm):
                    module.reset_parameters()

    return draw


def append_mean_layer(model: Any) -> None:
    """One more layer, in which the first token begins as the mean of all tokens; the pooler lets it pass."""
    encoder, width = model.bert.encoder, model.config.hidden_size
    new = copy.deepcopy(encoder.layer[-1])
    with torch.no_grad():
        for parameter in new.parameters():
            parameter.zero_()
        for started in (new.attention.self.key, new.intermediate.dense):
            started.weight.normal_(0, model.config.initializer_range)
        for passing in (new.attention.self.value, new.attention.output.dense):
            passing.weight.copy_(torch.eye(width))
        for norm in (new.attention.output.LayerNorm, new.output.LayerNorm):
            norm.weight.fill_(1)
        model.bert.pooler.dense.weight.copy_(torch.eye(width) / 2)
        model.bert.pooler.dense.bias.zero_()
    encoder.layer.append(new)
    model.config.num_hidden_layers += 1


def fit_head(model: Any, documents: Documents, rows: NDArray[np.int64], penalty: float) -> None:
    """Start the last layer where logistic regression over what it reads ends; penalty: on squared, scaled weights."""
    read, order = list[torch.Tensor](), list[NDArray[np.int64]]()
    hook = model.classifier.register_forward_pre_hook(lambda module, given: read.append(given[0].float()))
    model.eval()
    with torch.inference_mode():
        for part in split_by_tokens(rows, documents.lengths, _TOKENS):
            batch = documents.batch(part)
            model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
            order.append(part)
    hook.remove()
    x, y = torch.cat(read).clone(), documents.batch(np.concatenate(order)).labels
    middle, spread = x.mean(0), x.std(0) + 1e-6
    x = (x - middle) / spread
    weight = torch.zeros(x.shape[1], y.shape[1], requires_grad=True)
    bias = model.classifier.bias.detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="sum")
        value = value + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        scaled = weight / spread[:, None]
        model.classifier.weight.copy_(scaled.T)
        model.classifier.bias.copy_(bias - middle @ scaled)
