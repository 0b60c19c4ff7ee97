"""Measured values, reduced to few points per line and grouped into charts."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import Any

MOST_POINTS = 500
MOST_CHARTS = 8
"""Two rows of four on a page of usual width."""
FIRST = ("loss", "discriminator", "gradient norm", "diversity_share")
LAST = ("moved", "mixed", "seconds", "memory")
"""Of the machine and of the optimiser: shown if there is room."""
EXPLAINED = {
    "loss": "of each player on its batch",
    "discriminator": "mean of the batch",
    "accuracy": "share that D tells apart",
    "gradient norm": "L2, before clipping",
    "diversity_share": "generated over real",
    "diversity": "spread of generated samples",
    "moved": "relative change per step",
    "slope": "of D, between x and G(z)",
    "penalty": "gradient penalty, unweighted",
    "W": "Wasserstein estimate",
    "sign_real": "mean sign of D(x)",
    "adversarial": "G's adversarial term",
    "seconds": "per step, s",
    "memory": "bytes",
    "turns": "per step",
}
"""What the usual charts show, with the unit, in a few words; an experiment's `measures` say it of its own."""
BOUNDED = ("discriminator", "accuracy", "share_near", "harmed")
"""Charts whose axis goes from 0 to 1, as long as their values do."""


class Trace:
    """A line over a whole run in fewer than `most` points, each the mean of an interval that grows with the run.

    Attributes:
        last: the newest value, as it was measured.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self.most, self.last = most, math.nan
        self._steps, self._values = array("f"), array("f")
        self._interval, self._count, self._sum = 1, 0, 0.0

    def add(self, step: float, value: float) -> None:
        """Add the value measured at a step."""
        self.last = value
        self._count += 1
        self._sum += value
        if self._count < self._interval:
            return
        self._steps.append(step)
        self._values.append(self._sum / self._count)
        self._count, self._sum = 0, 0.0
        if len(self._steps) >= self.most:
            self._halve()

    def __len__(self) -> int:
        return len(self._steps)

    def packed(self) -> dict[str, Any]:
        """Steps and values as float32 bytes, far quicker than JSON; the newest value as text, for it may be NaN."""
        return {"x": self._steps.tobytes(), "y": self._values.tobytes(), "last": f"{self.last:.4g}"}

    def _halve(self) -> None:
        pairs = zip(self._values[::2], self._values[1::2])
        self._steps, self._values = self._steps[1::2], array("f", ((a + b) / 2 for a, b in pairs))
        self._interval *= 2


class Charts:
    """Traces grouped into charts: one of all losses, one of D on real and generated data, one of gradient norms ….

    Args:
        measures: what charts show, by title, beside the usual ones.
    """

    def __init__(self, measures: Mapping[str, str] | None = None) -> None:
        self._explained = EXPLAINED | dict(measures or {})
        self._traces: dict[str, dict[str, Trace]] = {}

    def add(self, row: Mapping[str, float]) -> None:
        """Add a row of `metrics.jsonl`."""
        for key, value in row.items():
            if key != "step":
                title, line = place(key)
                self._traces.setdefault(title, {}).setdefault(line, Trace()).add(row["step"], value)

    def packed(self) -> list[dict[str, Any]]:
        """The charts to draw, the usual ones first."""
        titles = sorted(self._traces, key=_rank)
        return [
            {
                "title": title,
                "says": self._explained.get(title, ""),
                "bounded": title in BOUNDED,
                "lines": [{"name": n, **t.packed()} for n, t in self._traces[title].items()],
            }
            for title in titles[:MOST_CHARTS]
        ]


def _rank(title: str) -> int:
    if title in FIRST:
        return FIRST.index(title)
    return len(FIRST) + (title in LAST)


def place(key: str) -> tuple[str, str]:
    """The chart and the line of a measured name: "D/loss" is line "D" of chart "loss"; a score has its own chart."""
    player, slash, what = key.rpartition("/")
    if not slash:
        return key, key
    if what in ("real", "fake"):
        return "discriminator", f"{player}(x)" if what == "real" else f"{player}(G(z))"
    return ("gradient norm" if what == "grad_norm" else what), player
