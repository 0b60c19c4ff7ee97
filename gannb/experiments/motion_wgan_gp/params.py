"""Parameters of `motion_wgan_gp`: a motion critic under WGAN-GP, and the trainings on toys before it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from gannb.config.experiment import Experiment
from gannb.config.fields import Declaration, execution, param
from gannb.config.kinds import ALARM, BETA1, BETA2, EMA, EPOCHS, LATENT, PRECISION, PROBABILITY, RATE, TOY_RATE, WEIGHT
from gannb.config.registered import registered
from gannb.config.rules import rule
from gannb.experiments.motion.params import Curriculum, Motion

TOYS = ("8 Gaussians", "25 Gaussians", "Swiss roll", "sequences")
LOSSES = registered("gannb.losses.adversarial", "LOSSES")
DEFECTS = ("none", "dim_1", "batch_norm", "dropout", "one_mix", "autocast", "summed_patches")
PATCH, FRAMES = 16, 64
"""Frames a patch of the critic, and frames of a whole clip: lengths are multiples of the one, up to the other."""
_FRAMES = Declaration(low=PATCH, high=FRAMES, unit="frames")

BASELINE = "least-squares"
"""The other regime: least squares under strict balance, as `motion_balance` trains it, for as many turns of G."""
AS_LONG = "least-squares-as-long"
"""The same for as much processor time as the run took: a turn of it costs less than one of WGAN-GP."""

OPTIONS: dict[str, dict[str, Any]] = {
    "one-rate": {"lr_g": 1e-4, "lr_d": 1e-4},
    "two-rates": {"lr_g": 5e-5, "lr_d": 1e-4},
    "spectral": {"spectral": True},
    "dynamic-critic": {"dynamic_critic": True},
    "growing": {"clip_frames": [16, 32, 64]},
    "no-growing": {"clip_frames": [64]},
    "drift": {"drift": 1e-3},
    "one-sided": {"one_sided": 1},
    "one-turn": {"n_critic": 1},
    "no-curriculum": {"curriculum": False},
}
"""Name → the parameters by which a variant under WGAN-GP differs from the run."""

VARIANTS = (BASELINE, AS_LONG, "same", *OPTIONS)


_laboratory, _critic, _networks, _training, _evaluation, _loss = (
    partial(param, group=name) for name in ("laboratory", "critic", "networks", "training", "evaluation", "loss")
)
_DRIFT = replace(WEIGHT, high=10.0, slider=(0.0, 0.1))


class Laboratory(Experiment):
    """Parameters of a training on a toy; where the document gives a figure, the default is not it but ours."""

    name: ClassVar[str] = "laboratory"
    measures: ClassVar[dict[str, str]] = {
        "W_train": "Wasserstein, training points",
        "W_held_out": "the same, held-out points",
    }

    toy: str = param("8 Gaussians", "what to learn", group="data", choices=TOYS)
    seed: int = param(0, "every random draw follows from it", low=0)
    steps: int = _training(2000, "turns of the critic in all", low=1, high=10_000_000)
    batch_size: int = _training(128, "samples per step", low=2, high=8192)
    width: int = _networks(128, "of the hidden layers", low=4, high=1024)
    latent_dim: int = param(2, "length of the latent", LATENT, high=256)

    loss: str = _loss("wasserstein", "the adversarial loss", choices=LOSSES)
    defect: str = _loss("none", "a planted defect of critic or penalty", choices=DEFECTS)
    gp_weight: float = _loss(0.3, "λ, weight of the gradient penalty", WEIGHT)
    one_sided: int = _loss(0, "1: punish slopes above 1 only", low=0, high=1, moves=True)
    drift: float = _loss(0.0, "weight of the mean squared score, which holds the free offset", _DRIFT)
    n_critic: int = _training(5, "turns of the critic to one of G", low=1, high=100, slider=(1, 20), moves=True)
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


class MotionWganGp(Motion, Curriculum):
    """Parameters of `02_motion_wgan_gp`; defaults are the quick preset. Those of the toys begin with `toy_`."""

    name: ClassVar[str] = "motion_wgan_gp"
    generates: ClassVar[str] = "gestures"

    toys: list[str] = _laboratory(list(TOYS), "toys of the laboratory, the first one with its sliders", choices=TOYS)
    toy_steps: int = _laboratory(1500, "turns of the critic on each toy", low=10, high=10_000_000)
    toy_width: int = _laboratory(64, "of the toys' networks", low=4, high=1024)
    toy_batch: int = _laboratory(128, "samples per step", low=2, high=8192)
    toy_latent: int = _laboratory(2, "length of the latent", low=1, high=256)
    toy_gp_weight: float = _laboratory(0.3, "λ on the toys (the document: 10)", low=0.0, high=1000.0)
    toy_lr_d: float = _laboratory(5e-3, "the critic's rate on the toys (the document: 1e-4)", RATE, moves=False)
    toy_lr_g: float = _laboratory(5e-3, "G's rate on the toys", RATE, moves=False)
    toy_lr_falls: bool = _laboratory(True, "both rates on the toys fall to 0 (ours)")
    toy_beta1: float = _laboratory(0.5, "Adam's first decay on the toys (ours)", BETA1)
    toy_ema: float = _laboratory(0.99, "decay of G's average on the toys (ours)", EMA)
    defect: str = _laboratory("none", "a defect planted in the toys' critic or penalty", choices=DEFECTS)
    defect_steps: int = _laboratory(100, "turns of the critic beside each of the six defects", low=10, high=1_000_000)
    lambdas: list[float] = _laboratory([0.1, 1.0, 10.0, 100.0], "λ of the small sweep", low=0.0, high=1000.0)
    lambda_steps: int = _laboratory(300, "turns of the critic for each λ", low=10, high=1_000_000)

    gp_weight: float = _critic(10.0, "λ, weight of the gradient penalty", WEIGHT, slider=(0.0, 50.0))
    one_sided: int = _critic(0, "1: punish slopes above 1 only (ours)", low=0, high=1, moves=True)
    n_critic: int = _critic(5, "turns of the critic to one of G", low=1, high=100, slider=(1, 20), moves=True)
    dynamic_critic: bool = _critic(False, "more turns while W rises, fewer while it falls (W2)")
    spectral: bool = _critic(False, "spectral norm on the critic's layers beside the penalty")
    drift: float = _critic(0.0, "weight of the mean squared score, which holds the free offset (ours)", _DRIFT)
    adversarial_weight: float = param(
        1.0, "of G's adversarial term: constant, the curriculum acts on the others (W9)",
        replace(WEIGHT, high=100.0, slider=(0.0, 10.0)),
    )  # fmt: skip
    clip_frames: list[int] = _critic(
        [16, 32, 64], "frames per clip, growing from one length to the next; one length: no growing", _FRAMES
    )
    frames: int = _critic(64, "frames per clip just now: `clip_frames` moves it", _FRAMES, moves=True)
    grow_every: int = _critic(4, "epochs of each length but the last (ours)", low=1, high=100_000)

    epochs: int = param(12, "passes over the clips", EPOCHS)
    batch_size: int = _training(8, "clips per step (ours)", low=2, high=4096)
    precision: str = param(
        "fp32", "of forward passes, from mixed_from on; the penalty stays in single precision", PRECISION
    )
    mixed_from: int = _training(10, "epoch from which precision holds; fp32 before", low=0, high=100_000)
    lr_g: float = param(1e-3, "G's learning rate (the document: 10e-4, and 5e-5 as advice; the paper: 1e-4, W1)", RATE)
    lr_d: float = param(1e-3, "the critic's learning rate", RATE)
    beta1: float = param(0.0, "Adam's first decay", BETA1, high=0.9999)
    beta2: float = param(0.9, "Adam's second decay", BETA2, high=0.99999)
    ema: float = param(0.99, "decay of G's average; 0 keeps none (ours)", EMA)
    evaluate_every: int = _evaluation(2, "epochs between evaluations of W and FGD on held-out clips", low=1)
    patience: int = _evaluation(0, "epochs without a lower held-out W before training stops; 0: never (W8)", low=0)
    on_collapse: str = param("note", "what the collapse alarm does", ALARM)
    evaluated: int = _evaluation(200, "held-out clips that are evaluated, at most (ours)", low=4, high=100_000)
    compared: list[str] = _evaluation(
        ["least-squares"],
        "variants trained beside this run: same clips; as many turns of G, or as long",
        choices=VARIANTS,
    )
    seeds: int = _evaluation(1, "seeds per variant; intervals over seeds need 2", low=1, high=100)

    threads: int = execution(1, "CPU threads; one is fastest for networks this small; 0 leaves them to torch", low=0)

    @rule("clip_frames")
    def _lengths(v: Any) -> str | None:
        whole = v.clip_frames and all(n % PATCH == 0 for n in v.clip_frames)
        ascending = all(b > a for a, b in pairwise(v.clip_frames))
        return None if whole and ascending else f"allowed: ascending multiples of {PATCH}, such as [16, 32, 64]"

    @rule("frames")
    def _whole_patches(v: Any) -> str | None:
        return None if v.frames % PATCH == 0 else f"allowed: a multiple of {PATCH}"

    @rule("lambdas")
    def _some_lambda(v: Any) -> str | None:
        return None if v.lambdas and len({*v.lambdas}) == len(v.lambdas) else "allowed: one λ at least, each once"

    @rule("toys")
    def _some_toy(v: Any) -> str | None:
        return None if v.toys and len({*v.toys}) == len(v.toys) else "allowed: one toy at least, each once"

    def toy(self, toy: str, **changes: Any) -> Laboratory:
        """The parameters of one training of the laboratory.

        Args:
            toy: which one.
            changes: parameters of `Laboratory` that differ from this run's.
        """
        values = {"steps": self.toy_steps, "batch_size": self.toy_batch, "latent_dim": self.toy_latent}
        same = ("width", "gp_weight", "lr_d", "lr_g", "lr_falls", "beta1", "ema")
        values |= {name: getattr(self, f"toy_{name}") for name in same} | {"defect": self.defect}
        if toy == "sequences":  # a step of convolutions costs ten of a perceptron's; a phase and a gait want room
            values |= {"steps": max(10, self.toy_steps // 10), "batch_size": max(2, self.toy_batch // 4)}
            values |= {"width": max(4, self.toy_width // 2), "latent_dim": 8}
        carried = {name: getattr(self, name) for name in ("device", "threads", "deterministic", "live", "runs", "seed")}
        return Laboratory(**{"toy": toy} | values | carried | changes)

    def variant(self, name: str, *, seed: int, runs: str) -> MotionWganGp:
        """These parameters as a variant of `VARIANTS` under WGAN-GP, with a seed of its own.

        Args:
            name: "same", or an option that differs.
            seed: of all draws.
            runs: where its run folder goes.

        Raises:
            ValueError: an unknown variant, or the baseline, which `MotionBalance.baseline_for` gives.
        """
        return self.varied(name, {"same": {}} | OPTIONS, seed=seed, runs=runs, compared=[], seeds=1)
