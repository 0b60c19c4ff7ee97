"""Rules across fields: checked when a run is set up, and again when a number that they read moves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

Check = Callable[[Any], str | None]


@dataclass(frozen=True)
class Rule:
    """A check across fields; see `rule`."""

    check: Check
    fields: tuple[str, ...]
    reads: frozenset[str]
    moving: bool

    def __call__(self, values: Mapping[str, Any]) -> str | None:
        """What is wrong with the values; None where nothing is. The check sees no other field than it declared."""
        return self.check(SimpleNamespace(**{name: values[name] for name in self.reads}))


def rule(*fields: str, reads: tuple[str, ...] = (), moving: bool = True) -> Callable[[Check], Any]:
    """Mark a method as a rule; it gets the values of its fields and returns what is wrong, or None.

    It is checked when a run is set up and (unless `moving` is off: it is about where numbers start) whenever one of
    its numbers moves; not while one of its fields has a fault of its own.

    Args:
        fields: what it is about, named with their values where it fails.
        reads: further fields that it reads; what it returns should name those that matter.
        moving: whether it holds for moves too.
    """

    def mark(check: Check) -> Any:
        return staticmethod(Rule(check, fields, frozenset({*fields, *reads}), moving))

    return mark


def among(field: str, known: Collection[str]) -> Any:
    """A rule for the body of a class: every name listed in a field is a known one."""

    def check(v: Any) -> str | None:
        return unknown(getattr(v, field), known)

    return rule(field)(check)


def playing(*turns: str) -> Any:
    """A rule for the body of a class: at first every player has a turn in each step; a move may take them away.

    Args:
        turns: fields, the numbers of turns.
    """

    def check(v: Any) -> str | None:
        return None if all(getattr(v, name) for name in turns) else "allowed at first: 1 or more; moves may set it to 0"

    return rule(*turns, moving=False)(check)


def unknown(names: Iterable[str], known: Collection[str]) -> str | None:
    """What a rule returns of names that are not known; None where all are."""
    stray = [name for name in names if name not in known]
    return f"unknown: {', '.join(stray)}; allowed: {', '.join(known)}" if stray else None
