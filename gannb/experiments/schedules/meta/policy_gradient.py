"""Policy gradient: exploratory moves, and a reward for the training that followed (schedules, plan B)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from gannb.experiments.schedules.meta.hypergradient import Objective, weighted
from gannb.experiments.schedules.meta.schedule import GradientEstimator, LearnedSchedule

REWARDED = "quality"
"""The part of the objective whose decrease is rewarded."""
MOMENTUM = 0.1
"""The share of the newest reward in the baseline."""


class PolicyGradient(GradientEstimator):
    """REINFORCE (Williams 1992), with the mean reward as the baseline.

    A move is normal around the controller's logits. Reward = decrease of the validation distance since the last update
    − the weighted other parts of the objective (instability) at present; the advantage is in units of the spread of
    rewards so far, so that no scale has to be known. There is no look-ahead, and only the controller is differentiated:
    an update costs one evaluation of the objective, and its estimate is noisy.

    Args:
        objective: its parts, from the players as they are.
        weighting: the weight of each part.
        width: standard deviation of the exploration, in logits.

    Raises:
        ValueError: no weight for the rewarded part, or a width that is not positive.
    """

    kept = ("last", "baseline")

    def __init__(self, objective: Objective, weighting: Mapping[str, float], *, width: float = 0.5) -> None:
        if not weighting.get(REWARDED) or width <= 0:
            raise ValueError(f"weighting={dict(weighting)}, width={width}; allowed: some {REWARDED}, > 0")
        self.objective, self.weighting, self.width = objective, dict(weighting), width
        self.last: dict[str, float] = {}
        self.baseline: list[float] = []  # mean and variance of the rewards

    def __call__(self, learned: LearnedSchedule, state: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Estimates in the shapes of the weights at a state `[features]`, and the parts of the objective."""
        ahead = learned.ahead
        now = ahead.trainer.numbers.now(ahead.trainer.device)
        with torch.no_grad():
            found = weighted(self.objective(ahead, ahead.weights(), now), self.weighting)[1]
        advantage, explored = self._advantage(found), [e for e in learned.explorations if e.noise.any()]
        if not explored or advantage == 0.0:
            return [torch.zeros_like(weight) for weight in learned.weights], found
        logits = [learned.controller(e.state, e.memory)[0] for e in explored]
        log_probability = torch.stack([(e.noise * x).sum() for e, x in zip(explored, logits)]).mean() / self.width
        slopes = torch.autograd.grad(-advantage * log_probability, learned.weights)
        return list(slopes), found | {"advantage": advantage}

    def _advantage(self, found: Mapping[str, float]) -> float:
        """The reward since the last update over its baseline, in spreads within ±3; 0 without one."""
        before, self.last = self.last, dict(found)
        if not before or not all(map(math.isfinite, (*before.values(), *found.values()))):
            return 0.0
        cost = sum(weight * found[part] for part, weight in self.weighting.items() if part != REWARDED)
        reward = self.weighting[REWARDED] * (before[REWARDED] - found[REWARDED]) - cost
        if not self.baseline:
            self.baseline = [reward, 0.0]
            return 0.0
        mean, square = self.baseline
        off = reward - mean
        square = (1 - MOMENTUM) * (square + MOMENTUM * off * off)
        self.baseline = [mean + MOMENTUM * off, square]
        return min(max(off / (math.sqrt(square) + 1e-12), -3.0), 3.0)
