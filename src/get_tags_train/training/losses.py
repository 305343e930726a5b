"""Loss functions of a multi-label model, one value a document."""

from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def bce(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of each tag by itself, mean over the tags: (documents,)."""
    return binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1)


def zlpr(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Every true tag above 0 and above every other, those below 0: (documents,); labels are 0 or 1.

    log(1 + sum of exp(-logit) over the true) + log(1 + sum of exp(logit) over the others), of Su et al., ZLPR: A Novel
    Loss for Multi-label Classification (2022).
    """
    zero = torch.zeros_like(logits[:, :1])
    true = torch.where(labels > 0, -logits, -torch.inf)
    others = torch.where(labels > 0, -torch.inf, logits)
    return torch.logsumexp(torch.cat([zero, true], 1), 1) + torch.logsumexp(torch.cat([zero, others], 1), 1)


LOSSES: dict[str, Loss] = {"bce": bce, "zlpr": zlpr}
