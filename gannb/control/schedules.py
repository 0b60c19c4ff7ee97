"""Annealing: values that are functions of the step alone (schedules §2.1–2.2, claim S2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from gannb.control.stateful import Stateful


class Shape(Protocol):
    """A curve from `initial` at t = 0 to `final` at t = 1; `rate` is the exponent of "power", ignored by others."""

    def __call__(self, initial: float, final: float, t: float, rate: float = 1.0) -> float:
        """The value at progress `t` in [0, 1] from `initial` to `final`."""
        ...


def _linear(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    return initial + (final - initial) * t


def _exponential(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    if initial <= 0 or final <= 0:
        raise ValueError(f"an exponential schedule needs positive ends, not {initial:g} and {final:g}")
    return initial * (final / initial) ** t


def _cosine(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    return final + (initial - final) * (1 + math.cos(math.pi * t)) / 2


def _power(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    return final + (initial - final) * (1 - t) ** rate


SHAPES: dict[str, Shape] = {"linear": _linear, "exponential": _exponential, "cosine": _cosine, "power": _power}
"""Straight; geometric, between positive ends; half a cosine, flat at both ends; the document's max·(1 − t)^rate, ending
at `final` and not at 0 (S2)."""


class Schedule(Stateful):
    """A driver: a number that is a function of the step, such as `Schedule("lr_d", lambda step: …)`.

    Args:
        name: the number.
        value_at: its value at a step.
        label: how panels and plots call it.
    """

    reads = False

    def __init__(self, name: str, value_at: Callable[[int], float], label: str = "schedule") -> None:
        self.names, self.value_at, self.label = (name,), value_at, label

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The number at a step."""
        return {self.names[0]: self.value_at(step)}


def annealed(
    name: str, initial: float, final: float, shape: str, *, epochs: int, steps_per_epoch: int, rate: float = 1.0
) -> Schedule:
    """Anneal a number over a run, moving at epoch boundaries with t = epoch / (epochs − 1) (S2).

    Args:
        name: the number.
        initial: its value in the first epoch.
        final: its value in the last epoch, and after.
        shape: one of `SHAPES`.
        epochs: of the run.
        steps_per_epoch: batches per epoch.
        rate: the exponent of "power".

    Raises:
        ValueError: an unknown shape, or ends that it cannot have.
    """
    if shape not in SHAPES:
        raise ValueError(f"schedule {shape!r} is not known; allowed: {', '.join(SHAPES)}")
    curve = SHAPES[shape]
    curve(initial, final, 0.0, rate)

    def value_at(step: int) -> float:
        t = min(1.0, (step // steps_per_epoch) / max(1, epochs - 1))
        return curve(initial, final, t, rate)

    return Schedule(name, value_at, label=shape)


def step_decay(name: str, initial: float, *, every: int, factor: float, steps_per_epoch: int) -> Schedule:
    """StepLR: × `factor` every `every` epochs (particles_sagan, optimiser); `every` = 0 keeps it constant.

    Args:
        name: the number.
        initial: its value in the first epochs.
        every: epochs between drops.
        factor: what a drop multiplies it by.
        steps_per_epoch: batches per epoch.
    """

    def value_at(step: int) -> float:
        return initial * factor ** (step // steps_per_epoch // every if every else 0)

    return Schedule(name, value_at, label="step decay")
