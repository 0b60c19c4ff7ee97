"""Self-supervision of a discriminator: its features have to hold enough of a real image to reconstruct it.

Liu et al. 2021 (FastGAN), section 3.2. The paper compares by the features of a pretrained network (LPIPS); here pixels
are compared, so that no weights are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def reconstruction_error(reconstructions: Sequence[Tensor], real: Tensor) -> Tensor:
    """Mean absolute error against the real images, averaged down to each reconstruction's size; their sum, 0-d.

    Args:
        reconstructions: `[N, C, H/k, W/k]` each, in [-1, 1].
        real: the images as the discriminator saw them, `[N, C, H, W]` in [-1, 1].
    """
    targets = [F.avg_pool2d(real, real.shape[2] // each.shape[2]) for each in reconstructions]
    return torch.stack([(each.float() - target).abs().mean() for each, target in zip(reconstructions, targets)]).sum()
