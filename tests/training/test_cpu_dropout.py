"""Dropout with masks of our own: how much is dropped, what stays, and that the seed says which."""

import pytest
import torch

from get_tags_train.training.cpu_kernels import drop_out, seed_dropout, use_own_dropout

STATES = torch.ones(300, 1001)


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


def test_layers_drop_only_while_training() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Sequential(torch.nn.Dropout(0.5)))
    use_own_dropout(model)
    seed_dropout([5])
    states = torch.randn(50, 4)
    dropped = model.train()(states)
    seed_dropout([5])
    assert torch.equal(dropped, model(states))
    assert (dropped == 0).any()
    assert torch.equal(model.eval()(states), model[0](states))


def test_nothing_is_dropped_at_zero() -> None:
    assert drop_out(STATES, 0.0) is STATES
