"""One score over training: its best, its last, and when it reached a target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OverTime:
    """One score over training.

    Args:
        steps: when it was taken.
        values: what it was; lower is better.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def best(self) -> tuple[int, float]:
        """Step and value of the lowest."""
        index = int(np.argmin(self.values))
        return self.steps[index], self.values[index]

    @property
    def last(self) -> tuple[int, float]:
        """Step and value at the end."""
        return self.steps[-1], self.values[-1]

    @property
    def last_over_best(self) -> float:
        """1 where the end is the best, above 1.5 where much was lost again; NaN where the best is not positive."""
        best = self.best[1]
        return self.last[1] / best if best > 0 else math.nan

    def reached(self, target: float) -> int | None:
        """The first step at which the score was at or below `target`, None if never."""
        return next((step for step, value in zip(self.steps, self.values) if value <= target), None)
