"""How far a run is and how long it will take: plain lines, and a file for `gannb run`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gannb import distributed
from gannb.runs.files import write_bytes

if TYPE_CHECKING:
    import torch

WARN_SECONDS = 120


class Progress:
    """Progress of one call of `fit`.

    Plain lines name steps and epochs only, never a time, so that executed notebooks compare; the one line with a
    time is the warning before a long run, on stderr.

    Args:
        start, target: steps done, and steps wanted.
        per_epoch: steps an epoch.
        device: for the warning.
        quiet: no plain lines, as where a live view shows them.
    """

    def __init__(self, start: int, target: int, per_epoch: int, *, device: torch.device, quiet: bool = False) -> None:
        self.start, self.target, self.per_epoch, self.device = start, target, per_epoch, device
        self.quiet = quiet
        self.began = self._told = time.perf_counter()
        self._file = os.environ.get("GANNB_PROGRESS", "") if distributed.rank() == 0 else ""

    def __call__(self, step: int) -> None:
        """Tell of `step` steps done; cheap enough for every step."""
        if not self.quiet and step * 4 // self.target > (step - 1) * 4 // self.target:
            print(f"step {step} of {self.target} (epoch {step / self.per_epoch:.4g})")
        now = time.perf_counter()
        if step - self.start == 10 and not self.quiet:
            self._warn(self._left(step, now))
        if self._file and now - self._told > 0.5:
            self._told = now
            self._write(step, now)

    def close(self, step: int) -> None:
        """Tell how far it came."""
        if self._file:
            self._write(step, time.perf_counter())

    def _left(self, step: int, now: float) -> float:
        return (now - self.began) / max(1, step - self.start) * (self.target - step)

    def _warn(self, left: float) -> None:
        if left > WARN_SECONDS:
            import torch

            where = f"this {self.device.type.upper()}, {torch.get_num_threads()} threads"
            print(
                f"about {duration(left)} on {where}; the quick preset takes about a minute", file=sys.stderr, flush=True
            )

    def _write(self, step: int, now: float) -> None:
        state = {"step": step, "steps": self.target, "seconds_left": self._left(step, now)}
        write_bytes(Path(self._file), json.dumps(state).encode(), sync=False)


def duration(seconds: float) -> str:
    """A time in words: "40 s", "12 min", "9 h", "3 days"."""
    for size, unit in ((86400 * 2, "days"), (7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / {'days': 86400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"
