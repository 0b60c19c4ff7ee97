"""Spectral norm on a network that was built without it."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def spectrally_normed(network: nn.Module) -> nn.Module:
    """Give every convolution and linear layer a spectral norm, in place (motion_wgan_gp, "optional"); returns it.

    Embeddings and layers of other kinds keep their weights, so the whole is bounded by their slopes still.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            spectral_norm(layer)
    return network
