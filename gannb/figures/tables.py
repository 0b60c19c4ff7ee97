"""Tables of networks. `Table` itself is in `gannb.tables`, where every package may import it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from gannb.tables import Table

__all__ = ["Table", "layer_table"]


@torch.no_grad()
def layer_table(G: nn.Module, D: nn.Module) -> Table:
    """List the layers of a generator and its discriminator: output shape for one image, and parameters.

    Both are run as eval-mode copies, so that neither spectral norm's nor BatchNorm's buffers move.

    Args:
        G: a generator with an attribute `latent_dim`.
        D: a discriminator that takes G's images.
    """
    G, D = copy.deepcopy(G).eval(), copy.deepcopy(D).eval()
    latent_dim: Any = G.latent_dim
    device = next(G.parameters()).device
    conditions = [torch.zeros(1, dtype=torch.int64, device=device)] if getattr(G, "classes", 0) else []
    given = [torch.zeros(1, latent_dim, device=device), *conditions]
    rows = [*_rows("G", G, *given), *_rows("D", D, G(*given), *conditions)]
    totals = {name: sum(row[4] for row in rows if row[0] == name) for name in ("G", "D")}
    note = ", ".join(f"{name} {total:,} parameters" for name, total in totals.items())
    return Table(("network", "layer", "made of", "output", "parameters"), rows, note=note)


def _rows(network: str, module: nn.Module, *given: torch.Tensor) -> list[tuple[str, str, str, str, int]]:
    rows: list[tuple[str, str, str, str, int]] = []

    def note(layer: str, block: nn.Module, output: torch.Tensor) -> None:
        count = sum(parameter.numel() for parameter in block.parameters())
        rows.append((network, layer, " · ".join(_kinds(block)), "×".join(map(str, output.shape[1:])) or "1", count))

    hooks = [
        block.register_forward_hook(lambda block, _, output, layer=name: note(layer, block, output))
        for name, block in _layers(module)
    ]
    module(*given)
    for hook in hooks:
        hook.remove()
    return rows


def _layers(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The blocks of a network: its direct children, and those in a list or dictionary of modules."""
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleDict | nn.ModuleList):
            yield from _layers(child, f"{path}{name} ")
        else:
            yield f"{path}{name}", child


def _kinds(block: nn.Module) -> list[str]:
    """The layers' types, with spectral norm named where a weight has it."""
    if not isinstance(block, nn.Sequential):
        return [_kind(block)]
    return [kind for child in block for kind in _kinds(child)]


def _kind(layer: nn.Module) -> str:
    name = type(layer).__name__.removeprefix("Parametrized")
    spectral = any("parametrizations" in key for key, _ in layer.named_parameters())
    return f"{name} (spectral norm)" if spectral else name
