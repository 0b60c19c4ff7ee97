"""A number that may move: one `DynamicParameter`, and the rules that a move must obey."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """One change of one number, as it stands in a run's events.

    Attributes:
        step: the step boundary at which it was asked for.
        name: the number.
        old, new: its value before (None where there is no such number), and the value asked for.
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
        return self.outcome == "applied"


@dataclass
class DynamicParameter:
    """A number that may move while a network learns.

    Attributes:
        name: its flat name, the same in YAML, papermill, sliders and plots.
        value: where it stands now.
        low, high: the validity bounds, inclusive; a slider's range may be narrower.
        open_low: whether `low` itself is excluded, as in (0, 1].
        integer: whether it counts whole things (turns, frames).
        slider: the range a slider offers; defaults to the bounds.
        scale: "linear" or "log".
        unit, group, doc: for tables, panels and tooltips.
        held: a person holds it; drivers leave it alone until it is released.
        driver: the label of what moves it ("constant" where nothing does).
    """

    name: str
    value: float
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    integer: bool = False
    slider: tuple[float, float] | None = None
    scale: str = "linear"
    unit: str = ""
    group: str = ""
    doc: str = ""
    held: bool = False
    driver: str = "constant"

    def fault(self, value: object) -> str | None:
        """Why `value` may not be taken, in words; None where it may."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{value!r} is not a number"
        if not math.isfinite(value):
            return f"{value} is not finite"
        if self.integer and value != int(value):
            return f"{value} is not a whole number"
        if value < self.low or (self.open_low and value == self.low) or value > self.high:
            return f"{value:g} is outside {self.allowed}"
        return None

    @property
    def allowed(self) -> str:
        """The bounds in words, such as "(0, 1]" or "1 … 8"."""
        if self.integer and math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} … {self.high:g}"
        left = "(" if self.open_low or math.isinf(self.low) else "["
        right = ")" if math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"

    def take(self, value: float) -> None:
        """Set the value, as a whole number where it is one."""
        self.value = int(value) if self.integer else float(value)
