"""Where trials run: Dask workers on this machine, at a scheduler's address, or as jobs of a batch system."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from logging import WARNING
from pathlib import Path
from typing import Any

from distributed import Client, Nanny, Scheduler, SpecCluster
from pydantic import BaseModel, ConfigDict, Field

from gannb.batch.sweep.plan import SweepError, read_model

MEMORY = 2 * 2**30
"""Bytes that a trial is assumed to need."""
GPU_MEMORY = 4 * 2**30
"""Bytes of a GPU that a trial is assumed to need, its CUDA context included."""


class Description(BaseModel):
    """A batch system, in the terms of dask-jobqueue.

    Attributes:
        kind: a class of dask_jobqueue, such as SLURMCluster.
        jobs: how many jobs to submit; each starts a worker.
        gpu: whether each worker has a GPU (and is started with `--resources GPU=1`).
        options: arguments of that class: queue, cores, memory, walltime, …
    """

    model_config = ConfigDict(extra="forbid")
    kind: str
    jobs: int = Field(ge=1)
    gpu: bool = False
    options: dict[str, Any] = {}


def describe(path: Path) -> Description:
    """Read a description of a batch system.

    Raises:
        SweepError: no such file, unknown keys, or a class that dask-jobqueue does not have.
    """
    if not path.is_file():
        raise SweepError(f"--cluster: no file {path}")
    described = read_model(path, Description, "a description of a cluster")
    _kind(described.kind)
    return described


def _kind(name: str) -> type:
    try:
        import dask_jobqueue
    except ImportError as error:
        raise SweepError(
            "--cluster needs the package dask-jobqueue: add it with `pip install dask-jobqueue`"
        ) from error
    known = sorted(kind for kind in dir(dask_jobqueue) if kind.endswith("Cluster") and kind != "JobQueueCluster")
    if name not in known:
        raise SweepError(f"kind: given {name!r}; allowed: {', '.join(known)}")
    return getattr(dask_jobqueue, name)


@contextmanager
def local(workers: int, gpus: int, per_gpu: int = 1) -> Iterator[Client]:
    """Workers on this machine, each a process with one thread.

    Args:
        workers: how many, where there are no GPUs.
        gpus: how many GPUs; each worker sees one.
        per_gpu: workers per GPU.
    """
    port = 8787 if _free(8787) else 0
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard_address": f"127.0.0.1:{port}"}}
    specs = {number: {"cls": Nanny, "options": _worker(number, gpus)} for number in range(gpus * per_gpu or workers)}
    with (
        SpecCluster(workers=specs, scheduler=scheduler, name="gannb", silence_logs=WARNING) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _worker(number: int, gpus: int) -> dict[str, Any]:
    plain = {"nthreads": 1, "silence_logs": WARNING, "memory_limit": 0, "dashboard": False, "host": "127.0.0.1"}
    if not gpus:
        return plain
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    device = seen.split(",")[number % gpus] if seen else str(number % gpus)
    return plain | {"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": device}}


def workers_here() -> int:
    """How many trials this machine has cores and memory for."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available // MEMORY)))


def gpus_here() -> int:
    """How many GPUs torch finds."""
    import torch

    return torch.cuda.device_count()


def fitting(per_gpu: int, gpus: int) -> int:
    """How many of so many trials per GPU the smallest GPU here has memory for; 1 at least."""
    import torch

    smallest = min(torch.cuda.get_device_properties(number).total_memory for number in range(gpus))
    return max(1, min(per_gpu, smallest // GPU_MEMORY))


@contextmanager
def at(address: str, seconds: float = 10.0) -> Iterator[Client]:
    """The scheduler at an address.

    Raises:
        SweepError: no scheduler answers there.
    """
    try:
        client = Client(address, timeout=seconds)
    except (OSError, ValueError) as error:
        raise SweepError(f"--scheduler: no scheduler answers at {address!r} ({error})") from error
    with client:
        yield client


@contextmanager
def jobs(described: Description) -> Iterator[Client]:
    """Jobs of a batch system, each of which starts a worker."""
    with _kind(described.kind)(**described.options) as cluster, Client(cluster) as client:
        cluster.scale(jobs=described.jobs)
        yield client


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
