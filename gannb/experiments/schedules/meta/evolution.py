"""Evolution strategies: the gradient of the look-ahead objective without differentiation, to check hypergradients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gannb.experiments.schedules.meta.hypergradient import Hypergradient, Objective
from gannb.experiments.schedules.meta.schedule import LearnedSchedule
from gannb.random import generator
from gannb.training.trainer import Trainer


class Evolution(Hypergradient):
    """An estimator: antithetic pairs of disturbed controllers, each with a look-ahead (Salimans et al. 2017).

    Args:
        objective, weighting, more: as `Hypergradient`.
        pairs: how many; the error falls with their root.
        spread: standard deviation of a disturbance of the weights.
    """

    def __init__(
        self, objective: Objective, weighting: Mapping[str, float], *, pairs: int = 8, spread: float = 0.02, **more: int
    ) -> None:
        super().__init__(objective, weighting, **more)
        self.pairs, self.spread = pairs, spread

    def check(self, trainer: Trainer) -> None:
        """Any players: nothing is differentiated but the steps themselves."""

    def __call__(self, learned: LearnedSchedule, state: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Estimates in the shapes of the weights at a state `[features]`, and the parts of the objective."""
        trainer = learned.ahead.trainer
        random = generator("evolution", trainer.seed, trainer.step)
        slopes = [torch.zeros_like(weight) for weight in learned.weights]
        for _ in range(self.pairs):
            ways = [torch.randn(w.shape, generator=random, dtype=w.dtype) for w in learned.weights]
            sides = [self._disturbed(learned, state, ways, sign) for sign in (1, -1)]
            for slope, way in zip(slopes, ways):
                slope += (sides[0] - sides[1]) / (2 * self.spread * self.pairs) * way
        with torch.no_grad():
            numbers = learned.answer(state)
        return slopes, self.loss(learned.ahead, numbers)[1]

    def _disturbed(self, learned: LearnedSchedule, state: Tensor, ways: list[Tensor], sign: int) -> float:
        before = [weight.detach().clone() for weight in learned.weights]
        with torch.no_grad():
            for weight, way in zip(learned.weights, ways):
                weight += sign * self.spread * way
            numbers = learned.answer(state)
            for weight, was in zip(learned.weights, before):
                weight.copy_(was)
        return self.loss(learned.ahead, numbers)[1]["loss"]
