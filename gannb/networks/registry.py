"""Generators and discriminators by name, for experiments that let a person choose: one line a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from gannb.networks import dcgan, sagan, stylegan2

GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "dcgan": dcgan.Generator,
    "sagan": sagan.Generator,
    "stylegan2": stylegan2.Generator,
}
DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {
    "dcgan": dcgan.Discriminator,
    "sagan": sagan.Discriminator,
    "stylegan2": stylegan2.Discriminator,
}


def generator(network: str, latent_dim: int, width: int, size: int, channels: int, **more: Any) -> nn.Module:
    """Latents `[N, latent_dim]` → images `[N, channels, size, size]` in [-1, 1].

    `more` is what this network's own constructor takes besides, such as `attention_at` or `mapping_layers`.

    Raises:
        ValueError: a network that is not known.
    """
    return _known(GENERATORS, network)(latent_dim, width, size, channels, **more)


def discriminator(network: str, width: int, size: int, channels: int, **more: Any) -> nn.Module:
    """Images `[N, channels, size, size]` → logits `[N]`; `more` as above, such as `spectral`.

    Raises:
        ValueError: a network that is not known.
    """
    return _known(DISCRIMINATORS, network)(width, size, channels, **more)


def _known(networks: dict[str, Callable[..., nn.Module]], network: str) -> Callable[..., nn.Module]:
    if network not in networks:
        raise ValueError(f"network {network!r} is not known; allowed: {', '.join(networks)}")
    return networks[network]
