"""Values shown in messages: as Python writes them, and never longer than a line."""

from __future__ import annotations

import reprlib
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
