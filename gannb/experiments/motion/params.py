"""What both experiments on speech-driven gesture are told of their data and networks."""

from __future__ import annotations

from typing import Any

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.config.rules import rule


class Motion(Experiment):
    """Data and networks that `motion_balance` and `motion_wgan_gp` share; defaults are the quick preset."""

    data: str = param(
        "made", '"made", a folder of motion (.bvh, .npz) and speech of the same names, or a built corpus', group="data"
    )
    seconds: float = param(20.0, "length of a made-up recording (ours)", group="data", low=5.0, high=36000.0, unit="s")
    recordings: int = param(2, "made-up recordings a speaker (ours)", group="data", low=1, high=1000)
    stride: int = param(32, "frames between the beginnings of clips (ours)", group="data", low=1, high=64)
    held_out: float = param(0.25, "share of the recordings kept for judging (ours)", group="data", low=0.02, high=0.9)
    n_mels: int = param(64, "mel bands (ours)", group="data", low=8, high=256)
    seed: int = param(0, "every random draw follows from it", low=0)

    width: int = param(
        16, "C of G; 256 is the document's scale, 64 a laptop's (ours)", group="networks", low=16, high=1024
    )
    d_width: int = param(16, "C of D (ours)", group="networks", low=16, high=1024)
    head: str = param(
        "angles", "coordinates, as the document, or angles within their limits and forward kinematics (ours)",
        group="networks",
        choices=("coordinates", "angles"),
    )  # fmt: skip
    body_hand: str = param(
        "parallel", "body-hand attention: both at once, hands first, or none (M16)", group="networks",
        choices=("parallel", "sequential", "off"),
    )  # fmt: skip
    d_hears: bool = param(True, "D hears the speech (ours)", group="networks")
    d_knows_speaker: bool = param(True, "D is told the speaker (ours)", group="networks")

    @property
    def graph(self) -> str:
        """G's graph layers, by letter: the document's five; see `networks.graph.graph_layers`."""
        return "AGAGA"

    @property
    def time_scales(self) -> tuple[int, ...]:
        """Frames that each of D's discriminators averages over: one discriminator of every frame."""
        return (1,)

    @rule("width", "d_width")
    def _heads(v: Any) -> str | None:
        return None if v.width % 16 == v.d_width % 16 == 0 else "widths are shared by 8 heads: use multiples of 16"

    @rule("n_mels")
    def _bands(v: Any) -> str | None:
        return None if v.n_mels % 8 == 0 else "use a multiple of 8"
