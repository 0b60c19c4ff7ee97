"""The action and the observation of a controller: ranges of numbers, and the state of training as a few features.

Pure Python, so that a recorded trace is enough to look at either (schedules §3.1; claims S7, S9).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gannb.control.stateful import Stateful

LOGGED_AS = {
    "loss": "model/loss", "loss_d": "D/loss", "loss_g": "G/loss", "grad_norm_d": "D/grad_norm",
    "grad_norm_g": "G/grad_norm", "real": "D/real", "fake": "D/fake", "gap": "meta/gap",
}  # fmt: skip
"""Feature → the name under which it is logged."""
FEATURES = (*LOGGED_AS, "progress", "values")
LARGEST = 3.4028e38
"""Of single precision, in which losses are computed: anything beyond was not finite."""
DOCUMENT_FEATURES = ("loss_d", "loss_g", "grad_norm_d", "grad_norm_g", "progress")
"""The document's `loss_g, loss_d, grad_norm, epoch_progress`, with both gradient norms (S7)."""


@dataclass(frozen=True)
class Range:
    """The range of a number: from the start to the end of its annealed schedule, the same in all variants (S9).

    Attributes:
        name: the number.
        initial, final: the ends; either may be the larger one.
    """

    name: str
    initial: float
    final: float

    @property
    def low(self) -> float:
        """The lower end."""
        return min(self.initial, self.final)

    @property
    def high(self) -> float:
        """The upper end."""
        return max(self.initial, self.final)

    @property
    def log(self) -> bool:
        """Whether shares of it are shares of its logarithm: where it spans a decade or more."""
        return self.low > 0 and self.high >= 10 * self.low

    def at(self, share: Any) -> Any:
        """The value at a share in [0, 1] of the way from `low` to `high`: a float, or 0-d with its gradient."""
        if self.log:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share

    def share(self, value: float) -> float:
        """The inverse of `at`; 0.5 where the range is a point."""
        if self.high == self.low:
            return 0.5
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def clip(self, value: float) -> float:
        """The nearest value within."""
        return min(max(value, self.low), self.high)


class State(Stateful):
    """The observation of a controller: means since the last observation, each in units of its own spread so far.

    A feature is 0 at its running mean and stays within ±3. A feature that was not logged (a player that did not play,
    a loss that is not finite) is 0.

    Args:
        features: names among `FEATURES`; "progress" is the share of `steps` done, in [-1, 1]; "values" are the shares
            of the ranges at which the numbers are, in [-1, 1].
        ranges: of the numbers that are moved.
        steps: the length of the run.

    Raises:
        ValueError: an unknown feature, or none.
    """

    kept = ("sums", "spread")

    def __init__(self, features: Sequence[str], ranges: Sequence[Range], steps: int) -> None:
        unknown = [name for name in features if name not in FEATURES]
        if unknown or not features:
            raise ValueError(f"state features {list(features)}; allowed are one or more of {', '.join(FEATURES)}")
        self.features, self.ranges, self.steps = tuple(features), tuple(ranges), max(1, steps)
        self.sums: dict[str, list[float]] = {}
        self.spread: dict[str, list[float]] = {}

    @property
    def size(self) -> int:
        """The length of an observation."""
        return len(self.features) + ("values" in self.features) * (len(self.ranges) - 1)

    @property
    def pending(self) -> bool:
        """Whether anything was logged since the last observation; without it there is nothing to move by (S7)."""
        return bool(self.sums)

    def log(self, seen: Mapping[str, float]) -> None:
        """Take in what one step logged."""
        for name in self.features:
            value = seen.get(LOGGED_AS.get(name, ""), math.nan)
            if abs(value) <= LARGEST:  # false for NaN
                total, count = self.sums.get(name, [0.0, 0])
                self.sums = self.sums | {name: [total + value, count + 1]}

    def observe(self, step: int, values: Mapping[str, float]) -> list[float]:
        """The observation at a step; the means begin anew."""
        found: list[float] = []
        for name in self.features:
            if name == "progress":
                found.append(2 * min(1.0, step / self.steps) - 1)
            elif name == "values":
                found += [2 * r.share(r.clip(values[r.name])) - 1 for r in self.ranges]
            else:
                found.append(self._standardised(name))
        self.sums = {}
        return found

    def _standardised(self, name: str) -> float:
        """A feature in units of its spread (Welford's running mean and variance)."""
        if name not in self.sums:
            return 0.0
        total, seen = self.sums[name]
        value = total / seen
        count, mean, squares = self.spread.get(name, [0, 0.0, 0.0])
        count += 1
        moved = mean + (value - mean) / count
        squares += (value - mean) * (value - moved)
        self.spread = self.spread | {name: [count, moved, squares]}
        deviation = math.sqrt(squares / count) + 1e-3 * abs(moved) + 1e-8  # a constant feature stays at 0
        return min(max((value - moved) / deviation, -3.0), 3.0)
