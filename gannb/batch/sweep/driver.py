"""A sweep from its first trial to its last: hand trials to the workers, watch, and lose nothing when something dies."""

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
    """Have trials run; returns when all have ended.

    Args:
        jobs: the trials, first to start first.
        client: whose workers run them.
        watch: called every half second, and at the end.
        gpu: whether a trial asks for a worker with a GPU of its own.

    Raises:
        SweepError: the scheduler is gone. What was recorded stays: the same command goes on.
    """
    pending = {_submit(client, job, rank, gpu): job for rank, job in enumerate(jobs)}
    while pending:
        for future in [future for future in pending if future.done()]:
            _settle(future, pending.pop(future))
        if client.status in ("closed", "closing"):
            raise SweepError("the scheduler is gone; what is done stays done: the same command goes on")
        watch()
        if pending:
            time.sleep(LOOK_EVERY)
    watch()


def to_run(jobs: Sequence[Job], *, again: bool = False) -> list[Job]:
    """The trials that are neither done nor, unless `again`, known to have failed."""
    return [job for job in jobs if not (job.finished() or (job.record()["state"] == FAILED and not again))]


def _submit(client: Client, job: Job, rank: int, gpu: bool) -> Future:
    """Its key is the trial's, so that two drivers at one scheduler share it; one trial fills a worker's thread."""
    resources = {"GPU": 1} if gpu else None
    return client.submit(launch, asdict(job), key=f"trial-{job.id}", priority=-rank, resources=resources)


def _settle(future: Future, job: Job) -> None:
    """Turn what Dask says of a trial that left no record of its end into one."""
    if future.status == "finished":
        return
    if future.status in ("cancelled", "lost"):
        raise SweepError("the scheduler let trials go; what is done stays done: the same command goes on")
    error = future.exception()
    if isinstance(error, KilledWorker):
        said = "every worker that had it was killed (out of memory?)"
    else:
        said = f"{type(error).__name__}: {error}"
    if not is_held(job.file("lock")):
        job.write(FAILED, error=said, cell=0, folder=job.record().get("folder", ""))
