"""What was measured elsewhere with a command that anyone can run: the results that a notebook quotes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from gannb.metrics.gesture_arms import Outcomes
from gannb.params.presets import HOME
from gannb.tables import Table

RESULTS = HOME / "results"


@dataclass(frozen=True)
class Arms:
    """Arms of one comparison, each with its seeds.

    Attributes:
        trials: `{"arm", "seed", "scores": {name: {"value", …}}}`, as `benchmarks/particles_tuned.py` writes them.
        metric: the score that decides; lower is better.
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

    def advantage(self, arm: str, over: str) -> list[float]:
        """The differences of the deciding score, seed by seed where both have one; below 0 the arm is better."""
        mine, theirs = self.values(arm), self.values(over)
        return [mine[seed] - theirs[seed] for seed in sorted(mine.keys() & theirs.keys())]

    def table(self) -> Table:
        """A row an arm: mean and standard deviation over its seeds, and the share of copies."""
        rows = []
        for arm in dict.fromkeys(trial["arm"] for trial in self.trials):
            values, copies = list(self.values(arm).values()), list(self.values(arm, "copies").values())
            spread = stdev(values) if len(values) > 1 else None
            rows.append((arm, len(values), mean(values), spread, mean(copies)))
        return Table(("arm", "seeds", self.metric, "sd", "copies"), rows, note=self.command)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def particle_arms() -> Arms:
    """The arms of `particles_sagan` on real crops, by held-out kernel distance."""
    return Arms.read(RESULTS / "particles_tuned.json", "kid_faed")


def balance_trace() -> list[dict[str, float]]:
    """Losses of a run in which D played at every step, a row a step: what the balance rules are replayed over."""
    stored = _stored("motion_trace")["trace"]
    return [dict(zip(stored, row)) for row in zip(*stored.values())]


def gesture_arms() -> Outcomes:
    """The arms of `motion_balance`, over seeds."""
    return Outcomes.of(_stored("motion_arms")["outcomes"])


def _stored(name: str) -> dict:
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path.name} in results/: it is made by benchmarks/motion_arms.py")
    return json.loads(path.read_text(encoding="utf-8"))
