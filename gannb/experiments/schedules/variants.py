"""The arms of the comparison: different ways to move the same numbers within the same ranges (schedules §4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gannb.control.adaptive_augmentation import Overfitting
from gannb.control.numbers import Driver
from gannb.control.schedules import SHAPES, annealed
from gannb.experiments.schedules.control_space import Range

ARMS = ("fixed", *SHAPES, "document", "adaptive", "learned")


class SignHeuristic:
    """The strong hand-made rival: more of everything while D knows its images by heart, less while it does not.

    ADA's rule (Karras et al. 2020, section 3) for several numbers at once: they stand at one share of their ranges,
    which moves up where the mean sign of D on real images lies above `target`, and down where below.

    Args:
        ranges: where the numbers may go; high ends are strong regularisation.
        watch: what D's loss logged as its mean sign on real images.
        target: the mean sign to steer to.
        every: steps between moves.
        steps: steps from one end of the ranges to the other.

    Raises:
        ValueError: an interval or a way that is not positive.
    """

    reads = True
    label = "adaptive"

    def __init__(
        self, ranges: Sequence[Range], *, watch: str = "D/sign_real", target: float = 0.6, every: int = 4, steps: int
    ) -> None:
        if every < 1 or steps < 1:
            raise ValueError(f"every={every}, steps={steps}; each must be at least 1")
        self.ranges, self.names = tuple(ranges), tuple(r.name for r in ranges)
        self.overfitting, self.stride = Overfitting(watch, target, every), every / steps
        self.shares = [r.share(r.initial) for r in ranges]

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        way = self.overfitting.way(step, seen)
        if way is None:
            return {}
        self.shares = [min(max(share + way * self.stride, 0.0), 1.0) for share in self.shares]
        return {r.name: r.clip(r.at(share)) for r, share in zip(self.ranges, self.shares)}

    def state_dict(self) -> dict[str, Any]:
        return {"shares": self.shares, **self.overfitting.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.shares = [float(share) for share in state["shares"]]
        self.overfitting.load_state_dict(state)


def drivers(
    arm: str,
    ranges: Sequence[Range],
    *,
    epochs: int,
    steps_per_epoch: int,
    rate: float = 1.0,
    shapes: Mapping[str, str] | None = None,
    learned: Driver | None = None,
) -> list[Driver]:
    """What moves the numbers in an arm; nothing in "fixed", where they stay at their initial values.

    Args:
        arm: one of `ARMS`. The shapes anneal every number alike; "document" gives each its own of `shapes`.
        ranges: the numbers with their initial and final values.
        epochs, steps_per_epoch: the run's length.
        rate: the exponent of "power".
        shapes: for "document", a shape by number.
        learned: for "learned", the controller that moves them.

    Raises:
        ValueError: an unknown arm, or one without what it needs.
    """
    if arm not in ARMS:
        raise ValueError(f"arm {arm!r} is not known; allowed: {', '.join(ARMS)}")
    if arm == "fixed":
        return []
    if arm == "adaptive":
        return [SignHeuristic(ranges, steps=max(1, epochs * steps_per_epoch // 2))]
    names = {r.name for r in ranges}
    if arm == "learned":
        if learned is None or set(learned.names) != names:
            had = "none" if learned is None else f"one of {', '.join(learned.names)}"
            raise ValueError(f"the learned arm needs a controller of {', '.join(sorted(names))}; given: {had}")
        return [learned]
    each = dict.fromkeys(names, arm) if arm in SHAPES else dict(shapes or {})
    if each.keys() != names:
        raise ValueError(f"arm {arm!r} needs a shape for each of {sorted(names)}; given for {sorted(each)}")
    length = {"epochs": epochs, "steps_per_epoch": steps_per_epoch, "rate": rate}
    return [annealed(r.name, r.initial, r.final, each[r.name], **length) for r in ranges]
