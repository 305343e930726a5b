"""What is tried: settings of the product, and changes to its learner that it does not have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from starts import append_mean_layer, attend_evenly, attend_evenly_by_half, keep_layers, pass_through_pooler, start_anew
from torch.nn.functional import log_softmax, logsigmoid

from get_tags_train.training.losses import LOSSES, Loss, bce, zlpr


@dataclass(frozen=True)
class Variant:
    """One way to train: settings under [training], and what only this benchmark knows."""

    settings: dict[str, Any] = field(default_factory=dict)
    pooler_rate: float | None = None  # None: that of the head
    layer_decay: float = 1.0  # rate of each layer below the last, relative to the one above it
    average: float = 0.0  # decay of the moving average of weights
    teacher: float = 0.0  # share of the linear model's scores in the labels
    hidden_dropout: float | None = None
    embedding_rate: float | None = None  # of the word pieces; None: that of the encoder
    start: Callable[[Any], None] | None = None  # what the model is changed to before its first step
    betas: tuple[float, float] = (0.9, 0.999)  # of AdamW
    masked: float = 0.0  # share of the word pieces that a training step does not see
    windows: float = 0.0  # share of the times that a long document is read from a place drawn by chance
    reduced: float = 0.0  # words on this share of the training documents are left out, and all that is no word
    least_documents: int = 1  # of a tag that is trained on
    windows_scored: bool = False  # score each window of other documents as well; windows.py reads them
    head_penalty: float = 0.0  # of the regression that the last layer starts from; 0: it starts by chance


def softmax(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against the true tags in equal shares: (documents,)."""
    return -(log_softmax(logits, 1) * labels).sum(1) / labels.sum(1)


