"""The losses of the tour, in closed form and against their terms."""

import math

import pytest
import torch

from gannb.control.numbers import Numbers
from gannb.experiments.tour.losses import d_loss, g_loss
from gannb.experiments.tour.params import Tour
from gannb.losses.adversarial import bce
from gannb.random import Draws
from gannb.training.turn import Turn


def turn_of(**given: float) -> Turn:
    """A turn whose D is the first coordinate, and whose G is twice its first two latents."""
    networks = {"D": lambda points: points[:, 0], "G": lambda z: 2 * z[:, :2]}
    return Turn("D", networks, torch.full((64, 2), 3.0), Numbers.of(Tour(**given)).now(), Draws(0, 0, 0), 0)


def test_a_blind_discriminator_costs_two_coins() -> None:
    for loss, coins in ((d_loss, 2), (g_loss, 1)):
        turn = turn_of(real_label=1.0)
        turn.networks["D"] = lambda points: torch.zeros(len(points))
        assert float(loss(turn)) == pytest.approx(coins * math.log(2), rel=1e-6)


def test_without_noise_they_are_cross_entropies_of_the_points() -> None:
    turn = turn_of(noise=0.0, real_label=0.9)
    fake = 2 * Draws(0, 0, 0).randn("z", 64, 8)[:, 0]
    assert torch.allclose(d_loss(turn), bce(torch.full((64,), 3.0), 0.9) + bce(fake, 0.0))
    assert float(turn.logged["real"]) == pytest.approx(1 / (1 + math.exp(-3.0)))
    assert torch.allclose(g_loss(turn_of(noise=0.0)), bce(fake, 1.0))


def test_noise_has_the_standard_deviation_of_its_number_on_both_kinds_of_points() -> None:
    turn, seen = turn_of(noise=0.5), []
    turn.networks["D"] = lambda points: (seen.append(points), points[:, 0])[1]
    d_loss(turn)
    real, fake = seen
    assert float((real - 3.0).std()) == pytest.approx(0.5, rel=0.2)
    clean = 2 * Draws(0, 0, 0).randn("z", 64, 8)[:, :2]
    assert float((fake - clean).std()) == pytest.approx(0.5, rel=0.2)
