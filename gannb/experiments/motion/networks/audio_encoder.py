"""Speech to features: 2-D convolutions over a log-mel spectrogram."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEL_FRAMES = 4
"""Mel frames a pose frame."""


class MelScale(nn.Module):
    """Speech as z-scores of the training data, which it carries along.

    Args:
        n_mels: mel bands.
        center: mean of the log-mel `[n_mels]`; 0 by default.
        spread: its standard deviation `[n_mels]`; 1 by default.
    """

    def __init__(self, n_mels: int, center: Tensor | None = None, spread: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(n_mels) if center is None else center.float().clone())
        self.register_buffer("spread", torch.ones(n_mels) if spread is None else spread.float().clone())

    def forward(self, mel: Tensor) -> Tensor:
        """Map log-mel `[B, 4·T, n_mels]` to the same shape; a ValueError for another."""
        check_mel(mel, len(self.center))
        return (mel - self.center) / self.spread


class AudioEncoder(nn.Module):
    """Three convolutions over time and pitch that bring four mel frames to one pose frame.

    Args:
        channels: features per pose frame.
        n_mels: mel bands; divisible by 8.
        center: mean of the log-mel `[n_mels]`, see `MelScale`.
        spread: its standard deviation `[n_mels]`.

    Raises:
        ValueError: a number of mel bands that does not divide by 8.
    """

    def __init__(self, channels: int, n_mels: int, center: Tensor | None = None, spread: Tensor | None = None) -> None:
        super().__init__()
        if n_mels % 8:
            raise ValueError(f"n_mels is {n_mels}; it has to be divisible by 8")
        narrow, middle = max(4, channels // 4), max(4, channels // 2)
        self.n_mels = n_mels
        self.scale = MelScale(n_mels, center, spread)
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(1, narrow, 4, stride=2, padding=1),
                nn.Conv2d(narrow, middle, 4, stride=2, padding=1),
                nn.Conv2d(middle, channels, 3, stride=(1, 2), padding=1),
            ]
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for width in (narrow, middle, channels))
        self.out = nn.Linear(channels * n_mels // 8, channels)

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel `[B, 4·T, n_mels]` to features `[B, C, T]`.

        Raises:
            ValueError: another number of mel bands, or of frames that does not divide by four.
        """
        x = self.scale(mel).unsqueeze(1)
        for conv, norm in zip(self.convs, self.norms):
            x = F.leaky_relu(norm(conv(x)), 0.2)
        return self.out(x.transpose(1, 2).flatten(2)).transpose(1, 2)


def check_mel(mel: Tensor, n_mels: int) -> None:
    """Check the shape of a log-mel.

    Raises:
        ValueError: it is not `[B, 4·T, n_mels]`.
    """
    if mel.ndim != 3 or mel.shape[2] != n_mels or mel.shape[1] % MEL_FRAMES:
        raise ValueError(
            f"mel: shape {tuple(mel.shape)}, expected [clips, {MEL_FRAMES}·frames, {n_mels}] "
            f"({MEL_FRAMES} mel frames per pose frame)"
        )
