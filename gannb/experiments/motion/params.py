"""Parameters of data, networks and curriculum that both experiments on speech-driven gesture share."""

from __future__ import annotations

from typing import Any

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.config.kinds import WEIGHT
from gannb.config.rules import rule
from gannb.experiments.motion.curriculum import DETAIL, PHYSICS, Stages, weight


class Motion(Experiment):
    """Data and networks that `motion_balance` and `motion_wgan_gp` share; defaults are the quick preset."""

    data: str = param(
        "synthetic",
        '"synthetic", a folder of motion (.bvh, .npz) and speech of the same names, or a built corpus',
        group="data",
    )
    seconds: float = param(
        20.0, "length of a synthetic recording (ours)", group="data", low=5.0, high=36000.0, unit="s"
    )
    recordings: int = param(2, "synthetic recordings per speaker (ours)", group="data", low=1, high=1000)
    stride: int = param(32, "frames between the beginnings of clips (ours)", group="data", low=1, high=64)
    held_out: float = param(
        0.25, "share of recordings held out for evaluation (ours)", group="data", low=0.02, high=0.9
    )
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
    d_on_speech: bool = param(True, "D is conditioned on the speech (ours)", group="networks")
    d_on_speaker: bool = param(True, "D is conditioned on the speaker (ours)", group="networks")

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


class Curriculum(Experiment):
    """The stages, the ends of the ramps, and the weights that they move (motion_balance §2)."""

    curriculum: bool = param(True, "weights rise with the epoch; off: full weights from the start", group="curriculum")
    ramp: str = param(
        "document", "the document's ramp, which doubles at the end of the warm-up, or a smooth one (ours, M2)",
        group="curriculum", choices=("document", "smooth"),
    )  # fmt: skip
    warmup_epochs: int = param(
        3, "end of the warm-up (the document: 10)", group="curriculum", low=0, high=10_000, slider=(0, 100)
    )
    curriculum_epochs: int = param(
        10, "end of the curriculum, not its length (M3; the document: 50)", group="curriculum", low=1, high=10_000,
        slider=(1, 500),
    )  # fmt: skip
    detail_initial: float = param(DETAIL[0], "detail weight after the warm-up", group="curriculum", low=0.0, high=100.0)
    detail_final: float = param(DETAIL[1], "detail weight at the end", group="curriculum", low=0.0, high=100.0)
    physics_initial: float = param(
        PHYSICS[0], "physics weight after the warm-up", group="curriculum", low=0.0, high=100.0
    )
    physics_final: float = param(PHYSICS[1], "physics weight at the end", group="curriculum", low=0.0, high=100.0)
    detail_weight: float = param(weight(0, *DETAIL), "of the detail terms: the curriculum moves it", WEIGHT)
    physics_weight: float = param(weight(0, *PHYSICS), "of bone and angle terms: the curriculum moves it", WEIGHT)
    absolute_weight: float = param(1.0, "of |generated - real| (ours)", WEIGHT)
    velocity_weight: float = param(1.0, "of the difference of velocities (ours)", WEIGHT)

    @rule("warmup_epochs", "curriculum_epochs")
    def _stages(v: Any) -> str | None:
        return None if v.warmup_epochs < v.curriculum_epochs else "the curriculum ends after the warm-up"

    @property
    def stages(self) -> Stages:
        """The curriculum's stages."""
        return Stages(self.warmup_epochs, self.curriculum_epochs)
