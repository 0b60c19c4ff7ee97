"""Policy gradient: moves that are tried, and a reward for what training came to with them (schedules, plan B)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gannb.experiments.schedules.hypergradient import Objective, weighed
from gannb.experiments.schedules.learned import Lesson
from gannb.training.trainer import Trainer


class PolicyGradient:
    """Teaches by REINFORCE (Williams 1992): tried moves become likelier where their reward was above the usual.

    A move is normal around the controller's logits. Reward = fall of the held-out distance since the last lesson −
    the weighted other parts of the objective (instability) as they are now; its advantage is in units of the spread
    of rewards so far, so that no scale has to be known. Nothing is looked ahead and nothing differentiated but the
    controller: a lesson costs one look at the objective, and its evidence is noisy.

    Args:
        objective: parts of what is wanted small, from the players as they are.
        weigh: the weight of each part.
        falls: the part whose fall is rewarded.
        width: standard deviation of a try, in logits.
        forget: how fast the usual reward follows, in (0, 1].

    Raises:
        ValueError: no weight for the part that should fall, or a width or pace that is not positive.
    """

    def __init__(
        self,
        objective: Objective,
        weigh: Mapping[str, float],
        *,
        falls: str = "quality",
        width: float = 0.5,
        forget: float = 0.1,
    ) -> None:
        if not weigh.get(falls) or width <= 0 or not 0 < forget <= 1:
            raise ValueError(f"weigh={dict(weigh)}, width={width}, forget={forget}; allowed: some {falls}, > 0, (0, 1]")
        self.objective, self.weigh, self.falls, self.width, self.forget = objective, dict(weigh), falls, width, forget
        self.before: dict[str, float] = {}
        self.usual: list[float] = []

    def check(self, trainer: Trainer) -> None:
        """It looks at any players as they are."""

    def __call__(self, lesson: Lesson) -> tuple[list[Tensor], dict[str, float]]:
        found = self._look(lesson)
        advantage, tried = self._advantage(found), [t for t in lesson.tries if t.off.any()]
        if not tried or advantage == 0.0:
            return [torch.zeros_like(weight) for weight in lesson.weights], found
        likelier = torch.stack([(t.off * lesson.logits(t)).sum() for t in tried]).mean() / self.width
        slopes = torch.autograd.grad(-advantage * likelier, lesson.weights)
        return list(slopes), found | {"advantage": advantage}

    @torch.no_grad()
    def _look(self, lesson: Lesson) -> dict[str, float]:
        """The objective for the players as they stand."""
        ahead, now = lesson.ahead, lesson.ahead.trainer.numbers.now(lesson.ahead.trainer.device)
        return weighed(self.objective(ahead, ahead.weights(), now), self.weigh)[1]

    def _advantage(self, found: Mapping[str, float]) -> float:
        """How much better than usual the reward since the last lesson was, in spreads within ±3; 0 without one."""
        before, self.before = self.before, dict(found)
        if not before or not all(map(math.isfinite, (*before.values(), *found.values()))):
            return 0.0
        cost = sum(weight * found[part] for part, weight in self.weigh.items() if part != self.falls)
        reward = self.weigh[self.falls] * (before[self.falls] - found[self.falls]) - cost
        if not self.usual:
            self.usual = [reward, 0.0]
            return 0.0
        mean, square = self.usual
        off = reward - mean
        square = (1 - self.forget) * (square + self.forget * off * off)
        self.usual = [mean + self.forget * off, square]
        return min(max(off / (math.sqrt(square) + 1e-12), -3.0), 3.0)

    def state_dict(self) -> dict[str, Any]:
        """What was found last, and mean and variance of the rewards."""
        return {"before": self.before, "usual": self.usual}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.before, self.usual = dict(state["before"]), list(state["usual"])
