"""Energy distance: closed forms, its sign, and that following its slope brings samples to the data."""

from __future__ import annotations

import pytest
import torch

from gannb.losses.energy_distance import energy, energy_at_scales
from gannb.random import generator


def normal(n, *shape, at=0.0, name="x"):
    return torch.randn(n, *shape, generator=generator(name), dtype=torch.float64) + at


def test_two_points_against_two():
    """{0, 2} and {3, 5}: 2·3 − 2 − 2, where the pairs across are 3, 5, 1, 3 apart."""
    assert float(energy(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [5.0]]))) == pytest.approx(2.0)


def test_it_is_that_of_two_normals():
    """For N(0, 1) and N(μ, 1): 2 E|N(μ, 2)| − 4/√π."""
    from math import erf, exp, pi, sqrt

    mu = 1.5
    across = 2 / sqrt(pi) * exp(-(mu**2) / 4) + mu * erf(mu / 2)
    found = energy(normal(3000, 1), normal(3000, 1, at=mu, name="y"))
    assert float(found) == pytest.approx(2 * across - 4 / sqrt(pi), abs=0.05)


def test_one_distribution_is_about_zero_on_both_sides():
    found = [float(energy(normal(40, 3, name=f"a{i}"), normal(40, 3, name=f"b{i}"))) for i in range(60)]
    mean = sum(found) / 60
    spread = (sum((x - mean) ** 2 for x in found) / 59) ** 0.5
    assert abs(mean) < 3 * spread / 60**0.5 and min(found) < 0 < max(found)


def test_following_its_slope_brings_samples_to_the_data():
    real, made = normal(100, 2, at=3.0), normal(100, 2, name="y").requires_grad_()
    for _ in range(200):
        (slope,) = torch.autograd.grad(energy(made, real), made)
        made = (made - 20 * slope).detach().requires_grad_()
    assert (made.detach().mean(0) - real.mean(0)).abs().max() < 0.1
    assert float(made.detach().std()) == pytest.approx(float(real.std()), rel=0.25), "a mean alone would be a collapse"


def test_scales_see_what_is_large():
    """Two patterns of the same contrast: fine noise is forgiven at a quarter of the height, a shade is not."""
    real = torch.zeros(8, 1, 16, 16) + 0.01 * normal(8, 1, 16, 16).float()
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    fine, shade = real + 0.5 * board, real + 0.5
    assert energy(fine, real) == pytest.approx(float(energy(shade, real)), rel=0.02)
    assert energy_at_scales(shade, real) > 2 * energy_at_scales(fine, real)


@pytest.mark.parametrize("made", [torch.zeros(1, 3), torch.zeros(4, 2)])
def test_what_cannot_be_compared_is_refused(made):
    with pytest.raises(ValueError, match="allowed: two or more per side, of one shape"):
        energy(made, torch.zeros(4, 3))
