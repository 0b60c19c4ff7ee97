"""Trials of a comparison: arms over paired seeds, with what came out, what it cost, and what may be concluded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gannb.comparison.intervals import over_seeds, paired_difference, seeds_text
from gannb.metrics.score import Score, Scores
from gannb.metrics.stability import OverTime
from gannb.runs.folder import Run
from gannb.tables import Table

ENOUGH = 5
"""Seeds from which on a comparison is said to decide anything (claim S4)."""


@dataclass(frozen=True)
class Trial:
    """One arm with one seed.

    Attributes:
        arm, seed: which.
        scores: at the end.
        over: the deciding score by step.
        paths: of each number, `(step, value)` at the start and at every move.
        steps, seconds: how long it trained.
    """

    arm: str
    seed: int
    scores: Scores
    over: Mapping[int, float] = field(default_factory=dict)
    paths: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, arm: str, run: Run, scores: Scores, *, over: str, numbers: Iterable[str], seconds: float) -> Trial:
        """A finished run as a trial.

        Args:
            arm: its name in the comparison.
            run: its records; the seed is its parameters'.
            scores: at the end.
            over: the name of the series that was recorded along the way.
            numbers: whose paths are kept.
            seconds: of training.
        """
        series, paths = run.history[over], {name: run.trajectory(name) for name in numbers}
        steps = int(run.history["D/loss"].steps[-1])
        return cls(
            arm,
            run.params.seed,
            scores,
            dict(zip(series.steps.tolist(), series.values.tolist())),
            paths,
            steps,
            seconds,
        )

    @property
    def over_time(self) -> OverTime:
        """The deciding score over training."""
        return OverTime(tuple(self.over), tuple(self.over.values()))

    def as_dict(self) -> dict[str, Any]:
        """As JSON; scores without their protocols, which are one for all."""
        had = {n: {"value": s.value, "error": s.error} for n, s in self.scores.items() if s.available}
        head = {"arm": self.arm, "seed": self.seed, "steps": self.steps, "seconds": round(self.seconds, 2)}
        paths = {n: [[step, float(f"{value:.4g}")] for step, value in path] for n, path in self.paths.items()}
        return head | {"scores": had, "over": {k: float(f"{v:.5g}") for k, v in self.over.items()}, "paths": paths}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Trial:
        """The reverse of `as_dict`."""
        return cls(
            stored["arm"],
            stored["seed"],
            Scores(Score(name, kept["value"], kept["error"]) for name, kept in stored["scores"].items()),
            {int(step): value for step, value in stored["over"].items()},
            {name: [(step, value) for step, value in path] for name, path in stored["paths"].items()},
            stored["steps"],
            stored["seconds"],
        )


class Trials:
    """Arms over seeds.

    Args:
        trials: one an arm and seed.
        metric: the score that decides; lower is better.
        command: what made them, where they were read from a file.

    Raises:
        ValueError: an arm twice with one seed.
    """

    def __init__(self, trials: Iterable[Trial] = (), metric: str = "", command: str = "") -> None:
        self.metric, self.command = metric, command
        self._trials: dict[tuple[str, int], Trial] = {}
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> Trial:
        """Take in one more."""
        if (trial.arm, trial.seed) in self._trials:
            raise ValueError(f"{trial.arm} was tried with seed {trial.seed} already")
        self._trials[trial.arm, trial.seed] = trial
        return trial

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials.values())

    def __len__(self) -> int:
        return len(self._trials)

    def __contains__(self, arm: str) -> bool:
        return arm in self.arms

    @property
    def arms(self) -> list[str]:
        """In the order in which they came."""
        return list(dict.fromkeys(trial.arm for trial in self))

    def of(self, arm: str) -> list[Trial]:
        """An arm's trials, by seed; an error names those that are there."""
        if arm not in self.arms:
            raise KeyError(f"no trial of {arm!r}; there are {', '.join(self.arms)}")
        return sorted((trial for trial in self if trial.arm == arm), key=lambda trial: trial.seed)

    def values(self, arm: str, name: str = "") -> dict[int, float]:
        """A score by seed, of those that had it; "seconds", and "mean_over_training" of the deciding score, too."""
        name, mine = name or self.metric, self.of(arm) if arm in self else []
        if name in ("seconds", "mean_over_training"):
            over = {trial.seed: float(np.mean(list(trial.over.values()))) for trial in mine}
            return over if name != "seconds" else {trial.seed: trial.seconds for trial in mine}
        return {t.seed: float(t.scores[name]) for t in mine if name in t.scores and t.scores[name].available}

    def over_seeds(self, arm: str, name: str = "") -> Score:
        """Mean over seeds with its bootstrap interval; missing, with the reason, where there are no two seeds."""
        return over_seeds(list(self.values(arm, name).values()), name or self.metric)

    def difference(self, arm: str, over: str, name: str = "") -> Score:
        """Mean of arm − over, seed by seed, with its bootstrap interval; below 0 the arm is lower.

        Missing, with the reason, where an arm was not tried or they share no two seeds.
        """
        if absent := [one for one in (arm, over) if one not in self]:
            return Score.missing(f"{arm} − {over}", f"{' and '.join(absent)} not tried")
        mine, theirs = self.values(arm, name), self.values(over, name)
        both = sorted(mine.keys() & theirs.keys())
        return paired_difference([mine[s] for s in both], [theirs[s] for s in both], f"{arm} − {over}")

    def at_equal_cost(self, arm: str, over: str, cost: float) -> Score:
        """`difference` of the deciding score along the way, at the moment when `arm` had cost what `over` cost in all.

        Args:
            cost: what a step of `arm` costs, in steps of `over`; its scores are interpolated between looks.
        """
        if absent := [one for one in (arm, over) if one not in self]:
            return Score.missing(f"{arm} − {over}", f"{' and '.join(absent)} not tried")
        theirs = {trial.seed: trial.over_time.last for trial in self.of(over)}
        mine = {
            trial.seed: float(np.interp(theirs[trial.seed][0] / cost, list(trial.over), list(trial.over.values())))
            for trial in self.of(arm)
            if trial.seed in theirs
        }
        return paired_difference(list(mine.values()), [theirs[seed][1] for seed in mine], f"{arm} − {over}")

    def best(self, among: Sequence[str]) -> str:
        """The arm of the lowest mean; the first named where none was tried."""
        there = [arm for arm in among if arm in self and self.values(arm)]
        return min(there, key=lambda arm: float(np.mean(list(self.values(arm).values()))), default=among[0])

    def curve(self, arm: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps `[n]` and the deciding score `[seeds, n]`."""
        mine = self.of(arm)
        return np.array(list(mine[0].over)), np.array([list(trial.over.values()) for trial in mine])

    def path(self, arm: str, name: str, points: int = 40) -> tuple[np.ndarray, np.ndarray]:
        """Steps `[points]` and a number's value then `[seeds, points]`."""
        mine = self.of(arm)
        steps = np.linspace(0, max(trial.steps for trial in mine), points).astype(int)
        return steps, np.array([_held(trial.paths[name], steps) for trial in mine])

    def wander(self, arm: str, name: str) -> float:
        """How far a number went over how far it got, the median over seeds: 1 for a straight way down or up."""
        ways = [np.array([value for _, value in trial.paths[name]]) for trial in self.of(arm)]
        net = [abs(way[-1] - way[0]) for way in ways]
        return float(np.median([np.abs(np.diff(way)).sum() / max(far, 1e-12) for way, far in zip(ways, net)]))

    def table(self, names: Iterable[str] = ()) -> Table:
        """A row an arm: each score's mean and, in brackets, its 95 % bootstrap interval."""
        names = list(names) or [self.metric]
        rows = [
            (arm, len(self.of(arm)), *(_text(list(self.values(arm, n).values())) for n in names)) for arm in self.arms
        ]
        return Table(("arm", "seeds", *names), rows, note=self.command)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def save(self, path: Path, **more: Any) -> None:
        """Write as JSON, with what else the file should say."""
        head = {"command": self.command, "metric": self.metric, **more}
        rows = ",\n".join(json.dumps(trial.as_dict(), ensure_ascii=False) for trial in self)
        text = json.dumps(head, indent=1, ensure_ascii=False)[:-2]
        path.write_text(f'{text},\n "trials": [\n{rows}\n]\n}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Trials:
        """The reverse of `save`; no trial where there is no file, so that a comparison can begin with nothing kept."""
        if not path.is_file():
            return cls(command=f"no {path.name} in {path.parent.name}/: it is made by a script in benchmarks/")
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(map(Trial.from_dict, stored["trials"]), stored["metric"], stored["command"])


def concluded(difference: Score, enough: int = ENOUGH) -> str:
    """What a paired difference (`arm − other`, lower is better) allows to say: a sentence."""
    if not difference.available:
        return f"{difference.name}: undecided, {difference.reason}"
    low, high = difference.interval
    seeds, told = difference.protocol["seeds"], difference.ranged(signed=True)
    if seeds < enough:
        return f"{difference.name} = {told}: undecided, {seeds} seeds of at least {enough}"
    if low <= 0 <= high:
        return f"{difference.name} = {told} over {seeds} seeds: a null result, no difference is shown"
    arm, other = difference.name.split(" − ")
    return f"{difference.name} = {told} over {seeds} seeds: {arm if high < 0 else other} is better"


def _held(path: list[tuple[int, float]], steps: np.ndarray) -> np.ndarray:
    """A number that stays where it is between moves, at some steps."""
    moved, values = zip(*path)
    return np.array(values)[np.searchsorted(moved, steps, side="right") - 1]


def _text(values: list[float]) -> str | None:
    return seeds_text(values) if values else None
