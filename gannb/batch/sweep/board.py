"""How a sweep stands: a table of its trials while they run, and what came of them."""

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
"""Trials that the live table shows at most."""


@dataclass
class Board:
    """The trials of a sweep as their records have them.

    Args:
        sweep: what was asked for.
        jobs: its trials.
        out: where the live table goes; on a terminal it is drawn anew, in a log each change is a line.
    """

    sweep: Sweep
    jobs: Sequence[Job]
    out: TextIO = field(default_factory=lambda: sys.stderr)
    _told: dict[str, str] = field(default_factory=dict)
    _height: int = 0

    def standings(self) -> list[Standing]:
        """Each trial as it stands now."""
        return [Standing.of(job, self.sweep.score) for job in self.jobs]

    def __call__(self) -> None:
        """Show what changed since the last call."""
        now = self.standings()
        if self.out.isatty():
            lines = [*repr(live_table(now, self.sweep)).splitlines(), self.line(now)]
            self.out.write((f"\x1b[{self._height}F\x1b[J" if self._height else "") + "\n".join(lines) + "\n")
            self._height = len(lines)
        else:
            for one in now:
                if self._told.get(one.job.id, WAITING) != one.state:
                    self.out.write(f"{one.state}: {one.job.label}{one.news()}; {self.line(now)}\n")
                self._told[one.job.id] = one.state
        self.out.flush()

    def line(self, now: Sequence[Standing]) -> str:
        """All of them in a line: how many are in which state, the time left, the best so far."""
        counts = Counter(one.state for one in now)
        parts = [", ".join(f"{counts[state]} {state}" for state in (DONE, RUNNING, WAITING, FAILED) if counts[state])]
        if left := time_left(now):
            parts.append(f"about {duration(left)} left")
        if found := best(now, self.sweep.better):
            parts.append(f"best {self.sweep.score} so far: {found.score:.4g} ({found.job.label})")
        return "; ".join(parts)


@dataclass(frozen=True)
class Standing:
    """A trial as it stands.

    Attributes:
        job: which one.
        state: waiting, running, done or failed.
        record: as it was written.
        progress: of the one that runs.
        score: of the one that is done; None where it has none of that name.
    """

    job: Job
    state: str
    record: Mapping[str, Any]
    progress: Mapping[str, float]
    score: float | None

    @classmethod
    def of(cls, job: Job, score: str) -> Standing:
        """Look at a trial's record, and at what it left. A record of one that runs counts while its lock is held."""
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

    def news(self) -> str:
        """What there is to say of its new state."""
        if self.state == FAILED:
            return f" ({where(self.record)})"
        if self.state == DONE:
            return f" in {duration(self.record['seconds'])}" + (f", {self.score:.4g}" if self.score is not None else "")
        return ""


def where(record: Mapping[str, Any]) -> str:
    """The error of a failed trial, and its cell."""
    cell = f"code cell {record['cell']}: " if record.get("cell") else ""
    return cell + record["error"]


def live_table(now: Sequence[Standing], sweep: Sweep) -> Table:
    """Those that run first; at most `ROWS`."""
    ordered = sorted(now, key=lambda one: ORDER.index(one.state))
    rows = [(one.job.arm, one.job.seed, one.state, _steps(one), _left(one), one.score) for one in ordered[:ROWS]]
    note = f"and {len(now) - ROWS} more" if len(now) > ROWS else ""
    return Table(("trial", "seed", "state", "step", "time left", sweep.score or "score"), rows, note=note)


def _steps(one: Standing) -> str:
    return f"{one.progress['step']:g} of {one.progress['steps']:g}" if one.progress else ""


def _left(one: Standing) -> str:
    return duration(one.seconds_left) if one.seconds_left is not None else ""


def time_left(now: Sequence[Standing]) -> float | None:
    """Seconds until all are through: what runs, and the waiting at the mean pace of what is done or runs."""
    running = [one for one in now if one.state == RUNNING]
    waiting = sum(one.state == WAITING for one in now)
    took = [one.record["seconds"] for one in now if one.state == DONE and one.record.get("seconds")]
    took += [time.time() - one.record["since"] + one.seconds_left for one in running if one.seconds_left is not None]
    if not running or not took:
        return None
    mean = sum(took) / len(took)
    left = sum(mean / 2 if one.seconds_left is None else one.seconds_left for one in running)
    return (left + waiting * mean) / len(running)


def best(now: Sequence[Standing], better: str) -> Standing | None:
    """The done trial with the best score."""
    scored = [one for one in now if one.score is not None]
    if not scored:
        return None
    return (min if better == "low" else max)(scored, key=lambda one: one.score)


def failures(now: Sequence[Standing]) -> Table:
    """The trials that failed, each with its error and its cell."""
    rows = [
        (one.job.label, one.record.get("cell") or None, one.record["error"], one.record.get("folder") or None)
        for one in now
        if one.state == FAILED
    ]
    return Table(("failed", "code cell", "error", "run"), rows)


def outcome(now: Sequence[Standing], sweep: Sweep) -> Table:
    """A row an arm: seeds done, mean score with its interval, and the paired difference to the first arm."""
    from gannb.comparison.outcome import outcome_table

    scores = {
        arm: {one.job.seed: one.score for one in now if one.job.arm == arm and one.score is not None}
        for arm in sweep.arms
    }
    return outcome_table(scores, sweep.score, sweep.better)


def _score(job: Job, record: Mapping[str, Any], name: str) -> float | None:
    path = Path(job.base, record["folder"], "summary.json")
    if not name or not path.is_file():
        return None
    metrics = json.loads(path.read_text(encoding="utf-8")).get("metrics") or {}
    return (metrics.get(name) or {}).get("value")
