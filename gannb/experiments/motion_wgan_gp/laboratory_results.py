"""What `benchmarks/laboratory.py` and `motion_regimes.py` measured, to quote beside a notebook's short trainings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gannb.config.presets import HOME
from gannb.experiments.motion.metrics.variants import Outcomes
from gannb.tables import Table

FILE = HOME / "results" / "laboratory.json"
REGIMES = HOME / "results" / "motion_regimes.json"


@dataclass(frozen=True)
class LaboratoryArms:
    """Trainings on toys of points, each with its arm.

    Attributes:
        rows: one a trial: toy, arm, seed, steps, seconds, modes_found, modes, share_near, slope, W_train, W_held_out.
        command: what made them.
    """

    rows: Sequence[Mapping[str, Any]]
    command: str

    @classmethod
    def read(cls, path: Path = FILE) -> LaboratoryArms:
        """Read a result file; an error says how to make one that is missing."""
        if not path.is_file():
            raise FileNotFoundError(
                f"no {path.name} in results/: make it by python benchmarks/laboratory.py --out {path}"
            )
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(stored["rows"], stored["command"])

    def value(self, toy: str, arm: str, name: str = "share_near", steps: int = 0) -> float | None:
        """The mean over seeds of one number, after so many steps (0: the most); None where that was not tried."""
        mine = [row for row in self.rows if (row["toy"], row["arm"]) == (toy, arm)]
        length = steps or max((row["steps"] for row in mine), default=0)
        found = [row[name] for row in mine if row["steps"] == length]
        return sum(found) / len(found) if found else None

    def difference(self, toy: str, one: tuple[str, int], other: tuple[str, int]) -> float | None:
        """The share of samples near a mode under one (arm, steps) less that under another, None if one is missing."""
        mine, theirs = (self.value(toy, arm, steps=steps) for arm, steps in (one, other))
        return None if mine is None or theirs is None else mine - theirs

    def table(self) -> Table:
        """A row a trial."""
        columns = ("toy", "arm", "steps", "modes", "near one", "slope", "CPU seconds")
        rows = [
            (r["toy"], r["arm"], r["steps"], f"{r['modes_found']:g} of {r['modes']}", f"{r['share_near']:.1%}",
             round(r["slope"], 2), r.get("cpu_seconds"))
            for r in self.rows
        ]  # fmt: skip
        return Table(columns, rows, note=self.command)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def regimes_measured(path: Path = REGIMES) -> Outcomes | None:
    """Both regimes over seeds, as `benchmarks/motion_regimes.py` measured them; None before it was ever run."""
    return Outcomes.of(json.loads(path.read_text(encoding="utf-8"))["outcomes"]) if path.is_file() else None
