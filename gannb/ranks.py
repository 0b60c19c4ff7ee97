"""Several processes as one run: who am I, tell everyone, take the mean (torchrun sets RANK and WORLD_SIZE)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


def rank() -> int:
    """This process's number; 0 alone writes to the run folder."""
    return int(os.environ.get("RANK", 0))


def ranks() -> int:
    """How many processes share the run; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", 1))


def join() -> None:
    """Meet the other ranks, once (NCCL on CUDA, gloo elsewhere); nothing where there is one rank."""
    if ranks() > 1 and not dist.is_initialized():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        if backend == "nccl":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group(backend)


def share(value: T) -> T:
    """Rank 0's value, on every rank. Commands, pauses and folder names travel this way."""
    if ranks() == 1:
        return value
    join()
    box: list[Any] = [value if rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def average_(gradients: Iterable[Tensor]) -> None:
    """Replace gradients by their mean over ranks, in place: one flattened all-reduce a dtype."""
    if ranks() == 1:
        return
    join()
    by_kind: dict[torch.dtype, list[Tensor]] = {}
    for gradient in gradients:
        by_kind.setdefault(gradient.dtype, []).append(gradient)
    for group in by_kind.values():
        flat = torch.cat([g.flatten() for g in group])
        dist.all_reduce(flat)
        flat /= ranks()
        for gradient, mean in zip(group, flat.split([g.numel() for g in group])):
            gradient.copy_(mean.view_as(gradient))


def average(values: Mapping[str, float]) -> dict[str, float]:
    """The mean of named numbers over ranks, so that every rank's rules decide alike."""
    if ranks() == 1 or not values:
        return dict(values)
    join()
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    packed = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.all_reduce(packed)
    return dict(zip(values, (packed / ranks()).tolist()))
