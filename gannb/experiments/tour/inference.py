"""The generator of a trained tour, for `gannb sample` and `gannb export`."""

from __future__ import annotations

from gannb.experiments.tour.losses import LATENT
from gannb.networks.toys import PointGenerator
from gannb.training.trained import Network, Trained, normal


def network(run: Trained) -> Network:
    """The generator of points."""
    arguments = {"width": run.params.width, "depth": 2}
    return Network(run.load("G", PointGenerator(**arguments)), PointGenerator, arguments, normal(LATENT))
