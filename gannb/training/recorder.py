"""What turns log: read from the device once and later, and written to the run in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gannb import distributed
from gannb.control.stateful import Stateful
from gannb.runs.folder import Run


class Recorder(Stateful):
    """Collects what turns log.

    Attributes:
        last: what the last step logged, as floats; a player that did not play is absent, never stale.
        pending: rows that the alarms have not seen yet.
    """

    kept = ("last", "pending")  # what a resumed run has to know

    def __init__(self, run: Run) -> None:
        self.run = run
        self.last: dict[str, float] = {}
        self.pending: list[dict[str, float]] = []
        self._unread: list[tuple[int, Mapping[str, Tensor | float]]] = []
        self._unwritten: list[dict[str, float]] = []

    def add(self, step: int, logged: Mapping[str, Tensor | float]) -> None:
        """Keep the 0-d device tensors of a step for later."""
        self._unread.append((step, logged))

    def read(self) -> None:
        """Turn all that was kept into floats: one wait for the device, and one mean over ranks before any rule."""
        if not self._unread:
            return
        values = iter(self._floats([v for _, logged in self._unread for v in logged.values()]))
        for step, logged in self._unread:
            self.last = {name: next(values) for name in logged}
            self._unwritten.append({"step": step, **self.last})
        self._unread = []

    def note(self, step: int, values: Mapping[str, Any]) -> None:
        """Add numbers that were measured beside training, such as scores."""
        self._unwritten.append({"step": step, **values})

    def write(self) -> None:
        """Read, and put every row into the run's `metrics.jsonl`."""
        self.read()
        self.run.record(self._unwritten)
        self.pending += self._unwritten
        self._unwritten = []

    def reset(self, last: Mapping[str, float]) -> None:
        """After a rollback: drop what was recorded since."""
        self.last, self.pending = dict(last), []

    def _floats(self, logged: list[Tensor | float]) -> list[float]:
        """The mean of each over ranks."""
        if not logged:
            return []
        device = self.run.device
        packed = torch.stack([torch.as_tensor(v, dtype=torch.float64, device=device).reshape(()) for v in logged])
        distributed.average_([packed])
        return packed.tolist()
