"""Colour with transparency: four channels `[N, 4, H, W]`, the colours multiplied by alpha, each 2·value − 1.

Multiplied, because colours under full transparency mean nothing and vary from file to file: networks would learn them,
and resampling would mix them into what is seen. Files hold colours that are not multiplied, as PNG wants.
"""

from __future__ import annotations

import torch
from torch import Tensor


def levels(images: Tensor) -> Tensor:
    """What a file holds of images `[N, C, H, W]` in [-1, 1]: whole numbers 0 … 255, colours not multiplied by alpha."""
    images = images.clamp(-1, 1)
    if images.shape[1] == 4:
        colours, alpha = (images[:, :3] + 1) / 2, (images[:, 3:] + 1) / 2
        straight = torch.minimum(colours, alpha) / alpha.clamp_min(torch.finfo(alpha.dtype).tiny)
        images = torch.cat([straight, alpha], 1) * 2 - 1
    return ((images + 1) * 127.5).round()


def opaque(images: Tensor) -> Tensor:
    """Images `[N, C, H, W]` without transparency: four channels, as a file holds them, lie on white."""
    if images.shape[1] != 4:
        return images
    colours, alpha = (levels(images.float()) / 255).split((3, 1), 1)
    return (colours * alpha + (1 - alpha)) * 2 - 1
