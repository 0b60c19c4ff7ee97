"""What an experiment on gesture is told of its curriculum: weights of losses that rise with the epoch."""

from __future__ import annotations

from typing import Any

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.config.kinds import WEIGHT
from gannb.config.rules import rule
from gannb.experiments.motion.curriculum import Stages


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
    detail_initial: float = param(0.3, "detail weight after the warm-up", group="curriculum", low=0.0, high=100.0)
    detail_final: float = param(1.0, "detail weight at the end", group="curriculum", low=0.0, high=100.0)
    physics_initial: float = param(0.5, "physics weight after the warm-up", group="curriculum", low=0.0, high=100.0)
    physics_final: float = param(2.0, "physics weight at the end", group="curriculum", low=0.0, high=100.0)
    detail_weight: float = param(0.15, "of the detail terms: the curriculum moves it", WEIGHT)
    physics_weight: float = param(0.25, "of bone and angle terms: the curriculum moves it", WEIGHT)
    absolute_weight: float = param(1.0, "of |made - real| (ours)", WEIGHT)
    velocity_weight: float = param(1.0, "of the difference of velocities (ours)", WEIGHT)

    @rule("warmup_epochs", "curriculum_epochs")
    def _stages(v: Any) -> str | None:
        return None if v.warmup_epochs < v.curriculum_epochs else "the curriculum ends after the warm-up"

    @property
    def stages(self) -> Stages:
        """The curriculum's stages."""
        return Stages(self.warmup_epochs, self.curriculum_epochs)
