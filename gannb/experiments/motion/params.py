"""Parameters of data, networks and curriculum that both experiments on speech-driven gesture share."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.config.kinds import WEIGHT
from gannb.config.rules import rule
from gannb.config.sources import Source
from gannb.experiments.motion.curriculum import DETAIL, PHYSICS, Stages, weight

_data, _networks, _curriculum = (partial(param, group=name) for name in ("data", "networks", "curriculum"))


class Motion(Experiment):
    """Data and networks that `motion_balance` and `motion_wgan_gp` share; defaults are the quick preset."""

    measures: ClassVar[dict[str, str]] = {
        "reconstruction": "distance to real motion", "physics": "bone lengths and joint limits",
        "fgd": "Fréchet gesture distance, held out", "recent": "mean of the last losses",
        "W_train": "Wasserstein, training clips", "W_held_out": "the same, held-out clips",
    }  # fmt: skip

    data: str = _data(
        "synthetic", '"synthetic", a folder of motion (.bvh, .npz) and speech of the same names, or a built corpus',
        source=Source(("synthetic",), folder="motion and speech, or of a built corpus"),
    )  # fmt: skip
    seconds: float = _data(20.0, "length of a synthetic recording (ours)", low=5.0, high=36000.0, unit="s")
    recordings: int = _data(2, "synthetic recordings per speaker (ours)", low=1, high=1000)
    stride: int = _data(32, "frames between the beginnings of clips (ours)", low=1, high=64)
    held_out: float = _data(0.25, "share of recordings held out for evaluation (ours)", low=0.02, high=0.9)
    n_mels: int = _data(64, "mel bands (ours)", low=8, high=256)
    seed: int = param(0, "every random draw follows from it", low=0)

    width: int = _networks(16, "C of G; 256 is the document's scale, 64 a laptop's (ours)", low=16, high=1024)
    d_width: int = _networks(16, "C of D (ours)", low=16, high=1024)
    head: str = _networks(
        "angles", "coordinates, as the document, or angles within their limits and forward kinematics (ours)",
        choices=("coordinates", "angles"),
    )  # fmt: skip
    body_hand: str = _networks(
        "parallel", "body-hand attention: both at once, hands first, or none (M16)",
        choices=("parallel", "sequential", "off"),
    )  # fmt: skip
    unet_norm: bool = _networks(
        True, "group norms in G's U-Net; without them its features can grow without bound (ours)"
    )
    d_on_speech: bool = _networks(True, "D is conditioned on the speech (ours)")
    d_on_speaker: bool = _networks(True, "D is conditioned on the speaker (ours)")

    @rule("width", "d_width")
    def _heads(v: Any) -> str | None:
        return None if v.width % 16 == v.d_width % 16 == 0 else "widths are shared by 8 heads: use multiples of 16"

    @rule("n_mels")
    def _bands(v: Any) -> str | None:
        return None if v.n_mels % 8 == 0 else "use a multiple of 8"


class Curriculum(Experiment):
    """The stages, the ends of the ramps, and the weights that they move (motion_balance §2)."""

    curriculum: bool = _curriculum(True, "weights rise with the epoch; off: full weights from the start")
    ramp: str = _curriculum(
        "document", "the document's ramp, which doubles at the end of the warm-up, or a smooth one (ours, M2)",
        choices=("document", "smooth"),
    )  # fmt: skip
    warmup_epochs: int = _curriculum(3, "end of the warm-up (the document: 10)", low=0, high=10_000, slider=(0, 100))
    curriculum_epochs: int = _curriculum(
        10, "end of the curriculum, not its length (M3; the document: 50)", low=1, high=10_000,
        slider=(1, 500),
    )  # fmt: skip
    detail_initial: float = _curriculum(DETAIL[0], "detail weight after the warm-up", low=0.0, high=100.0)
    detail_final: float = _curriculum(DETAIL[1], "detail weight at the end", low=0.0, high=100.0)
    physics_initial: float = _curriculum(PHYSICS[0], "physics weight after the warm-up", low=0.0, high=100.0)
    physics_final: float = _curriculum(PHYSICS[1], "physics weight at the end", low=0.0, high=100.0)
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
