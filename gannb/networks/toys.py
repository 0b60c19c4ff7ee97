"""Small generators and critics for the toys of `gannb.data.toys`, with options that plant a critic's defects."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.networks.layers import FrameNorm

Norm = Literal["none", "batch", "layer"]


class PointGenerator(nn.Module):
    """Latents `[N, latent]` to points `[N, 2]`: a perceptron with ReLU.

    Args:
        latent: width of the noise.
        width: of the hidden layers.
        depth: how many hidden layers.
        spread: of the data, in whose units the perceptron works.
    """

    def __init__(self, latent: int = 8, width: int = 128, depth: int = 3, spread: float = 1.0) -> None:
        super().__init__()
        self.latent, self.spread = latent, spread
        self.body = nn.Sequential(*_hidden(latent, width, depth, nn.ReLU()), nn.Linear(width, 2))

    def forward(self, z: Tensor) -> Tensor:
        """Points."""
        return self.spread * self.body(z)


class PointCritic(nn.Module):
    """Points `[N, 2]` to scores `[N]`, real numbers without bounds.

    Args:
        width, depth: of the hidden layers.
        norm: "batch" is a planted defect: the penalty is per sample, BatchNorm couples the batch (W10).
        dropout: above 0 is a planted defect: the penalty sees another network each time (W13).
        spread: of the data, in whose units the perceptron works; slopes are the perceptron's own.
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
        """Scores."""
        return self.spread * self.body(x / self.spread)


class SequenceGenerator(nn.Module):
    """Latents `[N, latent]` to sequences `[N, T, F]` of any length: noise beside the time, then convolutions.

    Args:
        features: F.
        latent: width of the noise.
        width: channels.
    """

    def __init__(self, features: int = 6, latent: int = 8, width: int = 64) -> None:
        super().__init__()
        self.latent = latent
        self.enter = nn.Conv1d(latent + 8, width, 1)
        self.body = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(3))
        self.leave = nn.Conv1d(width, features, 1)

    def forward(self, z: Tensor, frames: int = 32) -> Tensor:
        """Sequences of so many frames."""
        clock = _clock(frames, z.device).expand(len(z), -1, -1)
        x = self.enter(torch.cat([z.unsqueeze(2).expand(-1, -1, frames), clock], dim=1))
        for layer in self.body:
            x = x + F.relu(layer(x))
        return self.leave(F.relu(x)).transpose(1, 2)


class SequenceCritic(nn.Module):
    """Sequences `[N, T, F]` to scores: convolutions that quarter the time, then a score a patch of 4 frames.

    Args:
        features: F.
        width: channels.
        norm: "layer" is LayerNorm over the channels of each frame; "batch" is a planted defect (W10).
        dropout: above 0 is a planted defect (W13).
        patches: give the scores of the patches `[N, T / 4]` instead of their mean `[N]`; who takes them has to
            average (W15).
    """

    def __init__(
        self, features: int = 6, width: int = 64, norm: Norm = "layer", dropout: float = 0.0, patches: bool = False
    ) -> None:
        super().__init__()
        _check(norm)
        make = {"none": lambda _: nn.Identity(), "batch": nn.BatchNorm1d, "layer": FrameNorm}[norm]
        layers: list[nn.Module] = []
        for i in range(2):
            layers += [nn.Conv1d(width if i else features, width, 4, stride=2, padding=1), make(width)]
            layers += [nn.LeakyReLU(0.2), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers, nn.Conv1d(width, 1, 3, padding=1))
        self.patches = patches

    def forward(self, x: Tensor) -> Tensor:
        """Scores; T a multiple of 4.

        Raises:
            ValueError: another number of frames.
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
        raise ValueError(f"norm {norm!r} is not known; allowed: none, batch, layer")
