"""The mapping network of StyleGAN2, and what stands before its layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UnitLength(nn.Module):
    """Latents `[N, d]` scaled to a root mean square of 1."""

    def forward(self, z: Tensor) -> Tensor:
        """Latents `[N, d]` → `[N, d]`."""
        return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class ClassEmbedding(UnitLength):
    """Latents and embedded classes side by side, each scaled to a root mean square of 1 (Karras et al. 2020, ADA).

    Args:
        classes: how many.
        latent_dim: length of a latent, and of an embedding.
    """

    def __init__(self, classes: int, latent_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent_dim)

    def forward(self, z: Tensor, classes: Tensor) -> Tensor:  # type: ignore[override]
        """Latents `[N, d]` and classes `[N]` → `[N, 2d]`."""
        return torch.cat([super().forward(z), super().forward(self.embedding(classes))], 1)


class Mapping(nn.Sequential):
    """The mapping network, whose first layer gets the classes where there are any."""

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Latents `[N, d]`, and classes `[N]` where it has any, → `[N, d]`."""
        first, *rest = self
        x = first(z) if classes is None else first(z, classes)
        for layer in rest:
            x = layer(x)
        return x
