"""What is wrong with a run's parameters, all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
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


def nearest(name: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name most like a given one; empty where none is.

    Args:
        name: as given; anything but text is like none.
        known: names.
        cutoff: how alike they have to be, from 0 to 1.
    """
    found = difflib.get_close_matches(name[:100], known, n=1, cutoff=cutoff) if isinstance(name, str) else []
    return found[0] if found else ""


def hint(name: object, known: Iterable[str]) -> str:
    """The nearest known name as the end of a message; empty where none is near."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""
