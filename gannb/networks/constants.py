"""Fixed numbers that networks and losses use, on the device where they are used."""

from __future__ import annotations

import functools

import torch
from torch import Tensor


def constant(values: Tensor | tuple, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Fixed numbers as a tensor of their own shape; put on the device once.

    A copy from the host at every call would keep the device waiting, and no CUDA graph can hold it.

    Args:
        values: numbers, or a tensor of any shape that nobody changes.
        device: where they are used.
        dtype: their type; that of the values by default.
    """
    if torch.compiler.is_compiling():  # what an export traces is not to outlive it
        return _constant.__wrapped__(values, device, dtype)
    return _constant(values, device, dtype)


@functools.cache
def _constant(values: Tensor | tuple, device: torch.device, dtype: torch.dtype | None) -> Tensor:
    with torch.inference_mode(False):
        return torch.as_tensor(values).to(device, dtype)