def asymmetric(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Ridnik et al., Asymmetric Loss For Multi-Label Classification (2021), with its own 4, 0 and .05: (documents,)."""
    shifted = (torch.sigmoid(logits) - 0.05).clamp(min=0)
    others = torch.log((1 - shifted).clamp(min=1e-8)) * shifted**4
    return -(labels * logsigmoid(logits) + (1 - labels) * others).mean(dim=1)


def with_bce(other: Loss) -> Loss:
    """A loss and the binary cross-entropy, added up over tags."""
    return lambda logits, labels: logits.shape[1] * bce(logits, labels) + other(logits, labels)


LOSSES |= {"softmax": softmax, "asymmetric": asymmetric, "bce+zlpr": with_bce(zlpr), "bce+softmax": with_bce(softmax)}

# Settings as they were before this benchmark, whatever the defaults are now.
BEFORE = {"loss": "bce", "learning_rate": 1e-4, "head_learning_rate": 1e-2}
_FINER = {"pooler_rate": 1e-3}
_SLOW_HEAD = {"head_learning_rate": 1e-3}

VARIANTS = {
    "defaults": Variant(),
    "before": Variant(BEFORE),
    "pooler 1e-4": Variant(BEFORE, pooler_rate=1e-4),
    "pooler 1e-3": Variant(BEFORE, **_FINER),
    "zlpr": Variant(BEFORE | {"loss": "zlpr"}),
    "zlpr, pooler 1e-3": Variant(BEFORE | {"loss": "zlpr"}, **_FINER),
    "softmax": Variant(BEFORE | {"loss": "softmax"}),
    "asymmetric": Variant(BEFORE | {"loss": "asymmetric"}),
    "bce + zlpr": Variant(BEFORE | {"loss": "bce+zlpr"}),
    "bce + zlpr, pooler 1e-3": Variant(BEFORE | {"loss": "bce+zlpr"}, **_FINER),
    "bce + softmax, pooler 1e-3": Variant(BEFORE | {"loss": "bce+softmax"}, **_FINER),
    "rate 5e-5": Variant(BEFORE | {"learning_rate": 5e-5}),
    "rate 2e-4": Variant(BEFORE | {"learning_rate": 2e-4}),
    "rate 3e-4": Variant(BEFORE | {"learning_rate": 3e-4}),
    "rate 3e-4, pooler 1e-3": Variant(BEFORE | {"learning_rate": 3e-4}, **_FINER),
    "head 3e-3": Variant(BEFORE | {"head_learning_rate": 3e-3}),
    "head 3e-2": Variant(BEFORE | {"head_learning_rate": 3e-2}),
    "rate 3e-4, head 3e-2": Variant(BEFORE | {"learning_rate": 3e-4, "head_learning_rate": 3e-2}),
    "rate 2e-4, batch 8": Variant(BEFORE | {"learning_rate": 2e-4, "batch_size": 8}),
    "rate 2e-4, bce + zlpr": Variant(BEFORE | {"learning_rate": 2e-4, "loss": "bce+zlpr"}),
    "rate 2e-4, zlpr": Variant(BEFORE | {"learning_rate": 2e-4, "loss": "zlpr"}),
    "head 3e-2, pooler 1e-3": Variant(BEFORE | {"head_learning_rate": 3e-2}, **_FINER),
    "batch 8": Variant(BEFORE | {"batch_size": 8}),
    "batch 8, pooler 1e-3": Variant(BEFORE | {"batch_size": 8}, **_FINER),
    "no dropout": Variant(BEFORE, hidden_dropout=0.0),
    "no dropout, pooler 1e-3": Variant(BEFORE, hidden_dropout=0.0, **_FINER),
    "layer decay .9": Variant(BEFORE, layer_decay=0.9),
    "reduced .2": Variant(BEFORE, reduced=0.2),
    "reduced .4": Variant(BEFORE, reduced=0.4),
    "reduced .4, windows .25": Variant(BEFORE, reduced=0.4, windows=0.25, windows_scored=True),
    "no marks": Variant(BEFORE, reduced=1.1),
    "2 layers": Variant(BEFORE, start=keep_layers(2)),
    "4 layers": Variant(BEFORE, start=keep_layers(4)),
    "no warm-up": Variant(BEFORE | {"warmup_ratio": 0.0}),
    "warm-up .2": Variant(BEFORE | {"warmup_ratio": 0.2}),
    "tags on 2": Variant(BEFORE, least_documents=2),
    "tags on 5": Variant(BEFORE, least_documents=5),
    "layer decay .8": Variant(BEFORE, layer_decay=0.8),
    "bce + softmax": Variant(BEFORE | {"loss": "bce+softmax"}),
    "betas .98": Variant(BEFORE, betas=(0.9, 0.98)),
    "masked .1": Variant(BEFORE, masked=0.1),
    "masked .2": Variant(BEFORE, masked=0.2),
    "whole": Variant(BEFORE, windows_scored=True),
    "windows .25": Variant(BEFORE, windows=0.25, windows_scored=True),
    "windows .5": Variant(BEFORE, windows=0.5, windows_scored=True),
    "windows 1": Variant(BEFORE, windows=1.0, windows_scored=True),
    "pooler identity": Variant(BEFORE, start=pass_through_pooler),
    "half query": Variant(BEFORE, start=attend_evenly_by_half),
    "average .98": Variant(BEFORE, average=0.98),
    "embeddings 1e-3": Variant(BEFORE, embedding_rate=1e-3),
    "embeddings 3e-3": Variant(BEFORE, embedding_rate=3e-3),
    "embeddings 1e-2": Variant(BEFORE, embedding_rate=1e-2),
    "fitted": Variant(BEFORE, head_penalty=3),
    "fitted, alone": Variant(BEFORE | {"learning_rate": 1e-9, "head_learning_rate": 1e-9}, head_penalty=3),
    "fitted, head 1e-3": Variant(BEFORE | _SLOW_HEAD, head_penalty=3),
    "fitted, pooler 1e-3": Variant(BEFORE, head_penalty=3, **_FINER),
    "fitted, rate 3e-4, head 1e-3": Variant(BEFORE | _SLOW_HEAD | {"learning_rate": 3e-4}, head_penalty=3),
    "mean layer": Variant(BEFORE, start=append_mean_layer),
    "mean layer, pooler 1e-3": Variant(BEFORE, start=append_mean_layer, **_FINER),
    "no query": Variant(BEFORE, start=attend_evenly),
    "no query, no dropout": Variant(BEFORE, start=attend_evenly, hidden_dropout=0.0),
    "no query, pooler 1e-3": Variant(BEFORE, start=attend_evenly, **_FINER),
    "no query, rate 2e-4": Variant(BEFORE | {"learning_rate": 2e-4}, start=attend_evenly),
    "no query, batch 8": Variant(BEFORE | {"batch_size": 8}, start=attend_evenly),
    "no query, fitted, head 1e-3": Variant(BEFORE | _SLOW_HEAD, start=attend_evenly, head_penalty=3),
    "linear teacher .3": Variant(BEFORE, teacher=0.3),
    "linear teacher .5, pooler 1e-3": Variant(BEFORE, teacher=0.5, **_FINER),
    "10 epochs": Variant(BEFORE | {"epochs": 10}),
    "15 epochs": Variant(BEFORE | {"epochs": 15}),
    "top layer anew": Variant(BEFORE, start=start_anew(1)),
    "2 top layers anew": Variant(BEFORE, start=start_anew(2)),
}
