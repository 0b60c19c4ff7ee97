"""The fitting loop: Adam's own steps, with and without a schedule, and the losses that it returns."""

import pytest
import torch
from torch import nn

from gannb.networks.fit import minimise
from gannb.random import generator, seeded

X = torch.randn(32, 3, generator=generator("x"))


def model() -> nn.Linear:
    with seeded(0, "model"):
        return nn.Linear(3, 3)


def distance(network: nn.Module, step: int) -> torch.Tensor:
    return (network(X[step % 8 :: 8]) - X[step % 8 :: 8]).square().mean()


@pytest.mark.parametrize("one_cycle", [False, True])
def test_it_is_adam_written_out(one_cycle: bool) -> None:
    mine, plain = model(), model()
    losses = minimise(lambda step: distance(mine, step), mine, steps=20, rate=0.05, one_cycle=one_cycle)
    adam = torch.optim.Adam(plain.parameters(), 0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.05, total_steps=20) if one_cycle else None
    expected = []
    for step in range(20):
        loss = distance(plain, step)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if cycle:
            cycle.step()
        expected.append(loss.item())
    assert losses == expected and torch.equal(mine.weight, plain.weight)
    assert losses[-1] < 0.5 * losses[0] and len(losses) == 20


def test_it_fits_where_gradients_are_off_and_leaves_them_off() -> None:
    network = model()
    before = network.weight.detach().clone()
    with torch.no_grad():
        minimise(lambda step: distance(network, step), network, steps=1, rate=0.1)
        assert not torch.is_grad_enabled()
    assert not torch.equal(before, network.weight)


def test_no_steps_change_nothing() -> None:
    network = model()
    assert minimise(lambda step: distance(network, step), network, steps=0, rate=0.1) == []
    assert torch.equal(network.weight, model().weight)
