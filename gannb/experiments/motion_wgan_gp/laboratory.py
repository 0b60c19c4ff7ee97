"""One training on a toy, put together: networks, numbers, players."""

from __future__ import annotations

from torch import nn

from gannb.control.numbers import Numbers
from gannb.control.schedules import annealed
from gannb.data.batches import Batches
from gannb.data.toys import Toy
from gannb.experiments.motion_wgan_gp.losses import ToyLosses
from gannb.experiments.motion_wgan_gp.params import Laboratory
from gannb.experiments.motion_wgan_gp.penalties import critic_options
from gannb.networks.toys import PointCritic, PointGenerator, SequenceCritic, SequenceGenerator
from gannb.random import seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer


def networks(p: Laboratory, toy: Toy) -> tuple[nn.Module, nn.Module]:
    """Generator and critic of a toy: perceptrons for points, convolutions and patch scores for sequences.

    A defect of the critic is planted here, one of the penalty in the loss.
    """
    points, features = toy.train.ndim == 2, toy.train.shape[-1]
    spread, options = float(toy.train.std()), {"width": p.width, **critic_options(p.defect)}
    with seeded(p.seed, "G"):
        size = p.latent_dim, p.width
        G = PointGenerator(*size, spread=spread) if points else SequenceGenerator(features, *size)
    with seeded(p.seed, "D"):
        D = PointCritic(spread=spread, **options) if points else SequenceCritic(features, patches=True, **options)
    return G, D


def bench(run: Run, toy: Toy) -> Trainer:
    """A trainer of a `Laboratory` run on its toy: a step is a turn of the critic, and G plays at every n-th."""
    p: Laboratory = run.params
    losses = ToyLosses(p.loss, p.defect)
    G, D = (network.to(run.device) for network in networks(p, toy))
    numbers = Numbers.of(p)
    if p.lr_falls:  # in a hundred moves
        numbers.drive(annealed("lr_scale", 1.0, 0.01, "linear", epochs=100, steps_per_epoch=max(1, p.steps // 100)))
    adam = {"betas": (p.beta1, p.beta2)}
    return Trainer(
        [
            Player("D", D, losses.d_loss, lr=lambda now: now.lr_d * now.lr_scale, **adam),
            Player("G", G, losses.g_loss, lr=lambda now: now.lr_g * now.lr_scale, ema=p.ema, **adam),
        ],
        Batches(toy.train, p.batch_size, seed=p.seed, device=run.device),
        numbers,
        run,
        turns=lambda now, step: ["D"] + ["G"] * ((step + 1) % now.n_critic == 0),
        precision="bf16" if p.defect == "autocast" else "fp32",  # there is nothing to lose in full precision
        checkpoint_every=0,
        record_every=100,
    )
