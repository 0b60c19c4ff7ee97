"""The generator of a trained run, for `gannb sample` and `gannb export`."""

from __future__ import annotations

from gannb.config.image_formats import noted
from gannb.networks import registry
from gannb.networks.layers import recalibrate_batchnorm
from gannb.random import generator
from gannb.training.trained import Network, Trained, normal


def network(run: Trained) -> Network:
    """The generator of images, with its BatchNorm re-estimated where the run does so before it evaluates."""
    p, inputs = run.params, normal(run.params.latent_dim)
    sizes = {"latent_dim": p.latent_dim, "width": p.ngf, "size": p.size, "channels": p.channels}
    arguments = {"network": p.network, **sizes, **p.network_options}
    G = run.load("G", registry.generator(**arguments))
    if p.recalibrate:
        recalibrate_batchnorm(G, *inputs(320, generator(p.seed, "recalibrated")))
    return Network(G, registry.generator, arguments, inputs, noted(p.channels))
