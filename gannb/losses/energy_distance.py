"""Energy distance between two samples: differentiable, without a network or a bandwidth to choose."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def energy(generated: Tensor, real: Tensor) -> Tensor:
    """2 E‖x − y‖ − E‖x − x'‖ − E‖y − y'‖ over samples `[N, …]` and `[M, …]`, in units per √dimension; 0-d.

    0 in expectation where both come from one distribution, and above it elsewhere (Székely & Rizzo 2013). Pairs of a
    sample with itself are left out, so that it is unbiased and may fall below 0.

    Raises:
        ValueError: fewer than two samples on a side, or samples of different shapes.
    """
    if min(len(generated), len(real)) < 2 or generated.shape[1:] != real.shape[1:]:
        raise ValueError(
            f"samples {tuple(generated.shape)} and {tuple(real.shape)}; allowed: two or more per side, of one shape"
        )
    generated, real = generated.flatten(1), real.flatten(1)
    return (2 * torch.cdist(generated, real).mean() - _within(generated) - _within(real)) / generated.shape[1] ** 0.5


def energy_at_scales(generated: Tensor, real: Tensor, scales: int = 3) -> Tensor:
    """Mean of `energy` over images at full, half, quarter … height, so that large structures count too; 0-d.

    Args:
        generated: images `[N, C, H, W]`.
        real: images `[M, C, H, W]`.
        scales: how many heights.
    """
    total = torch.zeros((), device=generated.device, dtype=generated.dtype)
    for scale in range(scales):
        total = total + energy(F.avg_pool2d(generated, 2**scale), F.avg_pool2d(real, 2**scale))
    return total / scales


def _within(x: Tensor) -> Tensor:
    return torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))
