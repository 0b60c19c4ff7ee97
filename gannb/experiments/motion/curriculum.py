"""The motion curriculum: how the detail and physics weights, and the label offset, move with the epoch.

Pure Python, so that the explorer draws the curves without a GPU and the trainer follows the same ones.
Source: motion_balance §2 and its "curriculum weight formula"; claims M1, M2, M3 and M17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gannb.control.stateful import Stateful

Stage = Literal["warm-up", "curriculum", "normal"]
Ramp = Literal["document", "smooth"]


@dataclass(frozen=True)
class Stages:
    """Three half-open stages of training, in epochs: [0, warmup), [warmup, end), [end, ∞).

    The document overlaps them and calls `end` a duration; the ramp lasts `end - warmup` epochs (M3).

    Raises:
        ValueError: where not 0 <= warmup < end.
    """

    warmup: int = 10
    end: int = 50

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.end:
            raise ValueError(
                f"curriculum stages: warmup {self.warmup} and end {self.end}; allowed is 0 <= warmup < end"
            )

    def at(self, epoch: float) -> Stage:
        """The stage an epoch (>= 0, fractions allowed) falls in."""
        if epoch < self.warmup:
            return "warm-up"
        return "curriculum" if epoch < self.end else "normal"


DETAIL, PHYSICS = (0.3, 1.0), (0.5, 2.0)
"""Weights after the warm-up and at the end of the curriculum, as the document has them."""


def weight(epoch: float, initial: float, final: float, stages: Stages = Stages(), ramp: Ramp = "document") -> float:
    """A loss weight at an epoch.

    `document`: half of `initial` in the warm-up, then linear from `initial` to `final`. The weight doubles in one step
    at the end of the warm-up, though the text says it rises gradually (M2).
    `smooth`: leaves the warm-up's level without a jump or a kink and reaches `final` at the same epoch.

    Args:
        epoch: from 0; fractions allowed.
        initial: the weight after the warm-up.
        final: the weight at the end.
        stages: where they begin and end, in epochs.
        ramp: `document` or `smooth`.
    """
    start = 0.5 * initial
    if epoch < stages.warmup:
        return start
    if epoch >= stages.end:
        return final
    progress = (epoch - stages.warmup) / (stages.end - stages.warmup)
    if ramp == "smooth":
        return start + (3.0 - 2.0 * progress) * progress**2 * (final - start)
    return initial + progress * (final - initial)


def label_offset(epoch: float, largest: float, warmup: int) -> float:
    """How far the labels are pulled together: from `largest` linearly to 0 over the warm-up.

    Used as real_label - offset and fake_label + offset. The document gives neither sign nor schedule: ours (M17).

    Args:
        epoch: from 0; fractions allowed.
        largest: the offset at the start.
        warmup: epochs until it is 0.
    """
    return largest * max(0.0, 1.0 - epoch / warmup) if warmup else 0.0


@dataclass
class Curriculum(Stateful):
    """A driver: moves `detail_weight`, `physics_weight` and `label_offset` with the epoch.

    Under the document's ramp numbers move once an epoch, as its formula does; under the smooth ramp at every step.

    Args:
        steps_per_epoch: batches per epoch.
        stages: where the stages begin and end.
        detail, physics: (initial, final) weights.
        offset: the label offset at the start.
        ramp: `document` or `smooth`.
        active: off means full weights from the start (the variants without a curriculum); the label offset still moves.
    """

    steps_per_epoch: int
    stages: Stages = Stages()
    detail: tuple[float, float] = DETAIL
    physics: tuple[float, float] = PHYSICS
    offset: float = 0.0
    ramp: Ramp = "document"
    active: bool = True
    names: tuple[str, ...] = ("detail_weight", "physics_weight", "label_offset")
    label: str = "curriculum"
    reads: bool = False  # a function of the step: nothing that was seen has to be waited for

    def __post_init__(self) -> None:
        if self.steps_per_epoch < 1:
            raise ValueError(f"steps_per_epoch is {self.steps_per_epoch}; at least 1 is needed")

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The three numbers at a step; what was seen plays no part."""
        whole = step // self.steps_per_epoch
        epoch = step / self.steps_per_epoch if self.ramp == "smooth" else whole
        at = epoch if self.active else self.stages.end
        return {
            "detail_weight": weight(at, *self.detail, self.stages, self.ramp),
            "physics_weight": weight(at, *self.physics, self.stages, self.ramp),
            "label_offset": label_offset(epoch, self.offset, self.stages.warmup),
        }
