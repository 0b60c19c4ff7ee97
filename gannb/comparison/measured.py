"""What was measured elsewhere with a command that anyone can run: the results that a notebook quotes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from gannb.comparison.intervals import paired_difference, seeds_text
from gannb.config.presets import HOME
from gannb.metrics.score import Score
from gannb.tables import Table

RESULTS = HOME / "results"


@dataclass(frozen=True)
class Arms:
    """Arms of one comparison, each with its seeds.

    Attributes:
        trials: `{"arm", "seed", "scores": {name: {"value", …}}}`, as `benchmarks/particles_tuned.py` writes them.
        metric: the score that decides.
        command: what made them.
    """

    trials: tuple[dict, ...]
    metric: str
    command: str

    @classmethod
    def read(cls, path: Path, metric: str) -> Arms:
        """Read a result file; an error says how to make one that is missing."""
        if not path.is_file():
            raise FileNotFoundError(f"no {path.name} in results/: it is made by a script in benchmarks/")
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(stored["trials"]), metric, stored["command"])

    def values(self, arm: str, metric: str | None = None) -> dict[int, float]:
        """A score by seed."""
        mine = [trial for trial in self.trials if trial["arm"] == arm]
        return {trial["seed"]: trial["scores"][metric or self.metric]["value"] for trial in mine}

    def advantage(self, arm: str, over: str, metric: str | None = None) -> list[float]:
        """The differences of a score, or the deciding one, seed by seed where both have one."""
        mine, theirs = self.values(arm, metric), self.values(over, metric)
        return [mine[seed] - theirs[seed] for seed in sorted(mine.keys() & theirs.keys())]

    def difference(self, arm: str, over: str, metric: str | None = None) -> Score:
        """The mean of those differences, with its bootstrap interval; missing with fewer than two seeds."""
        mine, theirs = self.values(arm, metric), self.values(over, metric)
        seeds = sorted(mine.keys() & theirs.keys())
        name = f"{metric or self.metric}_difference"
        return paired_difference([mine[s] for s in seeds], [theirs[s] for s in seeds], name)

    def swing(self, arms: Sequence[str]) -> dict[int, float]:
        """By seed, the largest over the smallest of the deciding score among some arms: 1 where none matters."""
        each = [self.values(arm) for arm in arms]
        seeds = set.intersection(*(set(values) for values in each))
        return {s: max(v[s] for v in each) / min(v[s] for v in each) for s in sorted(seeds)}

    def point(self, arm: str, *metrics: str) -> tuple[float, ...]:
        """Means over seeds of some scores of one arm."""
        return tuple(mean(self.values(arm, metric).values()) for metric in metrics)

    @property
    def arms(self) -> list[str]:
        """Their names, in order of appearance."""
        return list(dict.fromkeys(trial["arm"] for trial in self.trials))

    def cost(self, arm: str, over: str) -> float | None:
        """Processor time of one arm as a multiple of another's, over the seeds of both; None without such a seed."""
        mine, theirs = ({t["seed"]: t["cpu_seconds"] for t in self.trials if t["arm"] == name} for name in (arm, over))
        each = [mine[seed] / theirs[seed] for seed in mine.keys() & theirs.keys()]
        return mean(each) if each else None

    def table(self, *also: str) -> Table:
        """A row an arm: mean and standard deviation of the deciding score over its seeds, and means of others."""
        rows = []
        for arm in self.arms:
            values = list(self.values(arm).values())
            spread = stdev(values) if len(values) > 1 else None
            rows.append((arm, len(values), mean(values), spread, *self.point(arm, *also)))
        return Table(("arm", "seeds", self.metric, "sd", *also), rows, note=self.command)

    def beside(self, over: str, *also: str, more: Sequence[str] = ()) -> Table:
        """A row an arm: what it brings beside another, 95 % over the same seeds, and what it costs.

        Args:
            over: the arm that all are compared with.
            also: scores whose means are shown too.
            more: scores whose differences are shown too.
        """
        rows = []
        for arm in self.arms:
            values, cost = list(self.values(arm).values()), self.cost(arm, over)
            each = [self.advantage(arm, over, name) if arm != over else [] for name in (self.metric, *more)]
            apart = (seeds_text(differences) if differences else None for differences in each)
            spent = f"×{cost:.2f}" if cost else None
            rows.append((arm, len(values), mean(values), *apart, spent, *self.point(arm, *also)))
        differences = (f"less {over}, same seeds", *(f"{name}, less {over}" for name in more))
        return Table(("arm", "seeds", self.metric, *differences, "processor time", *also), rows, note=self.command)

    def __repr__(self) -> str:
        return repr(self.table("copies"))

    def _repr_html_(self) -> str:
        return self.table("copies")._repr_html_()


def particle_arms() -> Arms:
    """The arms of `particles_sagan` on real crops, by held-out kernel distance."""
    return Arms.read(RESULTS / "particles_tuned.json", "kid_faed")


def stored_result(name: str) -> dict:
    """The content of `results/<name>.json`."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path.name} in results/: it is made by benchmarks/motion_arms.py")
    return json.loads(path.read_text(encoding="utf-8"))
