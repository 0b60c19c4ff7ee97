"""Discriminators at several time scales: an extension that motion_balance names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gannb.experiments.motion.networks.discriminator import PATCH


class TimeScales(nn.Module):
    """Several discriminators of one make, each of which sees the clip at a coarser time (Wang et al. 2018, pix2pixHD).

    A scale s sees means over s frames of pose and speech. Its patch scores span s times as many frames and are repeated
    s times, so that every scale has the same say in a mean over all scores.

    Args:
        make: builds the discriminator of one scale.
        scales: frames that are averaged, such as (1, 2, 4).

    Raises:
        ValueError: no scale, one twice, or one below 1.
    """

    def __init__(self, make: Callable[[], nn.Module], scales: Sequence[int]) -> None:
        super().__init__()
        if not scales or min(scales) < 1 or len({*scales}) < len(scales):
            raise ValueError(f"time scales {list(scales)}; allowed: at least one, each once and 1 or more")
        self.scales = nn.ModuleDict({str(scale): make() for scale in scales})

    def forward(self, pose: Tensor, mel: Tensor | None = None, speaker: Tensor | None = None) -> Tensor:
        """Patch scores `[B, scales · T / 16]` of poses `[B, T, 52, 3]`, T a multiple of 16 times each scale.

        Args:
            pose: `[B, T, 52, 3]`.
            mel: log-mel `[B, 4·T, n_mels]`.
            speaker: `[B]` int64.

        Raises:
            ValueError: a clip that is too short for a scale, and what a single discriminator refuses.
        """
        scores = []
        for name, network in self.scales.items():
            scale = int(name)
            if pose.shape[1] % (PATCH * scale):
                raise ValueError(
                    f"clips of {pose.shape[1]} frames; time scale {scale} needs multiples of {PATCH * scale}"
                )
            speech = None if mel is None else coarser(mel, scale)
            scores.append(network(coarser(pose, scale), speech, speaker).repeat_interleave(scale, dim=1))
        return torch.cat(scores, dim=1)


def coarser(x: Tensor, scale: int) -> Tensor:
    """Means over every `scale` entries of the second axis: `[B, N, ...]` → `[B, N / scale, ...]`."""
    return x if scale == 1 else x.unflatten(1, (-1, scale)).mean(dim=2)
