"""Losses, worked by hand."""

import math

import pytest
import torch

from get_tags_train.core.settings import TrainingSettings
from get_tags_train.training.losses import LOSSES, bce, zlpr

LOGITS = torch.tensor([[2.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])


def test_binary_cross_entropy_by_hand() -> None:
    first = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1)) + math.log(2)) / 3
    assert bce(LOGITS, LABELS).tolist() == pytest.approx([first, math.log(2)])


def test_zlpr_by_hand() -> None:
    """The second document has no true tag: only the others are pressed below 0."""
    first = math.log(1 + math.exp(-2) + 1) + math.log(1 + math.exp(-1))
    assert zlpr(LOGITS, LABELS).tolist() == pytest.approx([first, math.log(4)])


@pytest.mark.parametrize("name", LOSSES)
def test_far_logits_have_a_loss_and_a_gradient(name: str) -> None:
    logits = torch.tensor([[300.0, -300.0, 300.0]], requires_grad=True)
    loss = LOSSES[name](logits, torch.tensor([[0.0, 1.0, 1.0]]))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx(
        [1.0, -1.0, 0.0] if name == "zlpr" else [1 / 3, -1 / 3, 0.0], abs=1e-6
    )


@pytest.mark.parametrize("name", LOSSES)
def test_the_right_direction_is_down(name: str) -> None:
    before = LOSSES[name](LOGITS[:1], LABELS[:1])
    assert (LOSSES[name](LOGITS[:1] + (LABELS[:1] - 0.5), LABELS[:1]) < before).all()


def test_every_loss_can_be_set() -> None:
    assert set(LOSSES) == set(TrainingSettings.model_fields["loss"].annotation.__args__)  # type: ignore[union-attr]
