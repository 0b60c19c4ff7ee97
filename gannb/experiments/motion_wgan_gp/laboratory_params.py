"""What one training on a toy is told: the laboratory of `02_motion_wgan_gp`, and `benchmarks/laboratory.py`."""

from __future__ import annotations

from typing import Any, ClassVar

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.config.kinds import BETA1, BETA2, EMA, LATENT, PROBABILITY, TOY_RATE, WEIGHT
from gannb.config.rules import rule

TOYS = ("8 Gaussians", "25 Gaussians", "Swiss roll", "sequences")
LOSSES = ("wasserstein", "non_saturating", "least_squares")
DEFECTS = ("none", "dim_1", "batch_norm", "dropout", "one_mix", "autocast", "summed_patches")


class Laboratory(Experiment):
    """Parameters of a training on a toy; where the document gives a figure, the default is not it but ours."""

    name: ClassVar[str] = "laboratory"

    toy: str = param("8 Gaussians", "what to learn", group="data", choices=TOYS)
    seed: int = param(0, "every random draw follows from it", low=0)
    steps: int = param(2000, "turns of the critic in all", group="training", low=1, high=10_000_000)
    batch_size: int = param(128, "samples a step", group="training", low=2, high=8192)
    width: int = param(128, "of the hidden layers", group="networks", low=4, high=1024)
    latent_dim: int = param(2, "length of the latent", LATENT, high=256)

    loss: str = param("wasserstein", "what the critic (or discriminator) is asked", group="loss", choices=LOSSES)
    defect: str = param("none", "a planted defect of critic or penalty", group="loss", choices=DEFECTS)
    gp_weight: float = param(0.3, "λ, weight of the gradient penalty", WEIGHT, group="loss")
    one_sided: int = param(0, "1: punish slopes above 1 only", group="loss", low=0, high=1, moves=True)
    drift: float = param(
        0.0, "weight of the mean squared score, which holds the free offset", group="loss", low=0.0, high=10.0,
        slider=(0.0, 0.1), moves=True,
    )  # fmt: skip
    n_critic: int = param(
        5, "turns of the critic to one of G", group="training", low=1, high=100, slider=(1, 20), moves=True
    )
    lr_d: float = param(1e-3, "the critic's learning rate", TOY_RATE)
    lr_g: float = param(2e-3, "G's learning rate", TOY_RATE)
    lr_scale: float = param(1.0, "multiplies both rates: what `lr_falls` moves", PROBABILITY, group="optimiser")
    lr_falls: bool = param(True, "both rates fall linearly to 0 over the steps", group="optimiser")
    beta1: float = param(0.5, "Adam's first decay", BETA1)
    beta2: float = param(0.9, "Adam's second decay", BETA2)
    ema: float = param(0.995, "decay of G's average; 0 keeps none", EMA)

    @rule("loss", "defect")
    def _planted(v: Any) -> str | None:
        inside = v.defect in ("none", "batch_norm", "dropout") or v.loss == "wasserstein"
        return None if inside else "a defect of the penalty needs loss=wasserstein, the others have no penalty"
