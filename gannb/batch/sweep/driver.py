"""Run a sweep: give trials to the workers and watch them; nothing is lost when a worker or the driver dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from gannb.batch.sweep.plan import SweepError
from gannb.batch.sweep.trial import FAILED, Job, is_held, launch

LOOK_EVERY = 0.5
"""Seconds between two looks at the trials."""


def drive(jobs: Sequence[Job], client: Client, watch: Callable[[], Any], *, gpu: bool = False) -> None:
    """Run trials; returns when all have ended.

    Args:
        jobs: the trials, in the order in which to start them.
        client: whose workers run them.
        watch: called every half second, and at the end.
        gpu: whether each trial needs its own GPU.

    Raises:
        SweepError: the scheduler is gone; the same command continues the sweep.
    """
    pending = {_submit(client, job, rank, gpu): job for rank, job in enumerate(jobs)}
    while pending:
        for future in [future for future in pending if future.done()]:
            _conclude(future, pending.pop(future))
        if client.status in ("closed", "closing"):
            raise SweepError("the scheduler is gone; the same command continues the sweep")
        watch()
        if pending:
            time.sleep(LOOK_EVERY)
    watch()


def to_run(jobs: Sequence[Job], *, again: bool = False) -> list[Job]:
    """The trials that are neither done nor, unless `again`, known to have failed."""
    return [job for job in jobs if not (job.finished() or (job.record()["state"] == FAILED and not again))]


def _submit(client: Client, job: Job, rank: int, gpu: bool) -> Future:
    """Submit a trial; its key lets two drivers of one scheduler share it."""
    resources = {"GPU": 1} if gpu else None
    return client.submit(launch, asdict(job), key=f"trial-{job.id}", priority=-rank, resources=resources)


def _conclude(future: Future, job: Job) -> None:
    """Write the record of a trial that Dask ended."""
    if future.status == "finished":
        return
    if future.status in ("cancelled", "lost"):
        raise SweepError("the scheduler cancelled trials; the same command continues the sweep")
    error = future.exception()
    if isinstance(error, KilledWorker):
        reason = "every worker that had it was killed (out of memory?)"
    else:
        reason = f"{type(error).__name__}: {error}"
    if not is_held(job.file("lock")):
        job.write(FAILED, error=reason, cell=0, folder=job.record().get("folder", ""))
