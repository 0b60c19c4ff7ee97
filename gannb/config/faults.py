"""What is wrong with a run's parameters, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field: what was given, what is allowed, and the nearest name for a typo."""

    field: str
    given: str
    wanted: str
    nearest: str = ""

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.field}: given {self.given}; {self.wanted}{hint}"


class ParameterError(ValueError):
    """All faults of a run's parameters at once."""

    def __init__(self, experiment: str, faults: list[Fault]) -> None:
        self.faults = faults
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{experiment}: {len(faults)} bad parameter{'s' * (len(faults) != 1)}\n{lines}")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # in a notebook the faults say all; a traceback would bury them
