"""The SAGAN of the particles_sagan document: a DCGAN with self-attention, and spectral norm throughout D.

Document, "Self-Attention" and "Spectral Normalization"; Zhang et al. 2019. `attention_at=(8, 16, 32)` and width 96 are
its further options.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gannb.config.image_formats import Size
from gannb.networks import dcgan
from gannb.networks.registry import resolutions

HEIGHT = 16
"""Of the map with self-attention, or the nearest to it that there is."""


class Generator(dcgan.Generator):
    """DCGAN's generator with self-attention, by default at 16×16; shapes as there.

    Args:
        latent_dim: length of a latent.
        width: channels at half the image's height.
        size: height and width of the images, one number for a square.
        channels: of the images.
        attention_at: heights after which self-attention follows; by default the one nearest to `HEIGHT`.
        options: others of `dcgan.Generator`.
    """

    def __init__(
        self,
        latent_dim: int = 128,
        width: int = 64,
        size: Size = 64,
        channels: int = 1,
        *,
        attention_at: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        at = default(size) if attention_at is None else attention_at
        super().__init__(latent_dim, width, size, channels, attention_at=at, **options)


class Discriminator(dcgan.Discriminator):
    """DCGAN's discriminator with self-attention, by default at 16×16, and spectral norm; shapes as there.

    Args:
        width: channels at half the image's height.
        size: height and width of the images, one number for a square.
        channels: of the images.
        attention_at: heights after which self-attention follows; by default the one nearest to `HEIGHT`.
        spectral: whether every convolution has spectral norm.
        options: others of `dcgan.Discriminator`.
    """

    def __init__(
        self,
        width: int = 64,
        size: Size = 64,
        channels: int = 1,
        *,
        attention_at: Sequence[int] | None = None,
        spectral: bool = True,
        **options: Any,
    ) -> None:
        at = default(size) if attention_at is None else attention_at
        super().__init__(width, size, channels, attention_at=at, spectral=spectral, **options)


def default(size: Size) -> tuple[int]:
    """The height of a map that is nearest to `HEIGHT`, in proportion."""
    return (min(resolutions(size), key=lambda height: abs(math.log2(height / HEIGHT))),)
