"""A number that may move: one `DynamicParameter`, and the bounds that a move must obey."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gannb.control.echo import shown


@dataclass(frozen=True)
class Move:
    """One change of one number, as it stands in a run's events.

    Attributes:
        step: the step boundary at which it was requested.
        name: the number.
        old: its value before; None where there is no such number.
        new: the value requested.
        by: "person", "replay", or the label of a driver.
        outcome: "applied", or "refused: …" with the reason.
    """

    step: int
    name: str
    old: float | None
    new: float
    by: str
    outcome: str

    @property
    def applied(self) -> bool:
        """Whether the number took the new value."""
        return self.outcome == "applied"


@dataclass(kw_only=True)
class Quantity:
    """What is known of a number, whatever its value: bounds, slider, unit, group and meaning.

    Attributes:
        low: the lower validity bound; a slider's range may be narrower.
        high: the upper one; both are inclusive.
        open_low: whether `low` itself is excluded, as in (0, 1].
        integer: whether it counts whole things (turns, frames).
        slider: the range a slider offers; defaults to the bounds.
        scale: of the slider, "linear" or "log".
        unit: for tables and axes.
        group: where it stands in tables and panels.
        doc: its meaning, in one line.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    integer: bool = False
    slider: tuple[float, float] | None = None
    scale: str = "linear"
    unit: str = ""
    group: str = ""
    doc: str = ""

    def fault(self, value: object) -> str | None:
        """Why `value` is not allowed, in words; None where it is."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{shown(value)} is not a number"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{value} is not finite"
        if self.integer and value != int(value):
            return f"{value} is not a whole number"
        if value < self.low or (self.open_low and value == self.low) or value > self.high:
            return f"{_brief(value)} is outside {self.allowed}"
        return None

    @property
    def allowed(self) -> str:
        """The bounds in words, such as "(0, 1]" or "1 … 8"."""
        if self.integer and math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} … {self.high:g}"
        left = "(" if self.open_low or math.isinf(self.low) else "["
        return f"{left}{self.low:g}, {self.high:g}{')' if math.isinf(self.high) else ']'}"


@dataclass
class DynamicParameter(Quantity):
    """A number that may move while a network learns.

    Attributes:
        name: its flat name, the same in YAML, papermill, sliders and plots.
        value: its current value.
        held: a person holds it; drivers leave it alone until it is released.
        driver: the label of what moves it ("constant" where nothing does).
    """

    name: str
    value: float
    held: bool = False
    driver: str = "constant"

    def take(self, value: float) -> None:
        """Set the value, as a whole number where it is one."""
        self.value = int(value) if self.integer else float(value)


def _brief(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)
