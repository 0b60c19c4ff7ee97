"""Experiment 4: SAGAN on few particle images. Defaults are the quick preset."""

from __future__ import annotations

from typing import Any

from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.kinds import (
    ALARM,
    BETA1,
    BETA2,
    EMA,
    EPOCHS,
    LABEL,
    LATENT,
    PENALTY,
    PRECISION,
    PROBABILITY,
    RATE,
    TURNS,
)
from gannb.config.registered import registered
from gannb.config.rules import rule
from gannb.networks import registry

LOSSES = registered("gannb.losses.adversarial", "LOSSES")
OPERATIONS = registered("gannb.data.augmentation", "OPERATIONS")


class ParticlesSagan(Experiment):
    """What a run of `04_particles_sagan` may be told."""

    name = "particles_sagan"

    data: str = param(
        "rendered", 'what to learn from: "rendered", or a folder of grey images, or an .npz', group="data"
    )
    seed: int = param(0, "every random draw follows from it", low=0)
    image_size: int = param(32, "height and width", group="data", unit="px", low=16, high=256)
    fit: str = param("crop", "how larger images become that size", group="data", choices=("crop", "resize"))
    exclude_worst: int = param(
        0, "learn without this many of the poorest images (blur, contrast, saturation)", group="data", low=0
    )
    held_out: float = param(0.2, "share kept for judging, by file order", group="data", low=0.05, high=0.5)

    epochs: int = param(120, "passes over the training images", EPOCHS)
    batch_size: int = param(16, "images a step", group="training", low=2, high=1024)
    precision: str = param("bf16", "of forward passes", PRECISION)
    lr_g: float = param(4e-4, "G's learning rate", RATE)
    lr_d: float = param(8e-4, "D's learning rate", RATE)
    lr_drop_every: int = param(0, "epochs between drops of both rates; 0: none", group="optimiser", low=0)
    lr_drop_factor: float = param(
        0.5, "what a drop multiplies them by", group="optimiser", low=0, high=1, open_low=True
    )
    beta1: float = param(0.0, "Adam's first decay", BETA1)
    beta2: float = param(0.99, "Adam's second decay", BETA2)
    clip_norm: float = param(0.0, "largest gradient norm; 0 clips nothing", group="optimiser", low=0)
    ema: float = param(0.98, "decay of G's average; 0 keeps none (ours)", EMA)
    settle: bool = param(True, "estimate G's BatchNorm anew before looking at it (ours)", group="optimiser")
    d_steps: int = param(1, "D's turns a step", TURNS)
    g_steps: int = param(1, "G's turns a step", TURNS)

    network: str = param("sagan", "G and D", group="networks", choices=tuple(registry.NETWORKS))
    network_options: dict[str, Any] = param(
        {}, 'the network\'s own options, such as {"attention_at": [8, 16]}', group="networks"
    )
    latent_dim: int = param(128, "length of the latent", LATENT)
    ngf: int = param(16, "width of G", group="networks", low=1, high=512)
    ndf: int = param(16, "width of D", group="networks", low=1, high=512)

    loss: str = param(
        "relativistic", "the adversarial loss (the document names none: bce)", group="loss", choices=LOSSES
    )
    real_label: float = param(0.9, "target for real images in D's loss", LABEL, group="loss")
    fake_label: float = param(0.0, "target for generated images in D's loss", LABEL, group="loss")
    r1_weight: float = param(0.0, "weight of the R1 penalty (ours)", PENALTY, group="loss")
    r1_every: int = param(8, "steps between R1 penalties (ours)", group="loss", low=1)
    path_length_weight: float = param(
        0.0, "stylegan2: weight of the path length penalty (the paper: 2)", PENALTY, slider=(0, 4), group="loss"
    )
    path_length_every: int = param(4, "steps between path length penalties (the paper: 4)", group="loss", low=1)
    path_length_target: float = param(
        0.0, "stylegan2: the length asked for; follows the mean of those seen", PENALTY, slider=(0, 2), group="loss"
    )
    augment: str = param("hflip,vflip,quarter_turns", "operations on real and fake images", group="augmentation")
    augment_probability: float = param(1.0, "chance of each operation", PROBABILITY, group="augmentation")
    augment_strength: float = param(1.0, "magnitude of each operation", PROBABILITY, group="augmentation")
    adaptive: bool = param(
        False, "let D's certainty on real images set the probability, up to 0.8 (ours)", group="augmentation"
    )

    features: str = param("auto", "what judges: auto | inception | faed", group="judging")
    fid_samples: int = param(500, "images generated for a score", group="judging", low=10)
    choose_by: str = param(
        "kid", "which score keeps the best moment (the document: FID)", group="judging", choices=("kid", "frechet")
    )
    score_every: int = param(40, "epochs between scores; 0: the document's 10, 20, 50", group="judging", low=0)
    samples_every: int = param(20, "epochs between sample grids", group="judging", low=1)
    on_collapse: str = param("note", "what the collapse alarm does", ALARM)

    threads: int = execution(
        1, "CPU threads; one is nearly as fast as two on networks this small; 0 leaves them to torch", low=0
    )

    @rule("real_label", "fake_label")
    def _labels(v):
        return "allowed: real_label above fake_label" if v.real_label <= v.fake_label else None

    @rule("network", "network_options", "image_size")
    def _network(v):
        return registry.fault(v.network, v.image_size, v.network_options)

    @rule("adaptive", "loss")
    def _certainty(v):
        if v.adaptive and v.loss in ("relativistic", "wasserstein"):
            return "only differences of D's outputs count, so their sign says nothing: adaptive needs another loss"
        return None

    @rule("network", "path_length_weight")
    def _paths(v):
        missing = v.path_length_weight > 0 and not registry.NETWORKS[v.network].mapping
        return "path lengths need a mapping network: network = stylegan2" if missing else None

    @rule("augment")
    def _operations(v):
        unknown = [o for o in v.augment.split(",") if o.strip() and o.strip() not in OPERATIONS]
        return f"augment: unknown {', '.join(unknown)}; allowed: {', '.join(OPERATIONS)}" if unknown else None

    @rule("d_steps", "g_steps")
    def _turns(v):
        return "allowed: at least one turn a step" if v.d_steps + v.g_steps < 1 else None

    @property
    def policy(self) -> tuple[str, ...]:
        """`augment` as names."""
        return tuple(o.strip() for o in self.augment.split(",") if o.strip())


def cadence(epoch: int) -> int:
    """Epochs between scores: 10 up to epoch 200, 20 up to 800, 50 after (particles_sagan, section 6)."""
    return 10 if epoch <= 200 else 20 if epoch <= 800 else 50
