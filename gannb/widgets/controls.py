"""Controls, generated from the declaration of a parameter; and messages of the page as commands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gannb.control.commands import Command
from gannb.control.parameter import DynamicParameter


def describe(number: DynamicParameter) -> dict[str, Any]:
    """What the panel needs to know of a number once, as JSON: name, group, slider, meaning, allowed values."""
    low, high = slider(number)
    return {
        "name": number.name,
        "group": number.group,
        "low": low,
        "high": high,
        "log": number.scale == "log" and low > 0,
        "integer": number.integer,
        "unit": number.unit,
        "doc": number.doc,
        "allowed": "" if math.isinf(number.low) and math.isinf(number.high) else number.allowed,
    }


def current(number: DynamicParameter) -> dict[str, Any]:
    """The state of a number: its value, whether a person holds it, and its driver."""
    return {"value": number.value, "held": number.held, "driver": number.driver}


def slider(number: DynamicParameter) -> tuple[float, float]:
    """The range of a number's slider: as declared, else the bounds, else around where it starts.

    The number field goes beyond it, up to the validity bounds. A logarithmic slider begins above zero.
    """
    low, high = number.slider or (number.low, number.high)
    start = abs(number.value) or 1.0
    if number.scale == "log" and high > 0:
        high = high if math.isfinite(high) else 100 * start
        return (low if low > 0 else min(start, high) / 1000), high
    low = low if math.isfinite(low) else min(0.0, number.value - start)
    high = high if math.isfinite(high) else number.value + start
    return (math.floor(low), math.ceil(high)) if number.integer else (low, high)


def command(message: Mapping[str, Any]) -> Command:
    """A message of the page as a command.

    Raises:
        ValueError: a message that is no command.
    """
    if unknown := message.keys() - {"do", "name", "value"}:
        raise ValueError(f"a command has no {', '.join(sorted(unknown))}")
    return Command(str(message.get("do", "")), str(message.get("name", "")), message.get("value"))
