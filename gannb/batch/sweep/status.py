"""The status of a sweep: a table of its trials while they run, and their scores at the end."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from gannb.batch.sweep.plan import Sweep
from gannb.batch.sweep.trial import DONE, FAILED, RUNNING, WAITING, Job, is_held
from gannb.tables import Table
from gannb.training.progress import duration

ORDER = (RUNNING, FAILED, DONE, WAITING)
ROWS = 20
"""Trials that the live table shows, at most."""


@dataclass(frozen=True)
class TrialStatus:
    """The status of a trial.

    Attributes:
        job: the trial.
        state: waiting, running, done or failed.
        record: as it was written.
        progress: of a trial that runs.
        score: of a trial that is done; None where it has none of that name.
    """

    job: Job
    state: str
    record: Mapping[str, Any]
    progress: Mapping[str, float]
    score: float | None

    @classmethod
    def of(cls, job: Job, score: str) -> TrialStatus:
        """Read a trial's record and results; where its lock is free, "running" counts as waiting."""
        record = job.record()
        state = record["state"]
        if state == RUNNING and not is_held(job.file("lock")):
            state = WAITING
        progress = job.progress() if state == RUNNING else {}
        return cls(job, state, record, progress, _score(job, record, score) if state == DONE else None)

    @property
    def seconds_left(self) -> float | None:
        """Of its training; None where that is not known."""
        return self.progress.get("seconds_left")

    def summary(self) -> str:
        """The state in words, with time and score or the error."""
        if self.state == FAILED:
            cell = f"code cell {self.record['cell']}: " if self.record.get("cell") else ""
            return f"{self.state}: {self.job.label} ({cell}{self.record['error']})"
        score = "" if self.score is None else f", {self.score:.4g}"
        took = f" in {duration(self.record['seconds'])}{score}" if self.state == DONE else ""
        return f"{self.state}: {self.job.label}{took}"


@dataclass
class StatusTable:
    """Shows the status of a sweep.

    Args:
        sweep: what was requested.
        jobs: its trials.
        out: where to; on a terminal the table is redrawn, in a log each change is one line.
    """

    sweep: Sweep
    jobs: Sequence[Job]
    out: TextIO = field(default_factory=lambda: sys.stderr)
    _logged: dict[str, str] = field(default_factory=dict)
    _height: int = 0

    def now(self) -> list[TrialStatus]:
        """The current status of each trial."""
        return [TrialStatus.of(job, self.sweep.score) for job in self.jobs]

    def __call__(self) -> None:
        """Show what changed since the last call."""
        now = self.now()
        if self.out.isatty():
            lines = [*repr(live_table(now, self.sweep)).splitlines(), self.line(now)]
            self.out.write((f"\x1b[{self._height}F\x1b[J" if self._height else "") + "\n".join(lines) + "\n")
            self._height = len(lines)
        else:
            for trial in now:
                if self._logged.get(trial.job.id, WAITING) != trial.state:
                    self.out.write(f"{trial.summary()}; {self.line(now)}\n")
                self._logged[trial.job.id] = trial.state
        self.out.flush()

    def line(self, now: Sequence[TrialStatus]) -> str:
        """All trials in one line: how many are in which state, the time left, the best so far."""
        counts = Counter(trial.state for trial in now)
        parts = [", ".join(f"{counts[state]} {state}" for state in (DONE, RUNNING, WAITING, FAILED) if counts[state])]
        if left := time_left(now):
            parts.append(f"about {duration(left)} left")
        if found := best(now, self.sweep.better):
            parts.append(f"best {self.sweep.score} so far: {found.score:.4g} ({found.job.label})")
        return "; ".join(parts)


def live_table(now: Sequence[TrialStatus], sweep: Sweep) -> Table:
    """At most `ROWS` trials, those that run first."""
    rows = []
    for trial in sorted(now, key=lambda trial: ORDER.index(trial.state))[:ROWS]:
        step = "{step:g} of {steps:g}".format(**trial.progress) if trial.progress else ""
        left = "" if trial.seconds_left is None else duration(trial.seconds_left)
        rows.append((trial.job.variant, trial.job.seed, trial.state, step, left, trial.score))
    note = f"and {len(now) - ROWS} more" if len(now) > ROWS else ""
    return Table(("trial", "seed", "state", "step", "time left", sweep.score or "score"), rows, note=note)


def time_left(now: Sequence[TrialStatus]) -> float | None:
    """Seconds until all trials have ended, those that wait at the mean duration of the others; None if unknown."""
    running = [trial for trial in now if trial.state == RUNNING]
    waiting = sum(trial.state == WAITING for trial in now)
    known = [(trial.record["since"], trial.seconds_left) for trial in running if trial.seconds_left is not None]
    took = [trial.record["seconds"] for trial in now if trial.state == DONE and trial.record.get("seconds")]
    took += [time.time() - since + left for since, left in known]
    if not running or not took:
        return None
    mean = sum(took) / len(took)
    left = sum(mean / 2 if trial.seconds_left is None else trial.seconds_left for trial in running)
    return (left + waiting * mean) / len(running)


def best(now: Sequence[TrialStatus], better: str) -> TrialStatus | None:
    """The trial with the best score; None where none has one."""
    scored = [(trial.score, index) for index, trial in enumerate(now) if trial.score is not None]
    return now[(min if better == "low" else max)(scored)[1]] if scored else None


def failures(now: Sequence[TrialStatus]) -> Table:
    """The trials that failed, each with its error and its cell."""
    records = [(trial.job.label, trial.record) for trial in now if trial.state == FAILED]
    rows = [(label, one.get("cell") or None, one["error"], one.get("folder") or None) for label, one in records]
    return Table(("failed", "code cell", "error", "run"), rows)


def outcome(now: Sequence[TrialStatus], sweep: Sweep) -> Table:
    """One row per variant: seeds done, mean score with its interval, and the paired difference to the first variant."""
    from gannb.comparison.trials import Comparison, Trial
    from gannb.metrics.score import Score, Scores

    trials = []
    for one in now:
        known = one.score is not None
        score = Score(sweep.score, one.score) if known else Score.missing(sweep.score, one.state)
        trials.append(Trial(one.job.variant, one.job.seed or 0, Scores([score])))
    return Comparison(trials, sweep.score, sweep.better).tested()


def _score(job: Job, record: Mapping[str, Any], name: str) -> float | None:
    path = Path(job.base, record["folder"], "summary.json")
    if not name or not path.is_file():
        return None
    metrics = json.loads(path.read_text(encoding="utf-8")).get("metrics") or {}
    return (metrics.get(name) or {}).get("value")
