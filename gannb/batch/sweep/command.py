"""`gannb sweep`: check a sweep, run its trials on a cluster, and show status and scores."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gannb.batch.sweep.plan import FOLDER, Sweep, SweepError, find, read
from gannb.batch.sweep.status import StatusTable, failures, outcome
from gannb.batch.sweep.trial import FAILED, Job, jobs
from gannb.runs import files, locations
from gannb.runs.checks import writable_folder


def add_parser(commands: Any) -> None:
    """Add `sweep` to the command line."""
    parser = commands.add_parser("sweep", help="run many trials of a notebook on a cluster")
    parser.add_argument("sweep", metavar="SWEEP", help=f"a YAML file, or a name in params/{FOLDER}")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", metavar="N", type=int, help="processes on this machine (default: by cores and memory)"
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    where.add_argument("--cluster", metavar="FILE", help="a batch system, described for dask-jobqueue")
    gpu_help = "one GPU for each trial (default: where there are any)"
    parser.add_argument("--gpu", choices=("auto", "yes", "no"), default="auto", help=gpu_help)
    per_gpu_help = "trials that share each GPU of this machine, as far as its memory allows (default: 1)"
    parser.add_argument("--per-gpu", metavar="N", type=int, default=1, help=per_gpu_help)
    parser.add_argument("--runs", metavar="DIR", help="where run folders go (default: $GANNB_RUNS, else runs/)")
    parser.add_argument("--again", action="store_true", help="run failed trials again")
    parser.add_argument("--check", action="store_true", help="check every trial and list them, run none")


def main(args: argparse.Namespace) -> int:
    """Run a sweep. 0: all trials are done, 1: some failed, 130: interrupted.

    Raises:
        BadInput: it cannot be run as written, or not here.
    """
    try:
        path = find(args.sweep)
        sweep = read(path)
        if args.check:
            print(planned(sweep))
            return 0
        return _run(sweep, path, args)
    except KeyboardInterrupt:
        print(f"gannb: interrupted; continue with `gannb sweep {args.sweep}`", file=sys.stderr)
        return 130


def planned(sweep: Sweep) -> Any:
    """The trials, and how each differs from the experiment's defaults."""
    from gannb.tables import Table

    defaults = type(sweep.trials[0].params)().settings()
    rows = []
    for trial in sweep.trials:
        changed = {k: v for k, v in trial.params.settings().items() if v != defaults.get(k) and k != "seed"}
        values = ", ".join(f"{name}={value}" for name, value in changed.items())
        rows.append((trial.variant, trial.seed, values or "the defaults"))
    return Table(
        ("trial", "seed", "differs from the defaults"), rows, note=f"{len(rows)} trials of {sweep.notebook}, all valid"
    )


def _run(sweep: Sweep, path: Path, args: argparse.Namespace) -> int:
    runs = writable_folder(locations.home(args.runs or ""), "--runs")
    if not (args.scheduler or args.cluster):  # elsewhere there may be other data
        for trial in sweep.trials:
            trial.params.on_this_machine()
    from gannb.batch.sweep.driver import drive, to_run

    planned_jobs = jobs(sweep, runs / sweep.notebook)
    status = StatusTable(sweep, planned_jobs)
    _keep(sweep, planned_jobs, runs)
    if not_done := to_run(planned_jobs, again=args.again):
        with _client(args) as (client, gpu):
            print(
                f"{len(not_done)} of {len(planned_jobs)} trials to run; dashboard: {client.dashboard_link}",
                file=sys.stderr,
            )
            drive(not_done, client, status, gpu=gpu)
    return _conclude(sweep, status)


def _conclude(sweep: Sweep, status: StatusTable) -> int:
    now = status.now()
    print(status.line(now))
    if sweep.score:
        print(outcome(now, sweep))
    if any(trial.state == FAILED for trial in now):
        print(failures(now))
        print("run them again with --again")
        return 1
    return 0


def _keep(sweep: Sweep, planned_jobs: list[Job], runs: Path) -> None:
    """Store the sweep beside the records, for the report."""
    trials = [{"id": job.id, "variant": job.variant, "seed": job.seed} for job in planned_jobs]
    head = {"name": sweep.name, "notebook": sweep.notebook, "doc": sweep.doc, "score": sweep.score}
    files.write_json(runs / FOLDER / f"{sweep.name}.json", head | {"better": sweep.better, "trials": trials})


@contextmanager
def _client(args: argparse.Namespace) -> Iterator[tuple[Any, bool]]:
    """The cluster's client, and whether each trial needs a GPU."""
    from gannb.batch.sweep import cluster

    if args.workers is not None and args.workers < 1:
        raise SweepError(f"--workers: given {args.workers}; allowed: 1 or more")
    if args.per_gpu < 1:
        raise SweepError(f"--per-gpu: given {args.per_gpu}; allowed: 1 or more")
    if args.per_gpu > 1 and (args.scheduler or args.cluster):
        raise SweepError("--per-gpu is for the GPUs of this machine; elsewhere start more workers with `GPU=1` each")
    if args.scheduler:
        with cluster.at(args.scheduler) as client:
            yield client, args.gpu == "yes"
    elif args.cluster:
        described = cluster.describe(Path(args.cluster).expanduser())
        with cluster.jobs(described) as client:
            yield client, described.gpu
    else:
        gpus = 0 if args.gpu == "no" else cluster.gpus_here()
        if args.gpu == "yes" and not gpus:
            raise SweepError("--gpu: given 'yes'; torch finds no CUDA device here")
        if args.per_gpu > 1 and not gpus:
            raise SweepError(f"--per-gpu: given {args.per_gpu}; no GPU is used here")
        per_gpu = cluster.fitting(args.per_gpu, gpus) if args.per_gpu > 1 else 1
        if per_gpu < args.per_gpu:
            print(f"--per-gpu: the memory of a GPU here is for {per_gpu}, not {args.per_gpu}", file=sys.stderr)
        with cluster.local(args.workers or cluster.workers_here(), gpus, per_gpu) as client:
            yield client, bool(gpus)
