"""What messages show: values as Python writes them, never longer than a line, and the name that was meant."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

MOST_BITS = 256
"""Whole numbers beyond this are described and not written out: Python refuses thousands of digits."""


class _Echo(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxset, self.maxdict = 3, 12, 12, 12, 12
        self.maxstring = self.maxother = self.maxlong = 120

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= MOST_BITS else f"a whole number of {x.bit_length()} bits"


def shown(value: Any, most: int = 200) -> str:
    """A value as Python writes it, cut where it is long, deep or wide."""
    text = _Echo().repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


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
