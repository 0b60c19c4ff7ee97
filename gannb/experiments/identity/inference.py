"""The trained model of a run, for `gannb export`."""

from __future__ import annotations

import torch
from torch import Tensor

from gannb.experiments.identity import networks
from gannb.experiments.identity.faces import WIDTH
from gannb.training.trained import Network, Trained


def network(run: Trained) -> Network:
    """The model that takes pose out of features, with the removal and blend at which its run stood."""
    builder, arguments = networks.recipe(run.params)
    factors = {name: run.number(name) for name in ("removal", "blend")}

    def inputs(n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        pose = 90 * torch.rand(n, 3, generator=generator) - 45
        return torch.randn(n, WIDTH, generator=generator), pose, *map(torch.tensor, factors.values())

    return Network(run.load("model", builder(**arguments)), builder, arguments, inputs, {"inputs": factors})
