"""Variants over paired seeds: what came out and what it cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gannb.comparison.intervals import over_seeds, paired, paired_difference, seeds_text
from gannb.comparison.over_time import OverTime
from gannb.metrics.score import Score, Scores
from gannb.runs.files import write_bytes
from gannb.tables import ShownAsTable, Table

if TYPE_CHECKING:  # torch: a report of runs needs none
    from gannb.runs.folder import Run

COSTS = ("steps", "seconds", "cpu_seconds")
ORIGIN = ("commit", "hardware")
_KEPT = ("value", "error", "floor", "reason")  # of a score; the protocol is one for all trials


@dataclass(frozen=True)
class Trial:
    """One variant with one seed.

    Attributes:
        variant, seed: which.
        scores: at the end, and what else was measured of the training.
        steps, seconds, cpu_seconds: what training took: steps, time by the clock, processor time; 0 if not measured.
        curve: the deciding score by step.
        paths: of each number, `(step, value)` at the start and at every move.
        commit, hardware: which code measured it, and on what; "" if not recorded.
    """

    variant: str
    seed: int
    scores: Scores
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    curve: Mapping[int, float] = field(default_factory=dict)
    paths: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    commit: str = ""
    hardware: str = ""

    @classmethod
    def of(
        cls,
        variant: str,
        run: Run,
        scores: Mapping[str, Score],
        *,
        more: Mapping[str, float] | None = None,
        curve: str = "",
        numbers: Iterable[str] = (),
        seconds: float = 0.0,
        cpu_seconds: float = 0.0,
    ) -> Trial:
        """A finished run as a trial.

        Args:
            variant: its name in the comparison.
            run: its records; the seed is its parameters'.
            scores: at the end.
            more: plain numbers beside them, such as how often a rule acted; a score of that name takes precedence.
            curve: the name of the series of the deciding score, where one was recorded along the way.
            numbers: whose paths are kept.
            seconds: of training.
            cpu_seconds: of training.
        """
        every = {**{name: Score(name, value) for name, value in (more or {}).items()}, **scores}
        series = run.history[curve] if curve else None
        return cls(
            variant,
            getattr(run.params, "seed", 0),
            Scores(every.values()),
            max((row["step"] for row in run.history.rows()), default=0),
            round(seconds, 2),
            round(cpu_seconds, 1),
            dict(zip(series.steps.tolist(), series.values.tolist())) if series else {},
            {name: run.trajectory(name) for name in numbers},
        )

    @property
    def over_time(self) -> OverTime:
        """The deciding score over training."""
        return OverTime(tuple(self.curve), tuple(self.curve.values()))

    def as_dict(self) -> dict[str, Any]:
        """As JSON; scores without their protocols, curves and paths to a few digits."""
        head = {"variant": self.variant, "seed": self.seed}
        head |= {name: kept for name in (*ORIGIN, *COSTS) if (kept := getattr(self, name))}
        scores = {
            name: {key: value for key, value in score.as_dict().items() if key in _KEPT and value is not None}
            for name, score in self.scores.items()
        }
        curve = [[step, float(f"{value:.5g}")] for step, value in self.curve.items()]
        paths = {n: [[step, float(f"{value:.6g}")] for step, value in path] for n, path in self.paths.items()}
        return head | {"scores": scores} | ({"curve": curve} if curve else {}) | ({"paths": paths} if paths else {})

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Trial:
        """The reverse of `as_dict`."""
        scores = Scores(Score.from_dict(name, kept) for name, kept in stored["scores"].items())
        paths = {name: [(step, value) for step, value in path] for name, path in stored.get("paths", {}).items()}
        more: dict[str, Any] = {name: stored[name] for name in (*ORIGIN, *COSTS) if name in stored}
        return cls(stored["variant"], stored["seed"], scores, curve=dict(stored.get("curve", ())), paths=paths, **more)


class Comparison(ShownAsTable):
    """Trials of several variants over seeds.

    Args:
        trials: one per variant and seed.
        metric: the score that decides.
        better: whether "low" or "high" values of it are better; "" if that is not known.
        head: what else a file says of all trials: question, command, data, settings.

    Raises:
        ValueError: a variant twice with one seed.
    """

    def __init__(self, trials: Iterable[Trial] = (), metric: str = "", better: str = "low", **head: Any) -> None:
        self.metric, self.better, self.head = metric, better, head
        self._trials: dict[tuple[str, int], Trial] = {}
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> Trial:
        """Add one more.

        Raises:
            ValueError: its variant has a trial with this seed already.
        """
        if (trial.variant, trial.seed) in self._trials:
            raise ValueError(f"{trial.variant} was tried with seed {trial.seed} already")
        self._trials[trial.variant, trial.seed] = trial
        return trial

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials.values())

    def __len__(self) -> int:
        return len(self._trials)

    def __contains__(self, variant: str) -> bool:
        return variant in self.variants

    @property
    def variants(self) -> list[str]:
        """In the order in which they came."""
        return list(dict.fromkeys(trial.variant for trial in self))

    def of(self, variant: str) -> list[Trial]:
        """A variant's trials, by seed.

        Raises:
            KeyError: there is none; says which variants there are.
        """
        if variant not in self:
            raise KeyError(f"no trial of {variant!r}; there are {', '.join(self.variants)}")
        return sorted((trial for trial in self if trial.variant == variant), key=lambda trial: trial.seed)

    def origin(self, variant: str) -> tuple[str, ...]:
        """Which code measured a variant's trials, and on what: commits, hardware."""
        mine = [[getattr(trial, name) or f"{name} not recorded" for trial in self.of(variant)] for name in ORIGIN]
        return tuple("; ".join(dict.fromkeys(each)) for each in mine)

    def without(self, variants: Iterable[str]) -> Comparison:
        """All but some variants."""
        out = set(variants)
        return Comparison((t for t in self if t.variant not in out), self.metric, self.better, **self.head)

    def values(self, variant: str, name: str = "") -> dict[int, float]:
        """A score by seed, where it is available; also one of `COSTS`, or "mean_over_training" of the curve."""
        name, found = name or self.metric, {}
        for trial in self.of(variant) if variant in self else ():
            if name in trial.scores:
                if trial.scores[name].available:
                    found[trial.seed] = float(trial.scores[name])
            elif name in COSTS and (spent := getattr(trial, name)):
                found[trial.seed] = float(spent)
            elif name == "mean_over_training" and trial.curve:
                found[trial.seed] = float(np.mean(list(trial.curve.values())))
        return found

    def mean(self, variant: str, name: str = "") -> float | None:
        """Mean of a score over seeds; None where no seed has it."""
        values = list(self.values(variant, name).values())
        return sum(values) / len(values) if values else None

    def over_seeds(self, variant: str, name: str = "") -> Score:
        """Mean over seeds with its 95 % interval; missing, with the reason, where there are fewer than two seeds."""
        return self._sourced(over_seeds(list(self.values(variant, name).values()), name or self.metric))

    def difference(self, variant: str, over: str, name: str = "", *, enough: int = 2) -> Score:
        """Mean of variant − over, seed by seed, with its 95 % interval; below 0 the variant is lower.

        Args:
            variant: which.
            over: which.
            name: of the score; the deciding one by default.
            enough: seeds that both must have; with fewer it is missing, as where a variant was not tried.
        """
        label = f"{variant} − {over}"
        if absent := [one for one in (variant, over) if one not in self]:
            return Score.missing(label, f"{' and '.join(absent)} not tried")
        mine, theirs = self._pairs(variant, over, name)
        if 2 <= len(mine) < enough:
            return Score.missing(label, f"{len(mine)} seeds of at least {enough}")
        return self._sourced(paired_difference(mine, theirs, label))

    def at_equal_cost(self, variant: str, over: str, cost: float) -> Score:
        """`difference` along the curve, at the moment when `variant` had cost what `over` cost in all.

        Args:
            variant: which.
            over: which.
            cost: what a step of `variant` costs, in steps of `over`; its curve is interpolated.
        """
        if absent := [one for one in (variant, over) if one not in self]:
            return Score.missing(f"{variant} − {over}", f"{' and '.join(absent)} not tried")
        theirs = {trial.seed: trial.over_time.last for trial in self.of(over)}
        mine = {
            trial.seed: float(np.interp(theirs[trial.seed][0] / cost, list(trial.curve), list(trial.curve.values())))
            for trial in self.of(variant)
            if trial.seed in theirs
        }
        ends = [theirs[seed][1] for seed in mine]
        return self._sourced(paired_difference(list(mine.values()), ends, f"{variant} − {over}"))

    def best(self, among: Sequence[str]) -> str:
        """The variant of the lowest mean; the first named where none was tried."""
        means = {variant: mean for variant in among if (mean := self.mean(variant)) is not None}
        return min(means, key=lambda variant: means[variant], default=among[0])

    def swing(self, variants: Sequence[str]) -> dict[int, float]:
        """By seed, the largest over the smallest of the deciding score among some variants: 1 where none matters."""
        each = [self.values(variant) for variant in variants]
        seeds = set.intersection(*(set(values) for values in each))
        return {s: max(v[s] for v in each) / min(v[s] for v in each) for s in sorted(seeds)}

    def curve(self, variant: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps `[n]` and the deciding score `[seeds, n]`."""
        mine = self.of(variant)
        return np.array(list(mine[0].curve)), np.array([list(trial.curve.values()) for trial in mine])

    def path(self, variant: str, name: str, points: int = 40) -> tuple[np.ndarray, np.ndarray]:
        """Steps `[points]` and a number's value then `[seeds, points]`: it stays where it is between moves.

        Args:
            variant: which.
            name: of the number.
            points: evenly spaced over training.
        """
        mine = self.of(variant)
        steps, values = np.linspace(0, max(trial.steps for trial in mine), points).astype(int), []
        for trial in mine:
            moved, path = zip(*trial.paths[name])
            values.append(np.array(path)[np.searchsorted(moved, steps, side="right") - 1])
        return steps, np.array(values)

    def path_over_net_change(self, variant: str, name: str) -> float:
        """Path length of a number over its net change, the median over seeds: 1 if it goes straight or stands still."""
        paths = [np.array([value for _, value in trial.paths[name]]) for trial in self.of(variant)]
        lengths = [(np.abs(np.diff(p)).sum(), abs(p[-1] - p[0])) for p in paths]
        return float(np.median([length / max(net, 1e-12) if length else 1.0 for length, net in lengths]))

    def table(self, names: Iterable[str] = (), *, intervals: bool = True) -> Table:
        """A row per variant: mean of each score over seeds, with its 95 % interval in brackets unless turned off."""
        names = list(names) or [self.metric]
        cell = self._interval if intervals else self.mean
        rows = [(variant, len(self.of(variant)), *(cell(variant, n) for n in names)) for variant in self.variants]
        return Table(("variant", "seeds", *names), rows, note=self.head.get("command", ""))

    def beside(self, over: str, names: Iterable[str] = (), also: Iterable[str] = ()) -> Table:
        """A row per variant: the score that decides, differences from one variant, the cost beside it, other means.

        Args:
            over: the variant that all are compared with; processor times only where both had the same hardware.
            names: scores whose paired differences are shown with 95 %; the deciding one by default.
            also: scores whose means are shown.
        """
        names, also, rows = list(names) or [self.metric], list(also), []
        for variant in self.variants:
            apart = [None if variant == over else self._apart(variant, over, name) for name in names]
            spent = [{(t.seed, t.hardware): t.cpu_seconds for t in self.of(name)} for name in (variant, over)]
            ratios = [time / spent[1][at] for at, time in spent[0].items() if time and spent[1].get(at)]
            cost = f"×{np.mean(ratios):.2f}" if ratios else None
            means = [self.mean(variant, name) for name in also]
            rows.append((variant, len(self.of(variant)), self.mean(variant), *apart, cost, *means))
        columns = ("variant", "seeds", self.metric, *(f"Δ {name}" for name in names), "processor time", *also)
        note = f"Δ: difference from {over}, seed by seed, 95 %; an interval that holds 0 shows nothing"
        return Table(columns, rows, note="\n".join(filter(None, [note, self.head.get("command")])))

    def tested(self) -> Table:
        """A row per variant: the deciding score over seeds, its difference from the first, and p of sign flips."""
        first, rows = next(iter(self.variants), ""), []
        for variant in self.variants:
            mine, theirs = self._pairs(variant, first)
            test = str(paired(theirs, mine)) if variant != first and len(mine) > 1 else None
            rows.append((variant, len(self.values(variant)), self._interval(variant, self.metric), test))
        note = f"{self.better}er is better; " if self.better else ""
        note += "mean [95 % over seeds]; p of sign flips, seed by seed"
        return Table(("variant", "seeds", self.metric, f"difference from {first}"), rows, note=note)

    def save(self, path: Path) -> None:
        """Write as JSON: the head, then a line per trial."""
        head = json.dumps(self.head | {"metric": self.metric, "better": self.better}, indent=1, ensure_ascii=False)[:-2]
        rows = ",\n".join(json.dumps(trial.as_dict(), ensure_ascii=False) for trial in self)
        write_bytes(path, f'{head},\n "trials": [\n{rows}\n]\n}}\n'.encode())

    @classmethod
    def read(cls, path: Path) -> Comparison:
        """The reverse of `save`; without trials, and saying so, where there is no file yet.

        Raises:
            ValueError: a file of another layout.
        """
        if not path.is_file():
            return cls(command=f"no {path.name} in {path.parent.name}/: it is made by a script in benchmarks/")
        stored = json.loads(path.read_text(encoding="utf-8"))
        if "trials" not in stored:
            raise ValueError(f"{path.name} has no trials: write results by gannb.comparison.results.keep")
        origin = {name: stored.pop(name) for name in ORIGIN if name in stored}  # an older file's, of all its trials
        return cls((Trial.from_dict(origin | trial) for trial in stored.pop("trials")), **stored)

    def _sourced(self, score: Score) -> Score:
        """A score whose protocol names the file that it was computed from, where there is one."""
        source = {"source": self.head["source"]} if "source" in self.head else {}
        return replace(score, protocol={**score.protocol, **source})

    def _pairs(self, variant: str, over: str, name: str = "") -> tuple[list[float], list[float]]:
        """A score of two variants, over the seeds of both."""
        mine, theirs = self.values(variant, name), self.values(over, name)
        both = sorted(mine.keys() & theirs.keys())
        return [mine[seed] for seed in both], [theirs[seed] for seed in both]

    def _interval(self, variant: str, name: str) -> str | None:
        values = list(self.values(variant, name).values())
        return seeds_text(values, name) if values else None

    def _apart(self, variant: str, over: str, name: str) -> str | None:
        apart = np.subtract(*self._pairs(variant, over, name)).tolist()
        return seeds_text(apart, signed=True) if apart else None
