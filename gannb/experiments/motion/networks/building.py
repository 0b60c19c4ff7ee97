"""Networks from a run's parameters; `graph_layers` and `d_time_scales` are extensions that one experiment has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gannb.experiments.motion.networks.discriminator import Discriminator, Norm
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.networks.multiscale import TimeScales
from gannb.experiments.motion.params import Motion


def of_generator(p: Motion, speakers: int) -> dict[str, Any]:
    """The arguments of the generator that the parameters describe, but for what it knows of its data."""
    sizes = {"n_mels": p.n_mels, "speakers": speakers, "width": p.width}
    parts = {"head": p.head, "body_hand": p.body_hand, "unet_norm": p.unet_norm}
    return sizes | parts | {"graph": getattr(p, "graph_layers", "AGAGA")}


def generator(p: Motion, speakers: int, scales: Mapping[str, Tensor] | None = None) -> Generator:
    """The generator that the parameters describe.

    Args:
        p: the run's parameters.
        speakers: how many there are.
        scales: what it knows of its data, as `MotionSplit.scales` gives it: `center` `[52, 3]` and others; None where
            weights are to be loaded into it.
    """
    return Generator(**of_generator(p, speakers), **(scales or {}))


def discriminator(
    p: Motion, speakers: int, scales: Mapping[str, Tensor] | None = None, norm: Norm = "batch"
) -> Discriminator | TimeScales:
    """The discriminator (`batch`), or the critic (`layer`), that the parameters describe.

    With more `d_time_scales` it is one discriminator per scale (`gannb.experiments.motion.networks.multiscale`).

    Args:
        p: the run's parameters.
        speakers: how many there are.
        scales: as for `generator`: `center` `[52, 3]` and others.
        norm: `batch` or `layer`.
    """
    known = {name: scale for name, scale in (scales or {}).items() if name != "bones"}
    n_mels, known_speakers = p.n_mels if p.d_on_speech else None, speakers if p.d_on_speaker else 0
    time_scales = getattr(p, "d_time_scales", [1])
    if time_scales == [1]:
        return Discriminator(p.d_width, norm, n_mels, known_speakers, **known)
    return TimeScales(lambda: Discriminator(p.d_width, norm, n_mels, known_speakers, **known), time_scales)
