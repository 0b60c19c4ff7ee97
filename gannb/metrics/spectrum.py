"""The power spectrum of images by frequency alone: up-convolutions distort it, unseen (Durall et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from gannb.data.transparency import opaque

HIGH = 0.4
"""Cycles per pixel from which detail counts as fine; 0.5 is the finest along an axis."""


def power_spectrum(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean power at each frequency, averaged over images and directions; colour is averaged to grey.

    Args:
        images: `[N, C, H, W]` in [-1, 1]; each image's mean is left out.

    Returns:
        Frequencies in cycles per pixel `[K]`, up to √½ in the corners, and the power `[K]` in squared grey levels of
        255: noise of variance σ² has σ² at every frequency.
    """
    grey = 127.5 * opaque(images.detach()).double().mean(1).cpu()
    power = torch.fft.fft2(grey - grey.mean((1, 2), keepdim=True), norm="ortho").abs().square().mean(0)
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64) for side in grey.shape[1:])
    bins = max(grey.shape[1:])
    ring = (bins * torch.hypot(rows[:, None], columns)).round().long().flatten()
    count = torch.bincount(ring)
    mean = torch.bincount(ring, power.flatten()) / count.clamp(min=1)
    present = (count > 0) & (torch.arange(len(count)) > 0)
    return torch.arange(len(count))[present] / bins, mean[present]


def fine_detail(images: Tensor) -> float:
    """Power from `HIGH` cycles per pixel on, in squared grey levels of 255: noise, grain and checkerboards.

    Args:
        images: `[N, C, H, W]` in [-1, 1].
    """
    frequency, power = power_spectrum(images)
    return float(power[frequency >= HIGH].mean())
