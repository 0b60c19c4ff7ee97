"""Small generators and critics for points and short sequences (`gannb.data.toys`)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.networks.layers import FrameNorm

Norm = Literal["none", "batch", "layer"]


class PointGenerator(nn.Module):
    """Latents `[N, latent]` → points `[N, 2]`: a perceptron with ReLU.

    Args:
        latent: length of a latent.
        width: of the hidden layers.
        depth: number of hidden layers.
        spread: standard deviation of the data, by which the output is multiplied.
    """

    def __init__(self, latent: int = 8, width: int = 128, depth: int = 3, spread: float = 1.0) -> None:
        super().__init__()
        self.latent, self.spread = latent, spread
        self.body = nn.Sequential(*_hidden(latent, width, depth, nn.ReLU()), nn.Linear(width, 2))

    def forward(self, z: Tensor) -> Tensor:
        """Latents `[N, latent]` → points `[N, 2]`."""
        return self.spread * self.body(z)


class PointCritic(nn.Module):
    """Points `[N, 2]` → unbounded scores `[N]`: a perceptron with LeakyReLU.

    Args:
        width: of the hidden layers.
        depth: number of hidden layers.
        norm: after each hidden layer. BatchNorm couples the samples, which a gradient penalty must not see (W10).
        dropout: probability after each hidden layer; a gradient penalty needs 0 (W13).
        spread: standard deviation of the data: points are divided by it, scores multiplied, slopes unchanged.
    """

    def __init__(
        self, width: int = 128, depth: int = 3, norm: Norm = "none", dropout: float = 0.0, spread: float = 1.0
    ) -> None:
        super().__init__()
        _check(norm)
        between = {"none": None, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm]
        layers = _hidden(2, width, depth, nn.LeakyReLU(0.2), between, dropout)
        self.spread = spread
        self.body = nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))

    def forward(self, x: Tensor) -> Tensor:
        """Points `[N, 2]` → scores `[N]`."""
        return self.spread * self.body(x / self.spread)


class SequenceGenerator(nn.Module):
    """Latents `[N, latent]` → sequences `[N, T, F]` of any length: latent and time, then convolutions.

    Args:
        features: F.
        latent: length of a latent.
        width: channels.
    """

    def __init__(self, features: int = 6, latent: int = 8, width: int = 64) -> None:
        super().__init__()
        self.latent = latent
        self.enter = nn.Conv1d(latent + 8, width, 1)
        self.body = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(3))
        self.leave = nn.Conv1d(width, features, 1)

    def forward(self, z: Tensor, frames: int = 32) -> Tensor:
        """Latents `[N, latent]` → sequences `[N, frames, F]`."""
        clock = _clock(frames, z.device).expand(len(z), -1, -1)
        x = self.enter(torch.cat([z.unsqueeze(2).expand(-1, -1, frames), clock], dim=1))
        for layer in self.body:
            x = x + F.relu(layer(x))
        return self.leave(F.relu(x)).transpose(1, 2)


class SequenceCritic(nn.Module):
    """Sequences `[N, T, F]` → scores: convolutions of stride 4 in all, then one score per patch of 4 frames.

    Args:
        features: F.
        width: channels.
        norm: after each convolution; "layer" is over the channels of each frame. BatchNorm couples samples (W10).
        dropout: probability after each convolution; a gradient penalty needs 0 (W13).
        patches: return the scores of the patches `[N, T / 4]` instead of their mean `[N]` (W15).
    """

    def __init__(
        self, features: int = 6, width: int = 64, norm: Norm = "layer", dropout: float = 0.0, patches: bool = False
    ) -> None:
        super().__init__()
        _check(norm)
        make: type[nn.Module] = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": FrameNorm}[norm]
        layers: list[nn.Module] = []
        for i in range(2):
            layers += [nn.Conv1d(width if i else features, width, 4, stride=2, padding=1), make(width)]
            layers += [nn.LeakyReLU(0.2), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers, nn.Conv1d(width, 1, 3, padding=1))
        self.patches = patches

    def forward(self, x: Tensor) -> Tensor:
        """Sequences `[N, T, F]` → scores `[N]`, or `[N, T / 4]` with `patches`.

        Raises:
            ValueError: T is not a multiple of 4.
        """
        if x.ndim != 3 or x.shape[1] % 4:
            raise ValueError(f"sequences have shape {tuple(x.shape)}; allowed: [N, a multiple of 4 frames, features]")
        scores = self.body(x.transpose(1, 2)).squeeze(1)
        return scores if self.patches else scores.mean(dim=1)


def _hidden(
    enter: int, width: int, depth: int, activation: nn.Module, norm: type | None = None, dropout: float = 0.0
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(width if i else enter, width), *([norm(width)] if norm else []), activation]
        layers += [nn.Dropout(dropout)] if dropout else []
    return layers


def _clock(frames: int, device: torch.device) -> Tensor:
    """The time as four sines and cosines of 1 to 4 cycles in 16 frames `[1, 8, T]`."""
    angle = 2 * math.pi / 16 * torch.arange(1, 5, device=device).unsqueeze(1) * torch.arange(frames, device=device)
    return torch.cat([angle.sin(), angle.cos()]).unsqueeze(0)


def _check(norm: str) -> None:
    if norm not in ("none", "batch", "layer"):
        raise ValueError(f"norm {norm!r} is unknown; allowed: none, batch, layer")
