"""LeCam regularisation of logits whose mean and spread are known."""

import pytest
import torch

from gannb.losses.lecam import lecam


def test_it_is_the_formula_by_hand():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 2.0])
    assert lecam(real, fake, 2.0, 0.5).item() == pytest.approx((0.25 + 6.25) / 2 + (9 + 0) / 2)


def test_constant_logits_at_their_own_means_are_twice_the_squared_gap():
    """With D at ±a it is 8a²: the distance of the two means, squared, once per kind."""
    for a in (0.0, 0.5, 2.0):
        real = torch.full((4,), a)
        assert lecam(real, -real, a, -a).item() == pytest.approx(8 * a**2)


def test_its_gradient_pulls_each_kind_towards_the_mean_of_the_other():
    real, fake = torch.ones(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    lecam(real, fake, 1.0, 0.0).backward()
    assert torch.allclose(real.grad, torch.full((4,), 0.5)) and torch.allclose(fake.grad, torch.full((4,), -0.5))


def test_logits_of_half_precision_are_squared_in_single():
    big = torch.full((2,), 300.0, dtype=torch.float16)
    assert lecam(big, big, 0.0, 0.0).item() == 2 * 300.0**2
