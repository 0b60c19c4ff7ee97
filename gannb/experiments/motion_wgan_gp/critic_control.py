"""How often a WGAN's critic plays, how long clips are, and when to stop: drivers and alarms.

A critic should be near its optimum, not held back (W11): it gets more turns while it still gains, fewer when it
follows. Pure Python. Contradictions W2, W8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from gannb.control.alarms import Lasting, Stalled
from gannb.control.schedules import Schedule
from gannb.control.stateful import Stateful


@dataclass
class CriticTurns(Stateful):
    """A driver: moves `n_critic`, the critic's turns to one of G.

    While the estimate "D/W", E[D(real)] - E[D(fake)] (W6), rises, the critic still gains on G, so it gets a turn more;
    while it falls, G is followed, and it gets a turn less. Rising is: the fast moving average stands above the slow one
    by more than `margin` of it.

    Args:
        least, most: bounds of the turns.
        check_every: steps between moves.
        margin: what counts as standing still, as a share of the slow average.

    Raises:
        ValueError: bounds that do not hold 1 <= least <= most, or no steps between moves.
    """

    kept: ClassVar[tuple[str, ...]] = ("fast", "slow")

    least: int = 2
    most: int = 10
    check_every: int = 50
    margin: float = 0.02
    fast: float | None = None
    slow: float | None = None
    names: tuple[str, ...] = ("n_critic",)
    label: str = "critic turns"

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"critic turns: least {self.least}, most {self.most}; allowed is 1 <= least <= most")
        if self.check_every < 1:
            raise ValueError(f"critic turns: checked every {self.check_every} steps; at least 1 is needed")

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The turns from this step on; nothing between checks, and before anything was seen."""
        if "D/W" in seen:
            self.fast = _towards(self.fast, seen["D/W"], 0.1)
            self.slow = _towards(self.slow, seen["D/W"], 0.02)
        if step % self.check_every or self.fast is None or self.slow is None:
            return {}
        change = self.fast - self.slow
        if abs(change) <= self.margin * abs(self.slow):
            return {}
        turns = int(values["n_critic"]) + (1 if change > 0 else -1)
        return {"n_critic": min(self.most, max(self.least, turns))}


def growing(name: str, lengths: Sequence[int], *, epochs_each: int, steps_per_epoch: int) -> Schedule:
    """Lengthen clips at epoch boundaries: each length for so many epochs, the last one from then on.

    Args:
        name: the number, frames per clip.
        lengths: frames, ascending: (16, 32, 64); a network's shortest clip is the least that is allowed.
        epochs_each: how long each length but the last lasts.
        steps_per_epoch: batches per epoch.

    Raises:
        ValueError: lengths that do not ascend, or a duration below 1.
    """
    lengths = tuple(lengths)
    if not lengths or lengths[0] < 1 or any(b <= a for a, b in pairwise(lengths)):
        raise ValueError(f"lengths of {name!r}: given {lengths}; allowed: ascending, from 1 frame on")
    if epochs_each < 1 or steps_per_epoch < 1:
        raise ValueError(
            f"{name!r} grows every {epochs_each} epochs of {steps_per_epoch} steps; at least 1 of each is needed"
        )

    def value_at(step: int) -> int:
        return lengths[min(step // (epochs_each * steps_per_epoch), len(lengths) - 1)]

    return Schedule(name, value_at, label="growing")


class HeldOutStalled(Stalled):
    """Early stopping: rings when "W_held_out", the estimate on held-out data, has not fallen any more (W8).

    The estimate rises while the critic learns and falls as G follows (W6), so what comes before step `after` counts
    for nothing: the first values, before the critic knew anything, would be the lowest of all.

    Args:
        after: the step from which on it counts.
        patience, scores: steps and values without a new lowest one.
        action: "stop" by default; see `gannb.control.alarms`.
    """

    def __init__(self, *, after: int, patience: int, scores: int = 4, action: str = "stop") -> None:
        super().__init__("W_held_out", patience=patience, scores=scores, action=action)
        self.after = after

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """As `Stalled`, from step `after` on."""
        return super().__call__(step, seen) if step >= self.after else None


def critic_overfits(share: float = 0.5, *, patience: int = 3) -> Lasting:
    """Rings when the held-out estimate is below a share of the training one (Gulrajani et al. 2017, on overfitting).

    Args:
        share: the least ratio of "W_held_out" to "W_train".
        patience: evaluations in a row.
    """

    def wide(seen: Mapping[str, float]) -> bool:
        return seen["W_held_out"] < share * seen["W_train"] and seen["W_train"] > 0

    message = f"the critic tells training data from held-out: W_held_out is below {share:g} of W_train"
    return Lasting("critic overfits", wide, message, patience=patience)


def _towards(average: float | None, value: float, rate: float) -> float:
    return value if average is None else average + rate * (value - average)
