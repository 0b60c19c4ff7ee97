"""What was measured during a run: one series per name, read from its `metrics.jsonl`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gannb.runs.files import read_lines


@dataclass(frozen=True)
class Series:
    """One measured name over a run.

    Attributes:
        name: such as "D/loss".
        steps: int64 `[n]`, how many steps were done when it was measured.
        values: float64 `[n]`.
    """

    name: str
    steps: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def tail_mean(self, share: float = 0.1) -> float:
        """The mean of the last `share` of the values.

        Raises:
            ValueError: there are no values.
        """
        if not len(self):
            raise ValueError(f"{self.name} was never measured in this run")
        return float(self.values[-max(1, round(len(self) * share)) :].mean())

    def smooth(self, window: int) -> np.ndarray:
        """A running mean over `window` values, `[n]`."""
        sums = np.cumsum(np.insert(self.values, 0, 0.0))
        ends = np.arange(1, len(self) + 1)
        starts = np.maximum(0, ends - window)
        return (sums[ends] - sums[starts]) / (ends - starts)


class History:
    """The series of a run by name: `run.history["D/loss"]`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, int] | None = None
        self._rows: list[dict] = []

    def rows(self) -> list[dict]:
        """All rows so far; the file is read again only when it changed."""
        stat = self.path.stat() if self.path.exists() else None
        state = (stat.st_size, stat.st_mtime_ns) if stat else None
        if state != self._state:
            self._rows, self._state = read_lines(self.path), state
        return self._rows

    def names(self) -> list[str]:
        """Every name measured, in order of appearance."""
        return [n for n in dict.fromkeys(k for row in self.rows() for k in row) if n not in ("step", "epoch")]

    def __getitem__(self, name: str) -> Series:
        pairs = [(row["step"], row[name]) for row in self.rows() if name in row]
        if not pairs:
            raise KeyError(f"{name!r} was not measured; there are {', '.join(self.names()) or 'no rows yet'}")
        steps, values = zip(*pairs)
        return Series(name, np.array(steps), np.array(values, dtype=float))

    def __contains__(self, name: str) -> bool:
        return any(name in row for row in self.rows())

    def __repr__(self) -> str:
        return f"History of {len(self.rows())} rows: {', '.join(self.names())}"
