"""The tour: a generator of points in the plane, small enough to be watched and moved within a minute."""

from __future__ import annotations

from typing import Any, ClassVar

from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.kinds import EPOCHS, LABEL, TOY_RATE, TURNS, WEIGHT
from gannb.config.rules import playing, rule


class Tour(Experiment):
    """Parameters of `00_tour`; defaults are the quick preset."""

    name: ClassVar[str] = "tour"
    generates: ClassVar[str] = "points"
    measures: ClassVar[dict[str, str]] = {
        "modes_found": "with at least 20 points near",
        "share_near": "share of points near a mode",
    }

    toy: str = param(
        "8 Gaussians", "which points to learn", group="data", choices=("8 Gaussians", "25 Gaussians", "Swiss roll")
    )
    seed: int = param(0, "every random draw follows from it", low=0)
    steps: int = param(1500, "steps to train", EPOCHS, high=1_000_000)
    batch_size: int = param(128, "points per step", group="training", low=2, high=8192)
    width: int = param(64, "of the hidden layers of G and D", group="networks", low=4, high=1024)
    lr_g: float = param(2e-3, "G's learning rate", TOY_RATE, group="training")
    lr_d: float = param(2e-3, "D's learning rate", TOY_RATE, group="training")
    d_steps: int = param(1, "D's turns per step", TURNS)
    g_steps: int = param(1, "G's turns per step", TURNS)
    real_label: float = param(1.0, "target for real points in D's loss", LABEL, group="loss")
    noise: float = param(0.1, "standard deviation of the noise on D's inputs", WEIGHT, high=2.0, slider=(0.0, 1.0))
    evaluate_every: int = param(125, "steps between evaluations of the generated points", group="training", low=1)

    threads: int = execution(1, "CPU threads; small networks gain nothing from more; 0 leaves them to torch", low=0)

    _playing = playing("d_steps", "g_steps")

    @rule("d_steps", "g_steps")
    def _turns(v: Any) -> str | None:
        return "allowed: at least one turn per step" if v.d_steps + v.g_steps < 1 else None
