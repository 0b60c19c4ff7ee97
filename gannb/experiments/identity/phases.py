"""Training in two phases: some loss weights first, the others faded in (identity, two-phase training; claim I10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from gannb.control.alarms import Alarm
from gannb.control.stateful import Stateful


class TwoPhases(Stateful):
    """A driver: weights stand at their `first` values for a phase, then go linearly to their `final` ones.

    The lengths are numbers themselves, `phase_epochs` and `ramp_epochs`, so a person may lengthen a phase while it
    lasts.

    Args:
        first: name → weight in the first phase.
        final: name → weight after the ramp; the same names.
        steps_per_epoch: batches per epoch.

    Raises:
        ValueError: other names in `final` than in `first`, or fewer than one step per epoch.
    """

    reads = False
    label = "two phases"

    def __init__(self, first: Mapping[str, float], final: Mapping[str, float], *, steps_per_epoch: int) -> None:
        if set(first) != set(final):
            raise ValueError(f"first moves {sorted(first)}, final {sorted(final)}; the names must be the same")
        if steps_per_epoch < 1:
            raise ValueError(f"steps_per_epoch is {steps_per_epoch}; at least 1 is needed")
        self.first, self.final, self.steps_per_epoch = dict(first), dict(final), steps_per_epoch
        self.names = tuple(first)

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The numbers to move at this step, with their new values."""
        beyond = step / self.steps_per_epoch - values["phase_epochs"]
        ramp = values["ramp_epochs"]
        share = 0.0 if beyond < 0 else min(1.0, beyond / ramp) if ramp else 1.0
        return {name: (1 - share) * self.first[name] + share * self.final[name] for name in self.names}


@dataclass(eq=False)
class DecreaseAlarm(Alarm):
    """Rings when a score has fallen `patience` times in a row, each time below the one before.

    Args:
        key: what is watched, such as "held_out/similarity"; rows without it do not count.
        patience: falls in a row.

    Source: identity, "if similarity keeps falling, adjust in time".
    """

    kept: ClassVar[tuple[str, ...]] = ("last", "count")

    key: str
    _: KW_ONLY
    patience: int = 3

    def __post_init__(self) -> None:
        self.name = f"{self.key} keeps falling"
        self.last: float | None = None
        super().__post_init__()

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """Read one row; the message at the last of the falls, once however long they go on."""
        if self.key not in seen:
            return None
        fell = self.last is not None and seen[self.key] < self.last
        self.count, self.last = self.count + 1 if fell else 0, seen[self.key]
        rings = self.count == self.patience
        return f"{self.key} fell {self.patience} times in a row, to {self.last:.4g}" if rings else None
