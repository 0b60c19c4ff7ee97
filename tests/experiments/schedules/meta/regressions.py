"""A problem whose best schedule is known: a linear model under input noise, which acts as ridge regression does.

With few samples some noise is best (an augmentation that must rise where data is scarce); with many, none is.
"""

from __future__ import annotations

import torch
from torch import nn

from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.schedules.drivers import drivers
from gannb.experiments.schedules.meta.control_space import Range, State
from gannb.experiments.schedules.meta.controller import MetaController
from gannb.experiments.schedules.meta.hypergradient import Hypergradient
from gannb.experiments.schedules.meta.schedule import LearnedSchedule
from gannb.random import generator, seeded
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from tests.training.regimes import number

WIDTH, EPOCH, EPOCHS = 16, 5, 40
STEPS = EPOCH * EPOCHS


class Problem:
    """y = w·x + noise; `count` samples to learn from, as many as needed to guide a controller."""

    def __init__(self, count: int, blur: float, seed: int) -> None:
        self.truth = torch.randn(WIDTH, generator=generator("truth", seed)) / WIDTH**0.5
        self.train, self.guide = self.samples(count, blur, "train", seed), self.samples(256, blur, "guide", seed)

    def samples(self, count: int, blur: float, *address: object) -> torch.Tensor:
        x = torch.randn(count, WIDTH, generator=generator("x", *address))
        y = x @ self.truth + blur * torch.randn(count, generator=generator("y", *address))
        return torch.cat([x, y[:, None]], dim=1)

    def risk(self, weight: torch.Tensor) -> float:
        """What the model costs on all samples there could be, above the least possible: ‖w − w*‖²."""
        return float((weight.detach().flatten() - self.truth).square().sum())

    def best_noise(self, grid: torch.Tensor) -> float:
        """The constant noise whose ridge solution, (XᵀX/n + noise²·1)⁻¹ Xᵀy/n, has the least risk."""
        x, y = self.train[:, :-1], self.train[:, -1]
        slope, answer = x.T @ x / len(x), x.T @ y / len(x)
        risks = [self.risk(torch.linalg.solve(slope + v**2 * torch.eye(WIDTH), answer)) for v in grid.tolist()]
        return float(grid[torch.tensor(risks).argmin()])


def loss(turn):
    x, y = turn.batch[:, :-1], turn.batch[:, -1:]
    return (turn.model(x + turn.now.noise * turn.draws.randn("noise", *x.shape)) - y).square().mean()


def build(
    run, problem, variant, span, method=Hypergradient, kind=MetaController, rate=0.01, epochs=EPOCHS, begin=None
) -> Trainer:
    """A trainer whose noise a variant moves within `span` = (initial, final); `begin` is an initial controller."""
    with seeded(run.params.seed, "model"):
        model = nn.Linear(WIDTH, 1, bias=False)
    ranges = [Range("noise", *span)]
    state = State(("loss", "progress", "values"), ranges, EPOCH * epochs)

    def held_out(ahead, weights, now):
        quiet = now.replace(noise=torch.zeros(()))
        return {"quality": ahead.loss("model", weights, quiet, problem.guide, "held out")}

    with seeded(run.params.seed, "controller"):
        controller = begin or kind(state.size, 1, start=[ranges[0].share(span[0])])
    estimator = method(held_out, {"quality": 1.0})
    learned = LearnedSchedule(
        controller, ranges, state, steps_per_move=EPOCH, estimator=estimator, moves_per_update=1, rate=rate, eps=1e-4
    )
    numbers = Numbers([number("noise", span[0], 0, 2), number("lr", 0.05, 1e-9, 1)])
    numbers.drive(*drivers(variant, ranges, epochs=epochs, steps_per_epoch=EPOCH, learned=learned))
    player = Player("model", model, loss, lr=lambda now: now.lr, betas=(0.9, 0.99))
    trainer = Trainer([player], Batches(problem.train, 20, seed=run.params.seed), numbers, run, checkpoint_every=7)
    learned.attach(trainer)
    return trainer
