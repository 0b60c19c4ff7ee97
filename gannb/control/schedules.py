"""Annealing: values that are functions of the step alone (schedules §2.1–2.2, claim S2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def linear(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    """A straight line from `initial` (t = 0) to `final` (t = 1)."""
    return initial + (final - initial) * t


def exponential(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    """A geometric fall or rise; both ends must be positive."""
    if initial <= 0 or final <= 0:
        raise ValueError(f"an exponential schedule needs positive ends, not {initial:g} and {final:g}")
    return initial * (final / initial) ** t


def cosine(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    """Half a cosine: flat at both ends."""
    return final + (initial - final) * (1 + math.cos(math.pi * t)) / 2


def power(initial: float, final: float, t: float, rate: float = 1.0) -> float:
    """The document's max·(1 − t)^rate, ending at `final` and not at 0 (S2)."""
    return final + (initial - final) * (1 - t) ** rate


SHAPES: dict[str, Callable[[float, float, float, float], float]] = {
    "linear": linear,
    "exponential": exponential,
    "cosine": cosine,
    "power": power,
}


class Schedule:
    """A number that is a function of the step: `Schedule("lr_d", lambda step: …)`."""

    reads = False

    def __init__(self, name: str, value_at: Callable[[int], float], label: str = "schedule") -> None:
        self.names = (name,)
        self.value_at = value_at
        self.label = label

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        return {self.names[0]: self.value_at(step)}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            raise ValueError(f"a schedule keeps no state, yet {sorted(state)} was saved")


def annealed(
    name: str, initial: float, final: float, shape: str, *, epochs: int, steps_per_epoch: int, rate: float = 1.0
) -> Schedule:
    """Anneal a number over a run, moving at epoch boundaries with t = epoch / (epochs − 1) (S2).

    Args:
        name: the number.
        initial, final: its value in the first and in the last epoch, and after.
        shape: "linear", "exponential", "cosine" or "power".
        epochs, steps_per_epoch: the run's length.
        rate: the exponent of "power".
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
    """StepLR: × `factor` every `every` epochs (particles_sagan, optimiser); `every` = 0 keeps it constant."""

    def value_at(step: int) -> float:
        drops = (step // steps_per_epoch) // every if every else 0
        return initial * factor**drops

    return Schedule(name, value_at, label="step decay")
