"""What the motion_balance document asks a reader to watch while it trains: invariants and a status line (M20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gannb.experiments.motion_balance.strategies import LIMITS, Limits, Strategy


@dataclass
class Invariants:
    """The document's monitors as invariants, checked while it trains (M20).

    Consecutive skips <= max_skips; learning-rate scales and turns within their limits; mixed precision on from its
    epoch and off before. Numbers a person holds may break them, and then it is said as well.

    Args:
        mixed_from: epoch from which mixed precision has to be on; None where it is not used.
    """

    strategy: Strategy
    limits: Limits = LIMITS
    steps_per_epoch: int = 1
    mixed_from: int | None = None
    skips: int = 0

    def __call__(self, step: int, values: Mapping[str, float], mixed: bool | None = None) -> list[str]:
        """The violations at one step, in words; empty when all hold. Steps have to come in order."""
        lim, most = self.limits, values.get("max_skips", self.strategy.max_skips)
        self.skips = self.skips + 1 if values["d_turns"] == 0 else 0
        ranges = {
            "g_turns": (1, lim.max_g_turns),
            "d_turns": (0, lim.max_d_turns),
            "lr_d_scale": (lim.d_lr_floor, lim.d_lr_cap),
            "lr_g_scale": (lim.g_lr_floor, lim.g_lr_cap),
        }
        found = [
            f"step {step}: {name} is {values[name]:g}, outside {low:g}..{high:g}"
            for name, (low, high) in ranges.items()
            if not low <= values[name] <= high
        ]
        if self.skips > most:
            found.append(f"step {step}: {self.skips} consecutive skips of D, more than {most}")
        if mixed is not None:
            due = self.mixed_from is not None and step // self.steps_per_epoch >= self.mixed_from
            if mixed != due:
                found.append(f"step {step}: mixed precision is {_switch(mixed)}, and should be {_switch(due)}")
        return found


def epoch_line(epoch: int, epochs: int, values: Mapping[str, float], mixed: bool) -> str:
    """The document's status at the start of an epoch, on one line.

    Args:
        epoch: that begins.
        epochs: of the whole run.
        values: the numbers in force.
        mixed: whether reduced precision is on.
    """
    return (
        f"Epoch {epoch}/{epochs} | detail weight {values['detail_weight']:.3f} | physics weight "
        f"{values['physics_weight']:.3f} | mixed precision {_switch(mixed)} | turns G={values['g_turns']:.0f}, "
        f"D={values['d_turns']:.0f}"
    )


def _switch(on: bool) -> str:
    return "on" if on else "off"
