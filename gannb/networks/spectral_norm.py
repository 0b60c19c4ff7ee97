"""Spectral norm (Miyato et al. 2018) on whole networks: the power iterations of all layers are done together.

Layer by layer they are dozens of small kernels, a large share of what a discriminator launches. The numbers are those
of torch's own `spectral_norm`, bit for bit on a CPU, and so are the names in checkpoints.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm


class SpectralNorm(_SpectralNorm):
    """The weight over its spectral norm; torch's parametrisation, which may find its power iteration done.

    Attributes:
        ready: the weight as a matrix, u and v, for the next read of the weight.
    """

    ready: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, weight: Tensor) -> Tensor:
        """The weight, of any shape, over u·Wv."""
        if self.ready is None:
            return super().forward(weight)
        (matrix, u, v), self.ready = self.ready, None
        return weight / torch.vdot(u, matrix.mv(v))


def spectral_norm(layer: nn.Module) -> nn.Module:
    """Give one layer, no transposed convolution, a spectral norm, in place; returns it."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.get_parameter("weight")))
    return layer


def spectrally_normed(network: nn.Module) -> nn.Module:
    """Give every convolution and linear layer a spectral norm, in place (motion_wgan_gp, "optional"); returns it.

    Embeddings and layers of other kinds keep their weights, so the whole is bounded by their slopes still.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            spectral_norm(layer)
    return iterated_together(network)


def iterated_together(network: nn.Module) -> nn.Module:
    """Do all power iterations in one go, before each forward pass in train mode; returns the network."""
    if _norms(network):
        network.register_forward_pre_hook(_iterate)
        network.register_forward_hook(_forget, always_call=True)
    return network


def _norms(network: nn.Module) -> list[tuple[Any, SpectralNorm]]:
    """The spectral norms of weights, each with the list of parametrisations that holds the weight."""
    lists: list[Any] = [m.parametrizations for m in network.modules() if parametrize.is_parametrized(m, "weight")]
    return [(one["weight"], norm) for one in lists for norm in one["weight"] if isinstance(norm, SpectralNorm)]


def _iterate(network: nn.Module, _inputs: Any) -> None:
    """One power iteration of all norms: u = Wv / ‖Wv‖, then v = Wᵀu / ‖Wᵀu‖."""
    if not network.training:
        return
    norms = _norms(network)
    weights = [norm._reshape_weight_to_matrix(one.original) for one, norm in norms]
    with torch.no_grad():
        old_us, old_vs = ([getattr(norm, name) for _, norm in norms] for name in ("_u", "_v"))
        us = _unit([weight.mv(v) for weight, v in zip(weights, old_vs)], old_us)
        vs = _unit([weight.H.mv(u) for weight, u in zip(weights, us)], old_vs)
        torch._foreach_copy_([*old_us, *old_vs], [*us, *vs])
    for weight, u, v, (_, norm) in zip(weights, us, vs, norms):
        norm.ready = weight, u, v


def _unit(vectors: list[Tensor], like: list[Tensor]) -> list[Tensor]:
    """Vectors `[n]` over their lengths; under autocast a product may have come in half precision."""
    full = [vector.to(one.dtype) for vector, one in zip(vectors, like)]
    lengths = torch._foreach_norm(full)
    torch._foreach_clamp_min_(lengths, 1e-12)
    return [vector.div_(length) for vector, length in zip(full, lengths)]


def _forget(network: nn.Module, *_passed: Any) -> None:
    """Leave nothing ready that the forward pass did not read."""
    for _, norm in _norms(network):
        norm.ready = None
