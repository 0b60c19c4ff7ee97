"""The objective of a GAN's controller: its parts mean what they say, and the players stay untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.schedules.meta.hypergradient import Hypergradient, unrolled
from gannb.experiments.schedules.meta.lookahead import LookAhead
from gannb.experiments.schedules.meta.objective import ValidationObjective
from gannb.losses import adversarial, penalties
from gannb.networks import dcgan
from gannb.random import generator, seeded
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from tests.training.regimes import number, open_run


def latents(draws, n, now):
    return draws.randn("z", n, 8)


def build(run):
    """A DCGAN at 16 pixels with BatchNorm in G and spectral norm in D, noise and a penalty as numbers."""
    images = torch.rand(40, 1, 16, 16, generator=generator("images")) * 2 - 1
    with seeded("G"):
        G = dcgan.Generator(8, 8, 16)
    with seeded("D"):
        D = dcgan.Discriminator(8, 16, spectral=True)

    def noisy(turn, x, stream):
        return x + turn.now.noise * turn.draws.randn(stream, *x.shape)

    def fake(turn):
        return turn.G(turn.draws.randn("z", len(turn.batch), 8))

    def d_loss(turn):
        real, made = turn.D(noisy(turn, turn.batch, "a")), turn.D(noisy(turn, fake(turn), "b"))
        return adversarial.hinge_d(real, made) + turn.now.reg_weight * penalties.r1(turn.D, turn.batch)

    numbers = Numbers([number("noise", 0.5, 0, 1), number("reg_weight", 1.0, 0, 10), number("lr", 2e-4, 1e-9, 1)])
    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr),
        Player("G", G, lambda turn: -turn.D(noisy(turn, fake(turn), "b")).mean(), lr=lambda now: now.lr),
    ]
    return Trainer(players, Batches(images, 8, seed=0), numbers, run), images


def parts(trainer, guide, **more):
    ahead = LookAhead(trainer)
    return ValidationObjective(guide, latents, count=8, **more)(ahead, ahead.weights(), trainer.numbers.now())


def test_images_that_d_knows_are_told_from_held_out_ones(tmp_path):
    """D is replaced by the mean of an image: the gap is then the difference of the brightness."""
    trainer, _ = build(open_run(tmp_path))
    trainer.players["D"].module = nn.Sequential(nn.AvgPool2d(16), nn.Flatten(0))
    found = parts(trainer, torch.full((20, 1, 16, 16), -0.5))
    known = float(trainer.batches[0].mean())
    assert float(found["gap"]) == pytest.approx(known + 0.5, abs=1e-5)
    assert float(found["stability"]) == pytest.approx((known + 0.5) ** 2, abs=1e-5)


def test_quality_is_best_where_the_held_out_images_are_gs_own(tmp_path):
    trainer, images = build(open_run(tmp_path))
    own = trainer.players["G"].module(torch.randn(64, 8, generator=generator("z"))).detach()
    assert parts(trainer, own)["quality"] < 0.1 * parts(trainer, images)["quality"]


def test_its_slope_reaches_noise_and_penalty_and_touches_nothing(tmp_path):
    trainer, images = build(open_run(tmp_path))
    trainer.fit(steps=2)
    before = trainer.weights()
    ahead = LookAhead(trainer)
    given = {"noise": torch.tensor(0.5, requires_grad=True), "reg_weight": torch.tensor(1.0, requires_grad=True)}
    estimator = Hypergradient(
        ValidationObjective(images, latents, count=8), {"quality": 1.0, "stability": 0.1}, batch=4
    )
    loss, found = estimator.loss(ahead, given)
    slopes = ahead.gradients(loss, given.values())
    assert all(slope.isfinite() and slope != 0 for slope in slopes)
    assert set(found) == {"loss", "quality", "stability", "gap"}
    assert found["loss"] == pytest.approx(found["quality"] + 0.1 * found["stability"], rel=1e-5)
    assert trainer.weights() == before
    assert unrolled(ahead, trainer.numbers.now())["G"].keys() == ahead.weights()["G"].keys()


def test_the_same_images_are_looked_at_again(tmp_path):
    trainer, images = build(open_run(tmp_path))
    assert parts(trainer, images) == parts(trainer, images)
    with pytest.raises(ValueError, match="count=1; allowed is 2 or more"):
        ValidationObjective(images, latents, count=1)
