"""A training that takes seconds: points in the plane. For the tour, and for runs to compare."""

from __future__ import annotations

import torch
from torch import Tensor

from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.data.toys import Toy
from gannb.experiments.tour.losses import LATENT, d_loss, g_loss
from gannb.experiments.tour.params import Tour
from gannb.networks.toys import PointCritic, PointGenerator
from gannb.random import generator, seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer


def point_trainer(p: Tour, run: Run, toy: Toy) -> Trainer:
    """A trainer of a small G and D on points in the plane.

    Args:
        p: sizes, rates and seed.
        run: where it is recorded.
        toy: the points.
    """
    with seeded(p.seed, "G"):
        G = PointGenerator(width=p.width, depth=2).to(run.device)
    with seeded(p.seed, "D"):
        D = PointCritic(width=p.width, depth=2).to(run.device)
    return Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr_d, betas=(0.0, 0.99)),
            Player("G", G, g_loss, lr=lambda now: now.lr_g, betas=(0.0, 0.99), ema=0.99),
        ],
        Batches(toy.train, p.batch_size, seed=p.seed, device=run.device),
        Numbers.of(p),
        run,
        turns=lambda now, step: ["D"] * now.d_steps + ["G"] * now.g_steps,
        checkpoint_every=max(1, p.steps // 4),
    )


def fixed_latents(seed: int, count: int) -> Tensor:
    """The latents `[count, 8]` of every evaluation."""
    return torch.randn(count, LATENT, generator=generator(seed, "look"))
