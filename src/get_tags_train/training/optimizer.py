"""AdamW over a model's weights: a learning rate and weight decay for each kind of layer, its state by name."""

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from get_tags_train.core.settings import TrainingSettings
from get_tags_train.model.base_model import is_new_layer

_STATE = ("exp_avg", "exp_avg_sq")


def make_optimizer(model: PreTrainedModel, training: TrainingSettings) -> torch.optim.AdamW:
    """AdamW for the model on its device. New layers learn at their own rate; biases and norms do not decay."""
    groups: dict[tuple[float, float], list[tuple[str, torch.nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            peak = training.head_learning_rate if is_new_layer(name, model) else training.learning_rate
            weight_decay = training.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((peak, weight_decay), []).append((name, parameter))
    return torch.optim.AdamW(
        [
            {"params": named, "peak_lr": peak, "weight_decay": weight_decay}
            for (peak, weight_decay), named in groups.items()
        ],
        fused=True,
    )


def set_learning_rates(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set each group's learning rate to this share of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * share


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The running means of the gradients, as "exp_avg.NAME" and "exp_avg_sq.NAME" of each weight; not a copy."""
    return {
        f"{key}.{name}": optimizer.state[parameter][key]
        for group in optimizer.param_groups
        for name, parameter in zip(group["param_names"], group["params"], strict=True)
        if parameter in optimizer.state
        for key in _STATE
    }


def load_optimizer_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], steps: int) -> None:
    """Restore what `optimizer_state` returned after so many steps."""
    names = [name for group in optimizer.param_groups for name in group["param_names"]]
    state = {
        place: {"step": torch.tensor(float(steps)), **{key: tensors[f"{key}.{name}"] for key in _STATE}}
        for place, name in enumerate(names)
        if f"{_STATE[0]}.{name}" in tensors
    }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
