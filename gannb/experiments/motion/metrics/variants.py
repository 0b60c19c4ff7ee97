"""What became of each arm of an experiment on gesture: scores, what its training looked like, intervals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from gannb.comparison.intervals import over_seeds, paired_difference
from gannb.experiments.motion.collapse import DIVERSITY
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.metrics.evaluation import error_by_clip
from gannb.metrics.score import Score, Scores
from gannb.runs.files import write_json
from gannb.runs.folder import Run
from gannb.tables import Table


@dataclass(frozen=True)
class Outcome:
    """One arm with one seed.

    Attributes:
        arm, seed: which.
        scores: name → value, of those that could be had.
        errors: mean |made - real| of each held-out clip, metres.
        training: name → value: what its training looked like (`training_of`).
    """

    arm: str
    seed: int
    scores: Mapping[str, float]
    errors: Sequence[float]
    training: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, arm: str, run: Run, scores: Scores, real: Clips, made: Tensor, cpu_seconds: float) -> Outcome:
        """From a finished run, its scores, what it made to the speech of the real clips, and what training it took."""
        had = {name: float(score) for name, score in scores.items() if score.available}
        errors = error_by_clip(real, made).tolist()
        return cls(arm, run.params.seed, had, errors, training_of(run) | {"cpu_seconds": round(cpu_seconds, 1)})


def training_of(run: Run) -> dict[str, float]:
    """What a training looked like: D's accuracy at its end, skips, throttling, collapse.

    `accurate_steps` is the longest row of steps in which D was right in more than 99 % of cases; `collapsed` is 1 where
    an alarm rang for it, or where motions differed by under a quarter of the real at the end.
    """
    moves = [e for e in run.events("move") if e["outcome"] == "applied" and e["by"] == "balance"]
    found = {
        "d_accuracy": run.history["D/accuracy"].tail_mean(),
        "accurate_steps": float(_longest(run.history["D/accuracy"].values > 0.99)),
        "steps": float(len(run.history["G/loss"])),
        "skipped": float((run.history["D/turns"].values == 0).sum()),
        "throttled": float(sum(e["name"] == "g_turns" for e in moves)),
        "collapsed": float(any("collapses" in e["name"] for e in run.events("alarm"))),
    }
    if "G/diversity_share" in run.history:
        found["diversity_share"] = last = float(run.history["G/diversity_share"].values[-1])
        found["collapsed"] = max(found["collapsed"], float(last < DIVERSITY))
    return found


@dataclass(repr=False)
class Outcomes:
    """Outcomes of several arms and seeds; shows itself as a table."""

    all: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Add one."""
        self.all.append(outcome)

    @property
    def arms(self) -> list[str]:
        """Their names, in order of appearance."""
        return list(dict.fromkeys(o.arm for o in self.all))

    def values(self, arm: str, name: str) -> dict[int, float]:
        """A score, or what the training looked like, by seed."""
        mine = {o.seed: {**o.training, **o.scores} for o in self.all if o.arm == arm}
        return {seed: found[name] for seed, found in mine.items() if name in found}

    def mean(self, arm: str, name: str) -> float | None:
        """The mean over seeds; None where no seed has it."""
        values = list(self.values(arm, name).values())
        return sum(values) / len(values) if values else None

    def error(self, arm: str) -> Score:
        """Mean |made - real| of an arm, metres, with a bootstrap interval over seeds; of a single one, over clips.

        Between clips of one run only the data vary; another seed would give another network (`protocol` says which).
        """
        mine = [o.errors for o in self.all if o.arm == arm]
        if len(mine) > 1:
            return over_seeds([sum(errors) / len(errors) for errors in mine], "absolute_error")
        return _over_clips(over_seeds(mine[0], "absolute_error"))

    def advantage(self, arm: str, over: str, name: str) -> Score:
        """A score of one arm minus that of another, over the seeds that both have; missing with fewer than two."""
        mine, theirs = self.values(arm, name), self.values(over, name)
        seeds = sorted(mine.keys() & theirs.keys())
        return paired_difference([mine[s] for s in seeds], [theirs[s] for s in seeds], f"{name}_difference")

    def error_advantage(self, arm: str, over: str) -> Score:
        """The same of mean |made - real|; with one seed, over clips."""
        mine = {o.seed: o.errors for o in self.all if o.arm == arm}
        theirs = {o.seed: o.errors for o in self.all if o.arm == over}
        seeds = sorted(mine.keys() & theirs.keys())
        if len(seeds) == 1:
            return _over_clips(paired_difference(mine[seeds[0]], theirs[seeds[0]], "error_difference"))
        means = [[sum(e[s]) / len(e[s]) for s in seeds] for e in (mine, theirs)]
        return paired_difference(*means, "error_difference")

    def table(self, names: Sequence[str]) -> Table:
        """A row an arm: means over seeds of some scores."""
        rows = [
            (arm, len({o.seed for o in self.all if o.arm == arm}), *(self.mean(arm, name) for name in names))
            for arm in self.arms
        ]
        return Table(("arm", "seeds", *names), rows)

    def beside(self, over: str, names: Sequence[str]) -> Table:
        """A row an arm but `over`: what its scores are off from that arm's over the same seeds, with 95 %."""
        rows = [
            (arm, *(self.advantage(arm, over, name).ranged(signed=True) for name in names))
            for arm in self.arms
            if arm != over
        ]
        return Table(
            (f"less {over}", *names), rows, note="95 % over the same seeds; an interval that holds 0 shows nothing"
        )

    def write(self, path: Path) -> None:
        """Write as JSON, to five digits: what lies beyond them is another machine's rounding."""
        rows = json.dumps([vars(o) for o in self.all])
        write_json(path, json.loads(rows, parse_float=lambda number: float(f"{float(number):.5g}")))

    @classmethod
    def read(cls, path: Path) -> Outcomes:
        """The reverse of `write`."""
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, stored: Iterable[Mapping[str, Any]]) -> Outcomes:
        """From stored outcomes."""
        return cls([Outcome(**row) for row in stored])

    def __repr__(self) -> str:
        return f"{len(self.all)} outcomes of {', '.join(self.arms)}"


def _over_clips(score: Score) -> Score:
    protocol = {k: v for k, v in score.protocol.items() if k not in ("seeds", "spread")}
    clips = {"clips": score.protocol.get("seeds"), "error": "standard error over clips of one seed"}
    return Score.from_dict(score.name, score.as_dict() | {"protocol": protocol | clips})


def _longest(held: Sequence[bool]) -> int:
    longest = run = 0
    for one in held:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest
