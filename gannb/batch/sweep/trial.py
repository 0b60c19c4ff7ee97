"""One trial in its own process, on any worker of a Dask cluster.

A record `<records>/<id>.json` holds the state of a trial; a lock beside it ensures that one process at a time runs it.
A trial that was killed continues in its run folder from the newest checkpoint. The process ends with the worker that
started it: it pauses as soon as its standard input is closed.
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
"""How often one driver starts or continues a trial before its death counts as a failure."""
GRACE = 20.0
"""Seconds that a trial has to write a checkpoint when its worker is gone."""


@dataclass(frozen=True)
class Job:
    """A trial as a worker receives it; plain values, since it may be on another machine.

    Attributes:
        id: as `trial_id` gives it.
        variant, seed: for display.
        notebook: its path.
        code: the digest of the code that the trial was planned with.
        values: the parameters to inject.
        hash: of the parameters, as it stands in the name of the run folder.
        base: where the experiment's run folders lie.
        records: where records lie.
    """

    id: str
    variant: str
    seed: int | None
    notebook: str
    code: str
    values: dict[str, Any]
    hash: str
    base: str
    records: str

    @property
    def label(self) -> str:
        """The variant, and the seed where there is one."""
        return self.variant if self.seed is None else f"{self.variant}, seed {self.seed}"

    def file(self, ending: str) -> Path:
        """A file of this trial beside its record."""
        return Path(self.records, f"{self.id}.{ending}")

    def record(self) -> dict[str, Any]:
        """The record; a trial without one is waiting."""
        path = self.file("json")
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"id": self.id, "state": WAITING}

    def write(self, state: str, **fields: Any) -> dict[str, Any]:
        """Write the record."""
        record = {"id": self.id, "variant": self.variant, "seed": self.seed, "state": state, **fields}
        files.write_json(self.file("json"), record)
        return record

    def finished(self) -> bool:
        """Whether it is done and its run folder still holds what a finished run's should."""
        from gannb.batch.papermill import missing

        record = self.record()
        folder = record.get("folder", "")
        return record["state"] == DONE and folder != "" and not missing(Path(self.base, folder))

    def progress(self) -> dict[str, float]:
        """The trainer's last report: step, steps, seconds_left; empty before it trains."""
        try:
            return json.loads(self.file("progress").read_text(encoding="utf-8"))
        except FileNotFoundError:  # not yet, or just removed
            return {}


def jobs(sweep: Sweep, base: Path) -> list[Job]:
    """The jobs of a sweep, with the code as it is now. Run folders are in `base`, records beside it."""
    from gannb.batch.sweep.fingerprint import code_digest, named_data, trial_id
    from gannb.config.presets import notebook

    path = notebook(sweep.notebook)
    code, records = code_digest(path), records_in(base.parent)
    records.mkdir(parents=True, exist_ok=True)
    found = []
    for trial in sweep.trials:
        places = {name: str(place) for name, place in named_data(trial.params).items() if name in trial.values}
        params = type(trial.params)(**(trial.values | places))  # a worker may stand in another folder
        given = {name: getattr(params, name) for name in trial.values} | {"runs": str(base.parent)}
        address = trial_id(trial.params, code)
        found.append(
            Job(address, trial.variant, trial.seed, str(path), code, given, params.hash, str(base), str(records))
        )
    return found


def records_in(runs: Path) -> Path:
    """Where the records of all sweeps are, so that one sweep finds what another did."""
    return runs / "sweeps" / "trials"


# ------------------------------------------------------------------------------------------------ on the worker


def launch(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run a trial in its own process until it is done or has failed; returns its record."""
    trial = Job(**job)
    for _ in range(ATTEMPTS):
        code = _process(trial)
        record = trial.record()
        if trial.finished() or (code == 0 and record["state"] == FAILED):
            trial.file("log").unlink(missing_ok=True)
            return record
    lines = trial.file("log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    error = f"its process ended {ATTEMPTS} times ({_ending(code)})"
    return trial.write(FAILED, error=error, cell=0, traceback="\n".join(lines[-20:]))


def _process(job: Job) -> int:
    """One attempt. It ends when the pipe to its standard input closes, and Ctrl+C does not reach it."""
    environment = os.environ | {"GANNB_TRIAL": job.id, "GANNB_PROGRESS": str(job.file("progress"))}
    command = [sys.executable, "-m", "gannb.batch.sweep.trial", json.dumps(asdict(job))]
    with job.file("log").open("ab") as log:
        options: dict[str, Any] = {"stdout": log, "stderr": log, "env": environment, "start_new_session": True}
        return subprocess.Popen(command, stdin=subprocess.PIPE, **options).wait()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


# ---------------------------------------------------------------------------------------------- in the process


def main() -> int:
    """Run the job that the command line gives, and write its record."""
    job = Job(**json.loads(sys.argv[1]))
    threading.Thread(target=_follow_worker, daemon=True).start()
    with locked(job.file("lock")):
        return 0 if work(job)["state"] in (DONE, FAILED) else 1


def work(job: Job) -> dict[str, Any]:
    """Run a trial, or continue it, unless it is done already."""
    from gannb.batch.sweep.fingerprint import code_digest

    if job.finished():
        return job.record()
    if code_digest(Path(job.notebook)) != job.code:
        return job.write(FAILED, error="the code here is not the code that the sweep was planned with", cell=0)
    folder = earlier(job)
    began = time.time()
    job.write(RUNNING, since=began, folder=folder.name if folder else "", goes_on=bool(folder))
    outcome = _execute(job, folder)
    if outcome.failure and folder and outcome.failure.error.startswith("RunError"):  # nothing to resume there
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

    fields = {"folder": outcome.folder.name if outcome.folder else "", "seconds": round(seconds, 1)}
    if outcome.interrupted:
        if not outcome.folder:
            outcome.executed.unlink(missing_ok=True)  # it had not started
        return job.write(WAITING, **fields)
    if outcome.failure:
        failure = outcome.failure
        return job.write(FAILED, error=failure.error, cell=failure.cell, traceback=failure.traceback, **fields)
    lacking = missing(outcome.folder) if outcome.folder else ["it opened no run folder"]
    return job.write(FAILED, error="; ".join(lacking), cell=0, **fields) if lacking else job.write(DONE, **fields)


def earlier(job: Job) -> Path | None:
    """The newest run folder of an earlier attempt at this trial."""
    paths = Path(job.base).glob(f"*-{job.hash[:6]}*/environment.json")
    found = [path for path in paths if f'"trial": {json.dumps(job.id)}'.encode() in path.read_bytes()]
    return max(found, key=lambda path: path.stat().st_mtime).parent if found else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for its holder; the system releases it with the process."""
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
    """Wait until the kernel of a killed attempt is gone, which takes a second or two."""
    ends = time.monotonic() + seconds
    while is_held(folder / ".lock") and time.monotonic() < ends:
        time.sleep(0.1)


def _follow_worker() -> None:
    """When the worker is gone, pause the run, so that it writes a checkpoint, and end in any case."""
    os.read(0, 1)  # nothing comes: standard input is closed with the worker
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(1)  # the kernel notices within a second, and ends too


if __name__ == "__main__":
    sys.exit(main())
