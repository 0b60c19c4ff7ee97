"""Policy gradient: exploratory moves, and a reward for the training that followed (schedules, plan B)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gannb.experiments.schedules.meta.hypergradient import Objective, weighted
from gannb.experiments.schedules.meta.schedule import UpdateContext
from gannb.training.trainer import Trainer


class PolicyGradient:
    """An estimator: REINFORCE (Williams 1992), with the mean reward as the baseline.

    A move is normal around the controller's logits. Reward = decrease of the validation distance since the last update
    − the weighted other parts of the objective (instability) at present; the advantage is in units of the spread of
    rewards so far, so that no scale has to be known. There is no look-ahead, and only the controller is differentiated:
    an update costs one evaluation of the objective, and its estimate is noisy.

    Args:
        objective: its parts, from the players as they are.
        weighting: the weight of each part.
        rewarded: the part whose decrease is rewarded.
        width: standard deviation of the exploration, in logits.
        momentum: share of the newest reward in the baseline, in (0, 1].

    Raises:
        ValueError: no weight for the rewarded part, or a width or momentum that is not positive.
    """

    def __init__(
        self,
        objective: Objective,
        weighting: Mapping[str, float],
        *,
        rewarded: str = "quality",
        width: float = 0.5,
        momentum: float = 0.1,
    ) -> None:
        if not weighting.get(rewarded) or width <= 0 or not 0 < momentum <= 1:
            raise ValueError(
                f"weighting={dict(weighting)}, width={width}, momentum={momentum}; "
                f"allowed: some {rewarded}, > 0, (0, 1]"
            )
        self.objective, self.weighting, self.rewarded = objective, dict(weighting), rewarded
        self.width, self.momentum = width, momentum
        self.last: dict[str, float] = {}
        self.baseline: list[float] = []

    def check(self, trainer: Trainer) -> None:
        """Any players."""

    def __call__(self, context: UpdateContext) -> tuple[list[Tensor], dict[str, float]]:
        """Estimates in the shapes of the weights, and the parts of the objective."""
        found = self._evaluate(context)
        advantage, explored = self._advantage(found), [e for e in context.explorations if e.noise.any()]
        if not explored or advantage == 0.0:
            return [torch.zeros_like(weight) for weight in context.weights], found
        log_probability = torch.stack([(e.noise * context.logits(e)).sum() for e in explored]).mean() / self.width
        slopes = torch.autograd.grad(-advantage * log_probability, context.weights)
        return list(slopes), found | {"advantage": advantage}

    @torch.no_grad()
    def _evaluate(self, context: UpdateContext) -> dict[str, float]:
        """The objective for the players as they are."""
        ahead, now = context.ahead, context.ahead.trainer.numbers.now(context.ahead.trainer.device)
        return weighted(self.objective(ahead, ahead.weights(), now), self.weighting)[1]

    def _advantage(self, found: Mapping[str, float]) -> float:
        """The reward since the last update over its baseline, in spreads within ±3; 0 without one."""
        before, self.last = self.last, dict(found)
        if not before or not all(map(math.isfinite, (*before.values(), *found.values()))):
            return 0.0
        cost = sum(weight * found[part] for part, weight in self.weighting.items() if part != self.rewarded)
        reward = self.weighting[self.rewarded] * (before[self.rewarded] - found[self.rewarded]) - cost
        if not self.baseline:
            self.baseline = [reward, 0.0]
            return 0.0
        mean, square = self.baseline
        off = reward - mean
        square = (1 - self.momentum) * (square + self.momentum * off * off)
        self.baseline = [mean + self.momentum * off, square]
        return min(max(off / (math.sqrt(square) + 1e-12), -3.0), 3.0)

    def state_dict(self) -> dict[str, Any]:
        """The last parts of the objective, and mean and variance of the rewards."""
        return {"last": self.last, "baseline": self.baseline}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.last, self.baseline = dict(state["last"]), list(state["baseline"])
