"""One trial in a process of its own, on whatever worker Dask gives it.

A record `<records>/<id>.json` says how a trial stands, a lock beside it that one process at a time works on it. A trial
that was killed goes on in its run folder, at its newest checkpoint. The process ends with the worker that started it:
it pauses as soon as its standard input is closed.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gannb.batch.sweep.plan import Sweep
from gannb.runs import files

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
ATTEMPTS = 3
"""How often a trial is begun or gone on with, by one driver, before its death is called a failure."""
GRACE = 20.0
"""Seconds a trial has to store a checkpoint when its worker is gone."""


@dataclass(frozen=True)
class Job:
    """What a worker is told of a trial; plain values, since it may be on another machine.

    Attributes:
        id: as `trial_id` gives it.
        arm, seed: for people.
        notebook: its path.
        code: the digest of the code the trial was planned with.
        values: the parameters to inject.
        hash: of the parameters, as it stands in the name of the run folder.
        base: where the experiment's run folders lie.
        records: where records lie.
    """

    id: str
    arm: str
    seed: int | None
    notebook: str
    code: str
    values: dict[str, Any]
    hash: str
    base: str
    records: str

    @property
    def label(self) -> str:
        """The arm, and the seed where there is one."""
        return self.arm if self.seed is None else f"{self.arm}, seed {self.seed}"

    def file(self, ending: str) -> Path:
        """A file of this trial beside its record."""
        return Path(self.records, f"{self.id}.{ending}")

    def record(self) -> dict[str, Any]:
        """How it stands; an empty record counts as waiting."""
        path = self.file("json")
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"id": self.id, "state": WAITING}

    def write(self, state: str, **fields: Any) -> dict[str, Any]:
        """Write the record anew."""
        record = {"id": self.id, "arm": self.arm, "seed": self.seed, "state": state, **fields}
        files.write_json(self.file("json"), record)
        return record

    def finished(self) -> bool:
        """Whether it is done and its run folder still holds what a finished run's should."""
        from gannb.batch.papermill import missing

        record = self.record()
        folder = record.get("folder")
        return record["state"] == DONE and bool(folder) and not missing(Path(self.base, folder))

    def progress(self) -> dict[str, float]:
        """What its trainer told last: step, steps, seconds_left; empty before it trains."""
        try:
            return json.loads(self.file("progress").read_text(encoding="utf-8"))
        except FileNotFoundError:  # not yet, or just put away
            return {}


def jobs(sweep: Sweep, base: Path) -> list[Job]:
    """The jobs of a sweep, with the code as it is now. Run folders lie in `base`, records beside it."""
    from gannb.batch.sweep.fingerprint import code_digest, named_data, trial_id
    from gannb.config.presets import notebook

    path = notebook(sweep.notebook)
    code, records = code_digest(path), records_in(base.parent)
    records.mkdir(parents=True, exist_ok=True)
    found = []
    for trial in sweep.trials:
        places = {name: str(place) for name, place in named_data(trial.params).items() if name in trial.values}
        params = type(trial.params)(**(trial.values | places))  # a worker may stand in another folder
        told = {name: getattr(params, name) for name in trial.values} | {"runs": str(base.parent)}
        address = trial_id(trial.params, code)
        found.append(Job(address, trial.arm, trial.seed, str(path), code, told, params.hash, str(base), str(records)))
    return found


def records_in(runs: Path) -> Path:
    """Where the records of all sweeps lie, so that one sweep finds what another did."""
    return runs / "sweeps" / "trials"


# ------------------------------------------------------------------------------------------------ on the worker


