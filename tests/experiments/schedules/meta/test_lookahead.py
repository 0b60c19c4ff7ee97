"""A look-ahead: the step that the trainer would take, differentiable, and the players untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.schedules.meta.lookahead import LookAhead
from gannb.losses.adversarial import bce
from gannb.random import seeded
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from tests.training.regimes import POINTS, number, open_run


def build(run, **more):
    """Float64, smooth activations, spectral norm and BatchNorm; noise on what D sees is a number."""
    with seeded(2, "networks"):
        G = nn.Sequential(nn.Linear(4, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 2)).double()
        D = nn.Sequential(
            spectral_norm(nn.Linear(2, 12)), nn.Softplus(), spectral_norm(nn.Linear(12, 1)), nn.Flatten(0)
        )
    D = D.double()

    def noisy(turn, points, stream):
        return points + turn.now.noise * turn.draws.randn(stream, *points.shape).double()

    def fake(turn):
        return noisy(turn, turn.G(turn.draws.randn("z", len(turn.batch), 4).double()), "b")

    def d_loss(turn):
        return bce(turn.D(noisy(turn, turn.batch, "a")), 0.9) + bce(turn.D(fake(turn)), 0.0)

    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr, **more),
        Player("G", G, lambda turn: bce(turn.D(fake(turn)), 1.0), lr=lambda now: now.lr, **more),
    ]
    numbers = Numbers([number("noise", 0.3, 0, 1), number("lr", 1e-2, 0, 1)])
    return Trainer(players, Batches(POINTS.double(), 16, seed=0), numbers, run)


def exact(value):
    return torch.tensor(value, dtype=torch.float64)


def held_out(ahead, noise, lr):
    """D's loss on held-out points after a step of D and one of G with these numbers."""
    trainer = ahead.trainer
    now = trainer.numbers.now().replace(noise=noise, lr=lr)
    batch = trainer.batches[trainer.step]
    weights = ahead.step("D", ahead.weights(), now, batch, "look D")
    weights = ahead.step("G", weights, now, batch, "look G")
    plain = now.replace(noise=torch.zeros((), dtype=torch.float64))
    return ahead.loss("D", weights, plain, POINTS[:32].double(), "held out")


def test_the_hypergradient_is_that_of_finite_differences(tmp_path):
    """In float64, smooth activations, spectral norm in eval: to 1e-6."""
    trainer = build(open_run(tmp_path))
    trainer.fit(steps=5)
    trainer.players["D"].module.eval()
    ahead, h = LookAhead(trainer), 1e-6
    point = {"noise": 0.3, "lr": 1e-2}
    given = {k: exact(v).requires_grad_() for k, v in point.items()}
    slopes = dict(zip(given, ahead.gradients(held_out(ahead, **given), given.values())))
    for name in point:
        sides = [
            held_out(ahead, **{k: exact(v + d) if k == name else exact(v) for k, v in point.items()}).detach()
            for d in (h, -h)
        ]
        assert float(slopes[name]) == pytest.approx(float(sides[0] - sides[1]) / (2 * h), rel=1e-6)
        assert abs(float(slopes[name])) > 1e-4, "a slope of zero would show nothing"


@pytest.mark.parametrize("more", [{}, {"clip_norm": 0.05}, {"weight_decay": 0.1, "betas": (0.5, 0.9)}])
def test_it_is_the_step_that_the_trainer_takes(more, tmp_path):
    trainer = build(open_run(tmp_path), **more)
    trainer.fit(steps=3)
    ahead, now = LookAhead(trainer), trainer.numbers.now()
    lr = exact(trainer.numbers["lr"].value)  # the player's own, not its fp32 copy
    foreseen = ahead.step("D", ahead.weights(), now.replace(lr=lr), trainer.batches[trainer.step], 0)["D"]
    trainer.turns = lambda now, step: ["D"]
    trainer.fit(steps=4)
    for name, parameter in trainer.players["D"].module.named_parameters():
        torch.testing.assert_close(foreseen[name], parameter, rtol=0, atol=5e-6)  # ε inside the root, and outside


def test_the_players_stay_untouched(tmp_path):
    trainer = build(open_run(tmp_path))
    trainer.fit(steps=3)
    before, draws = trainer.weights(), torch.get_rng_state()
    noise = exact(0.2).requires_grad_()
    ahead = LookAhead(trainer)
    ahead.gradients(held_out(ahead, noise, exact(1e-2)), [noise])
    assert trainer.weights() == before
    assert torch.equal(torch.get_rng_state(), draws)
    assert all(p.requires_grad for player in trainer.players.values() for p in player.parameters)
