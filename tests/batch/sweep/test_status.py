"""The status of a sweep: states, time left, the best so far, failures, and the scores of its variants."""

import io
import json
import time
from pathlib import Path

import pytest

from gannb.batch.sweep import status
from gannb.batch.sweep.plan import Sweep, Trial
from gannb.batch.sweep.status import StatusTable, TrialStatus, failures, live_table, time_left
from gannb.batch.sweep.trial import Job, locked


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Two arms with two seeds."""
    (tmp_path / "records").mkdir()
    (tmp_path / "toy").mkdir()
    where = {"notebook": "", "code": "", "values": {}, "hash": "", "base": str(tmp_path / "toy")}
    return [
        Job(f"{arm}{seed}", arm, seed, **where, records=str(tmp_path / "records"))
        for arm in ("a", "b")
        for seed in (0, 1)
    ]


@pytest.fixture
def sweep(jobs: list[Job]) -> Sweep:
    return Sweep("some", "toy", [Trial(job.variant, job.seed, None, {}) for job in jobs], "kid", "low", "")


def done(job: Job, score: float | None, seconds: float = 10.0) -> None:
    folder = Path(job.base, f"run-{job.id}")
    folder.mkdir()
    metrics = {} if score is None else {"kid": {"value": score}}
    (folder / "summary.json").write_text(json.dumps({"metrics": metrics}))
    job.write("done", folder=folder.name, seconds=seconds)


def test_a_record_of_one_that_runs_counts_while_its_lock_is_held(jobs: list[Job]) -> None:
    jobs[0].write("running", since=time.time())
    jobs[0].file("progress").write_text('{"step": 3, "steps": 9, "seconds_left": 30.0}')
    assert TrialStatus.of(jobs[0], "kid").state == "waiting", "its process was killed"
    with locked(jobs[0].file("lock")):
        now = TrialStatus.of(jobs[0], "kid")
    assert now.state == "running" and now.seconds_left == 30.0


def test_time_left_is_that_of_the_running_and_of_the_waiting_at_their_pace(jobs: list[Job]) -> None:
    done(jobs[0], 1.0, seconds=20.0)
    jobs[1].write("running", since=time.time() - 10)
    jobs[1].file("progress").write_text('{"step": 1, "steps": 2, "seconds_left": 10.0}')
    with locked(jobs[1].file("lock")):
        now = [TrialStatus.of(job, "kid") for job in jobs]
    assert time_left(now) == pytest.approx(10 + 2 * 20, abs=0.5), "one worker: its rest, and two more of 20 s"
    assert time_left([one for one in now if one.state != "running"]) is None


def test_a_log_gets_a_line_for_each_change_and_a_terminal_a_table(sweep: Sweep, jobs: list[Job]) -> None:
    log = io.StringIO()
    shown = StatusTable(sweep, jobs, log)
    shown()
    assert log.getvalue() == ""
    done(jobs[0], 0.5)
    done(jobs[2], 0.25)
    jobs[1].write("failed", error="RuntimeError: no image", cell=4, seconds=1.0)
    shown()
    shown()
    lines = log.getvalue().splitlines()
    assert len(lines) == 3 and lines[0].startswith("done: a, seed 0 in 10 s, 0.5; 2 done, 1 waiting, 1 failed")
    assert "failed: a, seed 1 (code cell 4: RuntimeError: no image)" in lines[1]
    assert lines[0].endswith("best kid so far: 0.25 (b, seed 0)")

    terminal = io.StringIO()
    terminal.isatty = lambda: True
    shown = StatusTable(sweep, jobs, terminal)
    shown()
    first = terminal.getvalue()
    shown()
    assert first.splitlines()[2].split()[:3] == ["a", "1", "failed"], "failures stand above what is done"
    assert terminal.getvalue()[len(first) :].startswith(f"\x1b[{len(first.splitlines())}F\x1b[J"), "drawn over"


def test_more_trials_than_rows(sweep: Sweep, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "ROWS", 3)
    table = live_table([TrialStatus.of(job, "kid") for job in jobs], sweep)
    assert len(table) == 3 and table.note == "and 1 more"


def test_what_came_of_it(sweep: Sweep, jobs: list[Job]) -> None:
    for job, score in zip(jobs, (1.0, 2.0, 0.5, None)):
        done(job, score)
    jobs[3].write("failed", error="died", cell=0)
    now = [TrialStatus.of(job, "kid") for job in jobs]
    a, b = status.outcome(now, sweep).rows
    assert a[:2] == ("a", 2) and a[2] == "1, 2 (2 runs)" and b[1:3] == (1, "0.5 (1 run)")
    assert failures(now).rows == [("b, seed 1", None, "died", None)]
    high = Sweep("some", "toy", sweep.trials, "kid", "high", "")
    assert status.best(now, high.better).score == 2.0 and status.best(now, sweep.better).score == 0.5