def launch(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run a trial in a process of its own until it is done or has failed; returns its record."""
    told = Job(**job)
    for _ in range(ATTEMPTS):
        code = _process(told)
        record = told.record()
        if told.finished() or (code == 0 and record["state"] == FAILED):
            told.file("log").unlink(missing_ok=True)
            return record
    said = told.file("log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    error = f"its process ended {ATTEMPTS} times ({_ending(code)})"
    return told.write(FAILED, error=error, cell=0, traceback="\n".join(said[-20:]))


def _process(job: Job) -> int:
    """One attempt. The pipe to its standard input is this worker's sign of life; Ctrl+C does not reach it."""
    environment = os.environ | {"GANNB_TRIAL": job.id, "GANNB_PROGRESS": str(job.file("progress"))}
    command = [sys.executable, "-m", "gannb.batch.sweep.trial"]
    with job.file("log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:  # it ended before it read: its exit code says so
        pass
    return process.wait()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


# ---------------------------------------------------------------------------------------------- in the process


def main() -> int:
    """Read a job from standard input, work on it, and leave its record."""
    job = Job(**json.loads(_first_line()))
    threading.Thread(target=_follow_worker, daemon=True).start()
    with locked(job.file("lock")):
        return 0 if work(job)["state"] in (DONE, FAILED) else 1


def work(job: Job) -> dict[str, Any]:
    """Run a trial, or go on with it, unless it is done already."""
    from gannb.batch.sweep.fingerprint import code_digest

    if job.finished():
        return job.record()
    if code_digest(Path(job.notebook)) != job.code:
        return job.write(FAILED, error="the code here is not the code that the sweep was planned with", cell=0)
    folder = earlier(job)
    began = time.time()
    job.write(RUNNING, since=began, folder=folder.name if folder else "", goes_on=bool(folder))
    outcome = _execute(job, folder)
    if outcome.failure and folder and outcome.failure.error.startswith("RunError"):  # nothing to go on with there
        outcome = _execute(job, None)
    job.file("progress").unlink(missing_ok=True)
    return _conclude(job, outcome, time.time() - began)


def _execute(job: Job, folder: Path | None) -> Any:
    from gannb.batch.papermill import execute

    if folder:
        _wait_for_writer(folder)
    values = job.values | ({"resume": str(folder)} if folder else {})
    return execute(Path(job.notebook), values, Path(job.base), progress=False)


def _conclude(job: Job, outcome: Any, seconds: float) -> dict[str, Any]:
    from gannb.batch.papermill import missing

    told = {"folder": outcome.folder.name if outcome.folder else "", "seconds": round(seconds, 1)}
    if outcome.interrupted:
        if not outcome.folder:
            outcome.executed.unlink(missing_ok=True)  # it had not begun
        return job.write(WAITING, **told)
    if outcome.failure:
        failure = outcome.failure
        return job.write(FAILED, error=failure.error, cell=failure.cell, traceback=failure.traceback, **told)
    lacking = missing(outcome.folder) if outcome.folder else ["it opened no run folder"]
    return job.write(FAILED, error="; ".join(lacking), cell=0, **told) if lacking else job.write(DONE, **told)


def earlier(job: Job) -> Path | None:
    """The newest run folder that an earlier attempt at this trial left."""
    found = []
    for path in Path(job.base).glob(f"*-{job.hash[:6]}*/environment.json"):
        if json.loads(path.read_text(encoding="utf-8")).get("trial") == job.id:
            found.append(path)
    return max(found, key=lambda path: path.stat().st_mtime).parent if found else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for whoever holds it; the system lets go of it with the process."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether some process holds a lock file."""
    if not path.is_file():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _wait_for_writer(folder: Path, seconds: float = 30.0) -> None:
    """Wait until the kernel of a killed attempt is gone: it notices within a second or two that it is alone."""
    ends = time.monotonic() + seconds
    while is_held(folder / ".lock") and time.monotonic() < ends:
        time.sleep(0.1)


def _first_line() -> bytes:
    """What the worker says first. Read without Python's buffer: its lock would be held at the end, which aborts."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise EOFError("the worker said nothing")
        line += byte
    return line


def _follow_worker() -> None:
    """When the worker is gone: pause the run, so that it stores where it is, and end in any case."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(1)  # the kernel sees within a second that it is alone, and ends too


if __name__ == "__main__":
    sys.exit(main())
