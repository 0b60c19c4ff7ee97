"""What a run of `motion_wgan_gp` may be told: a motion critic under WGAN-GP, and the laboratory before it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

from gannb.config.fields import execution, param
from gannb.config.kinds import ALARM, BETA1, BETA2, EMA, EPOCHS, PRECISION, RATE, WEIGHT
from gannb.config.rules import rule
from gannb.experiments.motion.curriculum_params import Curriculum
from gannb.experiments.motion.params import Motion
from gannb.experiments.motion_wgan_gp.laboratory_params import DEFECTS, TOYS, Laboratory

PATCH, FRAMES = 16, 64
"""Frames a patch of the critic, and frames of a whole clip: lengths are multiples of the one, up to the other."""


RIVAL = "least-squares"
"""The other regime: least squares under strict balance, as `motion_balance` trains it."""

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
"""Name → the parameters by which an arm under WGAN-GP differs from the run."""

ARMS = (RIVAL, "same", *OPTIONS)


class MotionWganGp(Motion, Curriculum):
    """Parameters of `02_motion_wgan_gp`; defaults are the quick preset. Those of the toys begin with `toy_`."""

    name: ClassVar[str] = "motion_wgan_gp"

    toys: list[str] = param(
        list(TOYS), "toys of the laboratory, the first one with its sliders", group="laboratory", choices=TOYS
    )
    toy_steps: int = param(1500, "turns of the critic on each toy", group="laboratory", low=10, high=10_000_000)
    toy_width: int = param(64, "of the toys' networks", group="laboratory", low=4, high=1024)
    toy_batch: int = param(128, "samples a step", group="laboratory", low=2, high=8192)
    toy_latent: int = param(2, "length of the latent", group="laboratory", low=1, high=256)
    toy_gp_weight: float = param(0.3, "λ on the toys (the document: 10)", group="laboratory", low=0.0, high=1000.0)
    toy_lr_d: float = param(
        5e-3, "the critic's rate on the toys (the document: 1e-4)", RATE, group="laboratory", moves=False
    )
    toy_lr_g: float = param(5e-3, "G's rate on the toys", RATE, group="laboratory", moves=False)
    toy_lr_falls: bool = param(True, "both rates on the toys fall to 0 (ours)", group="laboratory")
    toy_beta1: float = param(0.5, "Adam's first decay on the toys (ours)", BETA1, group="laboratory")
    toy_ema: float = param(0.99, "decay of G's average on the toys (ours)", EMA, group="laboratory")
    defect: str = param("none", "a defect planted in the toys' critic or penalty", group="laboratory", choices=DEFECTS)
    defect_steps: int = param(
        100, "turns of the critic beside each of the six defects", group="laboratory", low=10, high=1_000_000
    )
    lambdas: list[float] = param([0.1, 1.0, 10.0, 100.0], "λ of the small sweep", group="laboratory", low=0.0, high=1e6)
    lambda_steps: int = param(300, "turns of the critic for each λ", group="laboratory", low=10, high=1_000_000)

    gp_weight: float = param(10.0, "λ, weight of the gradient penalty", WEIGHT, slider=(0.0, 50.0), group="critic")
    one_sided: int = param(0, "1: punish slopes above 1 only (ours)", group="critic", low=0, high=1, moves=True)
    n_critic: int = param(
        5, "turns of the critic to one of G", group="critic", low=1, high=100, slider=(1, 20), moves=True
    )
    dynamic_critic: bool = param(False, "more turns while W rises, fewer while it falls (W2)", group="critic")
    spectral: bool = param(False, "spectral norm on the critic's layers beside the penalty", group="critic")
    drift: float = param(
        0.0, "weight of the mean squared score, which holds the free offset (ours)", group="critic", low=0.0, high=10.0,
        slider=(0.0, 0.1), moves=True,
    )  # fmt: skip
    adversarial_weight: float = param(
        1.0,
        "of G's adversarial term: constant, the curriculum acts on the others (W9)",
        WEIGHT,
        high=100.0,
        slider=(0.0, 10.0),
    )
    clip_frames: list[int] = param(
        [16, 32, 64], "frames a clip, growing from one length to the next; one length: no growing", group="critic",
        low=PATCH, high=FRAMES, unit="frames",
    )  # fmt: skip
    frames: int = param(
        64, "frames a clip just now: `clip_frames` moves it", group="critic", low=PATCH, high=FRAMES, unit="frames",
        moves=True,
    )  # fmt: skip
    grow_every: int = param(4, "epochs of each length but the last (ours)", group="critic", low=1, high=100_000)

    epochs: int = param(12, "passes over the clips", EPOCHS)
    batch_size: int = param(8, "clips a step (ours)", group="training", low=2, high=4096)
    precision: str = param(
        "fp32", "of forward passes, from mixed_from on; the penalty stays in single precision", PRECISION
    )
    mixed_from: int = param(10, "epoch from which precision holds; fp32 before", group="training", low=0, high=100_000)
    lr_g: float = param(1e-3, "G's learning rate (the document: 10e-4, and 5e-5 as advice; the paper: 1e-4, W1)", RATE)
    lr_d: float = param(1e-3, "the critic's learning rate", RATE)
    beta1: float = param(0.0, "Adam's first decay", BETA1, high=0.9999)
    beta2: float = param(0.9, "Adam's second decay", BETA2, high=0.99999)
    ema: float = param(0.99, "decay of G's average; 0 keeps none (ours)", EMA)
    judge_every: int = param(2, "epochs between looks at W and FGD on held-out clips", group="judging", low=1)
    patience: int = param(
        0, "epochs without a lower held-out W before training stops; 0: never (W8)", group="judging", low=0
    )
    on_collapse: str = param("note", "what the collapse alarm does", ALARM)
    judged: int = param(200, "held-out clips that are judged, at most (ours)", group="judging", low=4, high=100_000)
    compared: list[str] = param(
        ["least-squares"], "arms trained beside this run: the same clips, and as many turns of G", group="judging",
        choices=ARMS,
    )  # fmt: skip
    seeds: int = param(1, "seeds of each arm; intervals over seeds need 2", group="judging", low=1, high=100)

    threads: int = execution(1, "CPU threads; one is fastest for networks this small; 0 leaves them to torch", low=0)

    @rule("clip_frames")
    def _lengths(v: Any) -> str | None:
        whole = v.clip_frames and all(n % PATCH == 0 for n in v.clip_frames)
        ascending = all(b > a for a, b in pairwise(v.clip_frames))
        return None if whole and ascending else f"allowed: ascending multiples of {PATCH}, such as [16, 32, 64]"

    @rule("frames")
    def _whole_patches(v: Any) -> str | None:
        return None if v.frames % PATCH == 0 else f"allowed: a multiple of {PATCH}"

    @rule("toys")
    def _some_toy(v: Any) -> str | None:
        return None if v.toys and len({*v.toys}) == len(v.toys) else "allowed: one toy at least, each once"

    def toy(self, toy: str, **changes: Any) -> Laboratory:
        """What one training of the laboratory is told.

        Args:
            toy: which one.
            changes: parameters of `Laboratory` that differ from this run's.
        """
        told = {"steps": self.toy_steps, "batch_size": self.toy_batch, "latent_dim": self.toy_latent}
        same = ("width", "gp_weight", "lr_d", "lr_g", "lr_falls", "beta1", "ema")
        told |= {name: getattr(self, f"toy_{name}") for name in same} | {"defect": self.defect}
        if toy == "sequences":  # a step of convolutions costs ten of a perceptron's; a phase and a gait want room
            told |= {"steps": max(10, self.toy_steps // 10), "batch_size": max(2, self.toy_batch // 4), "latent_dim": 8}
            told["width"] = max(4, self.toy_width // 2)
        carried = {name: getattr(self, name) for name in ("device", "threads", "deterministic", "live", "runs", "seed")}
        return Laboratory(**{"toy": toy} | told | carried | changes)

    def arm(self, name: str, *, seed: int, runs: str) -> MotionWganGp:
        """These parameters as an arm of `ARMS` under WGAN-GP with a seed of its own.

        Args:
            name: "same", or an option that differs.
            seed: of all draws.
            runs: where its run folder goes.

        Raises:
            ValueError: an unknown arm, or the rival, which is told by `rival`.
        """
        if name not in ("same", *OPTIONS):
            raise ValueError(f"no arm under WGAN-GP is called {name!r}; there are: same, {', '.join(OPTIONS)}")
        own = {"seed": seed, "runs": runs, "preset": name, "compared": [], "seeds": 1}
        return type(self)(**dict(self) | _ALONE | own | OPTIONS.get(name, {}))


_ALONE = {"resume": "", "replay": "", "branch": ""}
"""An arm never resumes, replays or branches the run beside which it is trained."""
