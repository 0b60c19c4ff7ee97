"""The generator of a trained run, for `gannb sample` and `gannb export`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gannb.config.image_formats import COLOURS, noted
from gannb.experiments.schedules.image_splits import ImageSplits
from gannb.networks import registry
from gannb.networks.layers import recalibrate_batchnorm
from gannb.random import generator
from gannb.runs import files
from gannb.runs.checks import CLASSES, classes_of
from gannb.runs.folder import Run
from gannb.training.trained import Network, Trained


def network(run: Trained) -> Network:
    """The generator of images, its BatchNorm re-estimated, with latents of the run's distribution and scale."""
    p, scale = run.params, run.number("latent_scale") ** 0.5

    classes = classes_of(run.folder) if p.conditional else {}

    def inputs(n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        if p.latent == "uniform":
            z = scale * 3**0.5 * (2 * torch.rand(n, p.latent_dim, generator=generator) - 1)
        else:
            z = scale * torch.randn(n, p.latent_dim, generator=generator)
        if not classes:
            return (z,)
        frequent = torch.tensor([*classes.values()], dtype=torch.float64)
        return z, torch.multinomial(frequent, n, replacement=True, generator=generator)

    arguments = _arguments(run, {"classes": len(classes)} if classes else {})
    G = run.load("G", registry.generator(**arguments))
    notes = noted(arguments["channels"]) | ({"classes": [*classes]} if classes else {})
    recalibrate_batchnorm(G, *inputs(256, generator(p.seed, "recalibrated")))
    return Network(G, registry.generator, arguments, inputs, notes)


def save_classes(run: Run, images: ImageSplits) -> None:
    """Keep the classes with a conditional run: their names, and how many training images each has."""
    if run.params.conditional and run.writes:
        counts = torch.bincount(images.classes["train"], minlength=len(images.names))
        files.write_json(run.path(CLASSES), dict(zip(images.names, counts.tolist())))


def _arguments(run: Trained, conditions: dict[str, int]) -> dict[str, Any]:
    """What builds the generator; how many channels the data had, only the weights know."""
    p, saved = run.params, run.weights("G")
    options = {"spectral": p.d_norm == "spectral", **conditions, **p.network_options}
    sizes = {"network": p.network, "latent_dim": p.latent_dim, "width": p.width, "size": p.size}
    for channels in COLOURS.values():
        arguments = {**sizes, "channels": channels, **options}
        with torch.device("meta"):
            built = registry.generator(**arguments).state_dict()
        if {name: tensor.shape for name, tensor in built.items()} == {name: t.shape for name, t in saved.items()}:
            break
    return arguments
