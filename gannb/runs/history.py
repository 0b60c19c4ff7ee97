"""What was measured during a run: one series per name, read from its `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gannb.runs.files import read_blocks, read_lines

if TYPE_CHECKING:
    import pandas as pd


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
    """The series of a run by name: `run.history["D/loss"]`.

    Args:
        path: the run's `metrics.jsonl`; it is read again only when it changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, int] | None = None
        self._count = 0
        self._series: dict[str, Series] = {}

    def rows(self) -> list[dict]:
        """All rows so far."""
        return read_lines(self.path)

    def names(self) -> list[str]:
        """The measured names, in the order in which they first appear."""
        return list(self._read())

    def frame(self, *names: str) -> pd.DataFrame:
        """Some series as columns, by step; NaN where one was not measured at a step at which another was."""
        import pandas as pd

        return pd.DataFrame({name: dict(zip(self[name].steps, self[name].values)) for name in names}).sort_index()

    def __getitem__(self, name: str) -> Series:
        series = self._read()
        if name not in series:
            raise KeyError(f"{name!r} was not measured; there are {', '.join(series) or 'no rows yet'}")
        return series[name]

    def __contains__(self, name: str) -> bool:
        return name in self._read()

    def __repr__(self) -> str:
        names = self.names()
        return f"History of {self._count} rows: {', '.join(names)}"

    def _read(self) -> dict[str, Series]:
        stat = self.path.stat() if self.path.exists() else None
        state = (stat.st_size, stat.st_mtime_ns) if stat else None
        if state != self._state:
            self._series, self._count = _series(self.path)
            self._state = state
        return self._series


def _series(path: Path) -> tuple[dict[str, Series], int]:
    """All series of a file, and the number of its rows. Rows of equal names are converted together."""
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    count = 0
    for block in read_blocks(path):
        count += len(block)
        for names, rows in groupby(block, key=tuple):
            table = _table([row.values() for row in rows], len(names))
            steps = table[:, names.index("step")].astype(np.int64)
            for name, values in zip(names, table.T):
                parts.setdefault(name, []).append((steps, values))
    joined = {name: tuple(map(np.concatenate, zip(*found))) for name, found in parts.items()}
    return {name: Series(name, *arrays) for name, arrays in joined.items() if name not in ("step", "epoch")}, count


def _table(rows: Sequence[Iterable[Any]], width: int) -> np.ndarray:
    """Rows of numbers as an array `[rows, width]`; what is no number is NaN."""
    try:
        return np.fromiter(chain.from_iterable(rows), float, len(rows) * width).reshape(-1, width)
    except (TypeError, ValueError):
        known = (value if isinstance(value, int | float) else np.nan for row in rows for value in row)
        return np.fromiter(known, float, len(rows) * width).reshape(-1, width)
