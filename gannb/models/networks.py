"""Generators and discriminators by name, for experiments that let a person choose: one line a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from gannb.models import dcgan

GENERATORS: dict[str, Callable[..., nn.Module]] = {"dcgan": dcgan.Generator}
DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {"dcgan": dcgan.Discriminator}


def generator(network: str, latent_dim: int, width: int, size: int, channels: int, **more: Any) -> nn.Module:
    """Latents `[N, latent_dim]` → images `[N, channels, size, size]` in [-1, 1].

    Raises:
        ValueError: a network that is not known.
    """
    return _known(GENERATORS, network)(latent_dim, width, size, channels, **more)


def discriminator(network: str, width: int, size: int, channels: int, *, spectral: bool, **more: Any) -> nn.Module:
    """Images `[N, channels, size, size]` → logits `[N]`; with spectral norm, or as the network is without it.

    Raises:
        ValueError: a network that is not known.
    """
    return _known(DISCRIMINATORS, network)(width, size, channels, spectral=spectral, **more)


def _known(networks: dict[str, Callable[..., nn.Module]], network: str) -> Callable[..., nn.Module]:
    if network not in networks:
        raise ValueError(f"network {network!r} is not known; allowed: {', '.join(networks)}")
    return networks[network]
