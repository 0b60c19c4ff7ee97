"""Parameters of `04_particles_sagan`; defaults are the quick preset."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from gannb.config import kinds
from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.image_formats import COLOURS, FITS, ImageProperties, size_of
from gannb.config.registered import registered
from gannb.config.rules import playing, rule, unknown
from gannb.config.sources import Source
from gannb.metrics.feature_names import FEATURES
from gannb.networks import registry

DATA = Source(("rendered",), (".npz",), "images")
LOSSES = registered("gannb.losses.adversarial", "LOSSES")
PENALTIES = registered("gannb.losses.penalties", "PENALTIES")
LABELLED = ("bce", "least_squares")
"""The losses that have labels."""
JUDGES = replace(FEATURES, words=("", *FEATURES.words))
"""Feature spaces, or none."""
OPERATIONS = registered("gannb.data.augmentation", "OPERATIONS")
WITHOUT_MAGNITUDE = ("hflip", "vflip", "quarter_turns")
"""The operations that have no strength."""

_data, _training, _optimiser, _networks, _loss, _augmentation, _evaluation = (
    partial(param, group=name)
    for name in ("data", "training", "optimiser", "networks", "loss", "augmentation", "evaluation")
)
_AUGMENTED = replace(kinds.PROBABILITY, acts_when=lambda v: bool(v.policy))
_MAGNITUDE = replace(kinds.PROBABILITY, acts_when=lambda v: not {*v.policy} <= {*WITHOUT_MAGNITUDE})
_label = partial(_loss, kind=kinds.LABEL, acts_when=lambda v: v.loss in LABELLED)
_anchor = partial(_loss, moves=True, slider=(-5, 5), optional=True, acts_when=lambda v: v.lecam_weight > 0)
_path = partial(_loss, acts_when=lambda v: registry.NETWORKS[v.network].mapping)
_path_length = partial(_path, kind=kinds.PENALTY)


class ParticlesSagan(ImageProperties, Experiment):
    """Parameters of `04_particles_sagan`."""

    name: ClassVar[str] = "particles_sagan"
    generates: ClassVar[str] = "images"

    data: str = _data("rendered", '"rendered", or a folder of images, or an .npz', source=DATA)
    seed: int = param(0, "every random draw follows from it", low=0)
    image_size: int = _data(32, "height and width", unit="px", low=16, high=256)
    image_width: int = _data(0, "width; 0: as the height", unit="px", low=0, high=256, optional=True)
    fit: str = _data("crop", "how images of other sizes are fitted", choices=FITS)
    colour: str = _data("grey", "channels of the images; rendered ones are grey", choices=tuple(COLOURS), optional=True)
    exclude_worst: int = _data(0, "exclude so many of the poorest images (blur, contrast, saturation)", low=0)
    held_out: float = _data(0.2, "share held out for the final scores, by file order", low=0.05, high=0.5)

    epochs: int = _training(120, "passes over the training images", kinds.EPOCHS)
    batch_size: int = _training(16, "images per step", low=2, high=1024)
    precision: str = _training("fp32", "of forward passes; auto: bf16 where it is fast", kinds.PRECISION)
    lr_g: float = param(4e-4, "G's learning rate", kinds.RATE)
    lr_d: float = param(8e-4, "D's learning rate", kinds.RATE)
    lr_drop_every: int = _optimiser(0, "epochs between drops of both rates; 0: none", low=0)
    lr_drop_factor: float = _optimiser(
        0.5, "factor of a drop", low=0, high=1, open_low=True, acts_when=lambda v: v.lr_drop_every > 0
    )
    beta1: float = param(0.0, "Adam's first decay", kinds.BETA1)
    beta2: float = param(0.99, "Adam's second decay", kinds.BETA2)
    clip_norm: float = _optimiser(0.0, "largest gradient norm; 0 clips nothing", low=0)
    ema: float = param(0.98, "decay of G's average; 0 keeps none (ours)", kinds.EMA)
    recalibrate: bool = _optimiser(True, "re-estimate G's BatchNorm before it is evaluated (ours)")
    d_steps: int = param(1, "D's turns per step", kinds.TURNS)
    g_steps: int = param(1, "G's turns per step", kinds.TURNS)

    network: str = _networks("sagan", "G and D", choices=tuple(registry.NETWORKS))
    network_options: dict[str, Any] = _networks({}, 'the network\'s own options, such as {"attention_at": [8, 16]}')
    latent_dim: int = param(128, "length of the latent", kinds.LATENT)
    ngf: int = _networks(16, "width of G", low=1, high=512)
    ndf: int = _networks(16, "width of D", low=1, high=512)

    loss: str = _loss("relativistic", "the adversarial loss (the document names none: bce)", choices=LOSSES)
    real_label: float = _label(0.9, "target for real images in D's loss")
    fake_label: float = _label(0.0, "target for generated images in D's loss")
    penalty: str = _loss("r1", "the gradient penalty", choices=PENALTIES)
    penalty_weight: float = _loss(0.0, "weight of the gradient penalty (ours)", kinds.PENALTY)
    penalty_every: int = _loss(8, "steps between gradient penalties (ours)", low=1)
    path_length_weight: float = _path_length(0.0, "weight of the path length penalty (the paper: 2)", slider=(0, 4))
    path_length_every: int = _path(4, "steps between path length penalties (the paper: 4)", low=1)
    path_length_target: float = _path_length(0.0, "desired path length; follows the running mean", slider=(0, 2))
    reconstruction_weight: float = _loss(
        0.0,
        "weight of D's reconstruction of real images",
        kinds.PENALTY,
        acts_when=lambda v: registry.NETWORKS[v.network].reconstructs,
    )
    lecam_weight: float = _loss(0.0, "weight of LeCam regularisation; 0: none (ours)", low=0, optional=True)
    lecam_real: float = _anchor(0.0, "D's logit of real images; follows the running mean")
    lecam_fake: float = _anchor(0.0, "D's logit of generated images; follows the running mean")
    augment: str = _augmentation("hflip,vflip,quarter_turns", "operations on real and generated images")
    augment_probability: float = _augmentation(1.0, "probability of each operation", _AUGMENTED)
    augment_strength: float = _augmentation(1.0, "magnitude of each operation", _MAGNITUDE)
    adaptive: bool = _augmentation(False, "adapt the probability to D's overfitting, up to 0.8 (ours)")

    features: str = _evaluation("auto", "feature extractor: auto | inception | faed", source=FEATURES)
    judge: str = _evaluation("", "a second one, for the final scores alone; empty: none", source=JUDGES)
    fid_samples: int = _evaluation(500, "images generated for a score", low=10)
    choose_by: str = _evaluation(
        "kid", "score that selects the best checkpoint (the document: FID)", choices=("kid", "frechet")
    )
    score_every: int = _evaluation(40, "epochs between scores; 0: the document's 10, 20, 50", low=0)
    samples_every: int = _evaluation(20, "epochs between sample grids", low=1)
    on_collapse: str = param("note", "action of the collapse alarm", kinds.ALARM)

    threads: int = execution(
        1, "CPU threads; one is nearly as fast as two on small networks; 0 leaves them to torch", low=0
    )

    @rule("real_label", "fake_label")
    def _labels(v: Any) -> str | None:
        return "allowed: real_label above fake_label" if v.real_label <= v.fake_label else None

    @rule("network", "network_options", "image_size", reads=("image_width",))
    def _network(v: Any) -> str | None:
        return registry.fault(v.network, size_of(v.image_size, v.image_width), v.network_options)

    @rule("colour", "data")
    def _colour(v: Any) -> str | None:
        return "rendered images are grey" if v.data == "rendered" and v.colour != "grey" else None

    @rule("adaptive", "loss")
    def _certainty(v: Any) -> str | None:
        why = "only differences of D's outputs count, so their sign says nothing: adaptive needs another loss"
        return why if v.adaptive and v.loss in ("relativistic", "wasserstein") else None

    @rule("network_options", "penalty_weight")
    def _same_network(v: Any) -> str | None:
        both = v.penalty_weight > 0 and v.network_options.get("dropout")
        return "under dropout a gradient penalty sees another D at every call: take one of the two" if both else None

    @rule("network", "path_length_weight")
    def _paths(v: Any) -> str | None:
        missing = v.path_length_weight > 0 and not registry.NETWORKS[v.network].mapping
        return "path lengths need a mapping network: network = stylegan2" if missing else None

    @rule("network", "reconstruction_weight")
    def _reconstruction(v: Any) -> str | None:
        missing = v.reconstruction_weight > 0 and not registry.NETWORKS[v.network].reconstructs
        return "D has to reconstruct images: network = fastgan" if missing else None

    @rule("augment", "image_size", "image_width")
    def _turned(v: Any) -> str | None:
        square = isinstance(size_of(v.image_size, v.image_width), int)
        return None if square or "quarter_turns" not in v.augment else "quarter_turns need square images"

    @rule("augment")
    def _operations(v: Any) -> str | None:
        return unknown([o.strip() for o in v.augment.split(",") if o.strip()], OPERATIONS)

    _playing = playing("d_steps", "g_steps")

    @rule("d_steps", "g_steps")
    def _turns(v: Any) -> str | None:
        return "allowed: at least one turn per step" if v.d_steps + v.g_steps < 1 else None


def cadence(epoch: int) -> int:
    """Epochs between scores: 10 up to epoch 200, 20 up to 800, 50 after (particles_sagan, section 6)."""
    return 10 if epoch <= 200 else 20 if epoch <= 800 else 50
