"""The variants of the comparison: ways to move the same numbers within the same ranges (schedules §4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gannb.control.adaptive_augmentation import Overfitting
from gannb.control.numbers import Driver
from gannb.control.schedules import SHAPES, annealed
from gannb.experiments.schedules.meta.control_space import Range

DRIVEN = ("fixed", *SHAPES, "document", "adaptive", "learned")
"""The variants by what moves the numbers; nothing does in "fixed"."""


class SignHeuristic(Overfitting):
    """A strong hand-written baseline: more of everything while D overfits, less while it does not.

    ADA's rule (Karras et al. 2020, section 3) for several numbers at once: they have one share of their ranges, which
    rises while the mean sign of D on real images lies above 0.6, and falls while below; it moves every 4 steps.

    Args:
        ranges: of the numbers; high ends are strong regularisation.
        steps: steps from one end of the ranges to the other.

    Raises:
        ValueError: a number of steps that is not positive.
    """

    reads = True
    label = "adaptive"
    kept = ("shares", *Overfitting.kept)

    def __init__(self, ranges: Sequence[Range], *, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"steps={steps}; must be at least 1")
        self.ranges, self.names = tuple(ranges), tuple(r.name for r in ranges)
        super().__init__("D/sign_real", target=0.6, every=4)
        self.stride, self.shares = self.every / steps, [r.share(r.initial) for r in ranges]

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The numbers to move at this step, with their new values."""
        way = self.way(step, seen)
        if way is None:
            return {}
        self.shares = [min(max(share + way * self.stride, 0.0), 1.0) for share in self.shares]
        return {r.name: r.clip(r.at(share)) for r, share in zip(self.ranges, self.shares)}


def drivers(
    variant: str,
    ranges: Sequence[Range],
    *,
    epochs: int,
    steps_per_epoch: int,
    rate: float = 1.0,
    shapes: Mapping[str, str] | None = None,
    learned: Driver | None = None,
) -> list[Driver]:
    """The drivers of a variant; none in "fixed", where the numbers keep their initial values.

    Args:
        variant: one of `DRIVEN`. The shapes anneal every number alike; "document" gives each its own of `shapes`.
        ranges: the numbers with their initial and final values.
        epochs: the run's length.
        steps_per_epoch: the run's length.
        rate: the exponent of "power".
        shapes: for "document", a shape by number.
        learned: for "learned", the controller that moves them.

    Raises:
        ValueError: an unknown variant, or one without what it needs.
    """
    if variant not in DRIVEN:
        raise ValueError(f"variant {variant!r} is not known; allowed: {', '.join(DRIVEN)}")
    if variant == "fixed":
        return []
    if variant == "adaptive":
        return [SignHeuristic(ranges, steps=max(1, epochs * steps_per_epoch // 2))]
    names = {r.name for r in ranges}
    if variant == "learned":
        if learned is None or set(learned.names) != names:
            given = "none" if learned is None else f"one of {', '.join(learned.names)}"
            raise ValueError(f"the learned variant needs a controller of {', '.join(sorted(names))}; given: {given}")
        return [learned]
    each = dict.fromkeys(names, variant) if variant in SHAPES else dict(shapes or {})
    if each.keys() != names:
        raise ValueError(f"variant {variant!r} needs a shape for each of {sorted(names)}; given for {sorted(each)}")
    length = {"epochs": epochs, "steps_per_epoch": steps_per_epoch, "rate": rate}
    return [annealed(r.name, r.initial, r.final, each[r.name], **length) for r in ranges]
