"""Evolution: the slope of the same look-ahead objective without a gradient, to check hypergradients by (S1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gannb.experiments.schedules.hypergradient import Hypergradient, Objective
from gannb.experiments.schedules.learned import Lesson
from gannb.random import generator
from gannb.training.trainer import Trainer


class Evolution(Hypergradient):
    """Teaches by pairs of disturbed controllers, each asked for its numbers and looked ahead with.

    Args:
        objective, weigh, unroll, batch: as `Hypergradient`.
        pairs: antithetic pairs (Salimans et al. 2017); the error falls with their root.
        spread: standard deviation of a disturbance of the weights.
    """

    def __init__(
        self, objective: Objective, weigh: Mapping[str, float], *, pairs: int = 8, spread: float = 0.02, **more: int
    ) -> None:
        super().__init__(objective, weigh, **more)
        self.pairs, self.spread = pairs, spread

    def check(self, trainer: Trainer) -> None:
        """It differentiates nothing but the steps themselves."""

    def __call__(self, lesson: Lesson) -> tuple[list[Tensor], dict[str, float]]:
        trainer = lesson.ahead.trainer
        random = generator("evolution", trainer.seed, trainer.step)
        slopes = [torch.zeros_like(weight) for weight in lesson.weights]
        for _ in range(self.pairs):
            ways = [torch.randn(w.shape, generator=random, dtype=w.dtype) for w in lesson.weights]
            sides = [self._disturbed(lesson, ways, sign) for sign in (1, -1)]
            for slope, way in zip(slopes, ways):
                slope += (sides[0] - sides[1]) / (2 * self.spread * self.pairs) * way
        with torch.no_grad():
            numbers = lesson.answer()
        return slopes, self.loss(lesson.ahead, numbers)[1]

    def _disturbed(self, lesson: Lesson, ways: list[Tensor], sign: int) -> float:
        before = [weight.detach().clone() for weight in lesson.weights]
        with torch.no_grad():
            for weight, way in zip(lesson.weights, ways):
                weight += sign * self.spread * way
            numbers = lesson.answer()
            for weight, was in zip(lesson.weights, before):
                weight.copy_(was)
        return self.loss(lesson.ahead, numbers)[1]["loss"]
