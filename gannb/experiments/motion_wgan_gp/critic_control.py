"""How often a WGAN's critic plays, how long clips are, and when to stop: drivers and alarms.

A critic should be near its optimum, not held back (W11): it gets more turns while it still gains, fewer when it
follows. Pure Python. Contradictions W2, W8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gannb.control.alarms import Lasting, Stalled
from gannb.control.schedules import Schedule


@dataclass
class CriticTurns:
    """A driver: moves `n_critic`, the critic's turns to one of G.

    While the estimate rises the critic still gains on G, so it gets a turn more; while it falls, G is followed, and it
    gets a turn less. Rising is: the fast moving average stands above the slow one by more than `margin` of it.
    Where the first steps are to be the critic's, as in Arjovsky et al. 2017 (100 turns to one of G at first), `first`
    holds for `warm_up` steps.

    Args:
        least, most: bounds of the turns.
        first, warm_up: turns, and for how many steps they hold.
        check_every: steps between moves.
        margin: what counts as standing still, as a share of the slow average.
        key: the logged estimate, E[D(real)] - E[D(fake)] (W6).
        name: the number.

    Raises:
        ValueError: bounds that do not hold 1 <= least <= most, or no steps between moves.
    """

    least: int = 2
    most: int = 10
    first: int = 25
    warm_up: int = 0
    check_every: int = 50
    margin: float = 0.02
    key: str = "D/W"
    name: str = "n_critic"
    fast: float | None = None
    slow: float | None = None
    label: str = "critic turns"

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"critic turns: least {self.least}, most {self.most}; allowed is 1 <= least <= most")
        if self.check_every < 1:
            raise ValueError(f"critic turns: checked every {self.check_every} steps; at least 1 is needed")
        self.names = (self.name,)

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The turns from this step on; nothing between checks, and before anything was seen."""
        if self.key in seen:
            self.fast = _towards(self.fast, seen[self.key], 0.1)
            self.slow = _towards(self.slow, seen[self.key], 0.02)
        if step < self.warm_up:
            return {self.name: self.first}
        if step == self.warm_up and self.warm_up:
            return {self.name: self.most}
        if step % self.check_every or self.fast is None or self.slow is None:
            return {}
        change = self.fast - self.slow
        if abs(change) <= self.margin * abs(self.slow):
            return {}
        turns = int(values[self.name]) + (1 if change > 0 else -1)
        return {self.name: min(self.most, max(self.least, turns))}

    def state_dict(self) -> dict[str, Any]:
        """The two averages."""
        return {"fast": self.fast, "slow": self.slow}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.fast, self.slow = state["fast"], state["slow"]


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
    """Early stopping: rings when the estimate on held-out data has not fallen any more (W8).

    The estimate rises while the critic learns and falls as G follows (W6), so what comes before step `after` counts
    for nothing: the first values, before the critic knew anything, would be the lowest of all.

    Args:
        after: the step from which on it counts.
        patience, scores: steps and values without a new lowest one.
        key: the recorded estimate on held-out data, without the penalty.
        action: "stop" by default; see `gannb.control.alarms`.
    """

    def __init__(
        self, *, after: int, patience: int, scores: int = 4, key: str = "W_held_out", action: str = "stop"
    ) -> None:
        super().__init__(key, patience=patience, scores=scores, action=action)
        self.after = after

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """As `Stalled`, from step `after` on."""
        return super().__call__(step, seen) if step >= self.after else None


def critic_overfits(
    share: float = 0.5, *, patience: int = 3, train: str = "W_train", held_out: str = "W_held_out", action: str = "note"
) -> Lasting:
    """Rings when the held-out estimate is below a share of the training one (Gulrajani et al. 2017, on overfitting).

    Args:
        share: the least ratio.
        patience: evaluations in a row.
        train: the recorded estimate on training data.
        held_out: that on held-out data.
        action: see `gannb.control.alarms`.
    """

    def wide(seen: Mapping[str, float]) -> bool | None:
        if train not in seen or held_out not in seen:
            return None
        return seen[train] > 0 and seen[held_out] < share * seen[train]

    message = f"the critic tells training data from held-out: {held_out} is below {share:g} of {train}"
    return Lasting("critic overfits", wide, message, patience=patience, action=action)


def _towards(average: float | None, value: float, rate: float) -> float:
    return value if average is None else average + rate * (value - average)
