"""What is wrong with a run's parameters, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass


class BadInput(ValueError):
    """What a person gave cannot be used; the message says where, what was found and what is allowed."""


class NotFound(BadInput, LookupError):
    """A name that stands for nothing, or a file that is not there."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field: what was given, what is allowed, and the nearest name for a typo."""

    field: str
    given: str
    wanted: str
    nearest: str = ""

    def __str__(self) -> str:
        meant = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.field}: given {self.given}; {self.wanted}{meant}"


class ParameterError(BadInput):
    """All faults of a run's parameters at once."""

    def __init__(self, experiment: str, faults: list[Fault]) -> None:
        self.faults = faults
        lines = [str(fault) for fault in faults]
        head = lines if len(lines) == 1 else [f"{len(lines)} bad parameters", *lines]
        super().__init__(f"{experiment}: " + "\n  ".join(head))

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # in a notebook the faults say all; a traceback would bury them
