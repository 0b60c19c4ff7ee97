"""Run one notebook on several ranks: one process per rank, started by torchrun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gannb.batch import papermill
from gannb.batch.papermill import EXECUTED, Execution, Failure, Outcome, failed_path, find_folder
from gannb.runs import leftovers


def execute(notebook: Path, values: Mapping[str, Any], base: Path, *, progress: bool = True, ranks: int = 1) -> Outcome:
    """Run a notebook with these parameters, in one process per rank.

    Args:
        notebook: the notebook to run; it is not changed.
        values: parameters as plain Python values, already validated; floats stay floats.
        base: where the experiment's run folders are (`runs/<name>`).
        progress: show a bar over cells and, within the one that trains, over steps.
        ranks: processes that share the run.
    """
    if ranks == 1:
        return papermill.execute(notebook, values, base, progress=progress)
    base.mkdir(parents=True, exist_ok=True)
    leftovers.clean(base)
    with tempfile.TemporaryDirectory(dir=base, prefix=f"{leftovers.hidden(base, 'ranks').name}-") as name:
        folder = Path(name)
        job = {"notebook": str(notebook), "values": dict(values), "progress": progress}
        (folder / "job.json").write_text(json.dumps(job))
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        code = _wait([*torchrun, "-m", "gannb.batch.ranks", name])
        return _outcome(folder, notebook, code, base, Path(values.get("resume") or base).parent)


def _outcome(folder: Path, notebook: Path, code: int, base: Path, resumed: Path) -> Outcome:
    """Put together what the ranks left in a folder."""
    ends = [json.loads(path.read_text()) for path in sorted(folder.glob("end-*.json"))]
    interrupted = any(end["interrupted"] for end in ends)
    failures = [Failure(**end["failure"]) for end in ends if end["failure"]]  # of ranks that could still write it
    if code and not failures and not interrupted:
        failures = [Failure(0, f"a rank died (torchrun ended with {code})")]
    writer = folder / "kernel-0"  # it is there even where torchrun has ended rank 0 for another's fault
    run = find_folder(int(writer.read_text()) if writer.is_file() else None, [base, resumed])
    result = run / EXECUTED if run else failed_path(base)
    for path in sorted(folder.glob("rank-*.ipynb")):
        path.replace(result if path.stem == "rank-0" else result.with_stem(f"{result.stem}-{path.stem}"))
    return Outcome(result if result.is_file() else notebook, run, failures[0] if failures else None, interrupted)


def _wait(command: list[str]) -> int:
    """Run torchrun to its end. Signals go to the ranks, which pause and write checkpoints; torchrun waits for them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun inherits it, and Ctrl+C reaches the ranks
    environment = os.environ | {"TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGTERM,SIGHUP,SIGQUIT"}
    process = subprocess.Popen(command, env=environment)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _one_rank(folder: Path) -> int:
    """Run this rank's copy of the notebook; its notebook and outcome go to the folder."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    job, rank = json.loads((folder / "job.json").read_text()), os.environ["RANK"]
    execution = Execution(job["progress"] and rank == "0", note=folder / f"kernel-{rank}")
    failure = papermill.run(Path(job["notebook"]), folder / f"rank-{rank}.ipynb", job["values"], execution)
    if failure and rank != "0":
        failure = replace(failure, error=f"rank {rank}: {failure.error}")
    end = {"failure": asdict(failure) if failure else None, "interrupted": execution.interrupted}
    (folder / f"end-{rank}.json").write_text(json.dumps(end))
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(_one_rank(Path(sys.argv[1])))
