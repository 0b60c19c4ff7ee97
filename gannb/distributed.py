"""Several processes as one run: who am I, tell everyone, take the mean (torchrun sets RANK and WORLD_SIZE).

Rank 0 alone writes, and shares the commands it receives with the others. All ranks see one run folder (one machine, or
a shared disk). BatchNorm takes its statistics from a rank's own share of the batch: two ranks with half batches then
are not one with the whole, and a checkpoint holds rank 0's running statistics. Networks without it agree to rounding.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

T = TypeVar("T")


def rank() -> int:
    """This process's number; 0 alone writes to the run folder."""
    return int(os.environ.get("RANK", 0))


def ranks() -> int:
    """How many processes share the run; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", 1))


def join() -> None:
    """Meet the other ranks, once (NCCL for CUDA tensors, gloo for all else); nothing where there is one rank."""
    if ranks() == 1:
        return
    import torch
    from torch import distributed as dist

    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_part)


def _part() -> None:
    """Leave the others at the process's end: threads of a group that is still there can abort it, its work done."""
    from torch import distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def share(value: T) -> T:
    """Rank 0's value, on every rank. Commands, pauses and folder names travel this way."""
    if ranks() == 1:
        return value
    from torch import distributed as dist

    join()
    box: list[Any] = [value if rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def average_(gradients: Iterable[Tensor]) -> None:
    """Replace tensors (of any shape) by their mean over ranks, in place: one flattened all-reduce per dtype."""
    if ranks() == 1:
        return
    import torch
    from torch import distributed as dist

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
