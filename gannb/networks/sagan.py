"""The SAGAN of the particles_sagan document: a DCGAN with self-attention, and spectral norm throughout D.

Document, "Self-Attention" and "Spectral Normalization"; Zhang et al. 2019. `attention_at=(8, 16, 32)` and width 96 are
its further options.
"""

from __future__ import annotations

from collections.abc import Sequence

from gannb.networks import dcgan


class Generator(dcgan.Generator):
    """DCGAN's generator with self-attention, by default at 16×16. Arguments and shapes as there."""

    def __init__(
        self,
        latent_dim: int = 128,
        width: int = 64,
        size: int = 64,
        channels: int = 1,
        *,
        attention_at: Sequence[int] = (16,),
        pooled: bool = True,
    ) -> None:
        super().__init__(latent_dim, width, size, channels, attention_at=attention_at, pooled=pooled)


class Discriminator(dcgan.Discriminator):
    """DCGAN's discriminator with self-attention, by default at 16×16, and spectral norm on every convolution."""

    def __init__(
        self,
        width: int = 64,
        size: int = 64,
        channels: int = 1,
        *,
        attention_at: Sequence[int] = (16,),
        spectral: bool = True,
        pooled: bool = True,
    ) -> None:
        super().__init__(width, size, channels, attention_at=attention_at, spectral=spectral, pooled=pooled)
