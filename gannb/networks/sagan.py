"""The SAGAN of the particles_sagan document: a DCGAN with self-attention, and spectral norm throughout D.

Document, "Self-Attention" and "Spectral Normalization"; Zhang et al. 2019. `attention_at=(8, 16, 32)` and width 96 are
its further options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gannb.networks import dcgan


class Generator(dcgan.Generator):
    """DCGAN's generator with self-attention, by default at 16×16; other arguments and shapes as there."""

    def __init__(self, *sizes: int, attention_at: Sequence[int] = (16,), **options: Any) -> None:
        super().__init__(*sizes, attention_at=attention_at, **options)


class Discriminator(dcgan.Discriminator):
    """DCGAN's discriminator with self-attention, by default at 16×16, and spectral norm on every convolution."""

    def __init__(self, *sizes: int, attention_at: Sequence[int] = (16,), spectral: bool = True, **options: Any) -> None:
        super().__init__(*sizes, attention_at=attention_at, spectral=spectral, **options)
