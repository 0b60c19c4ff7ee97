"""Parameters of `03_schedules`, and the variants and ablations of the comparison; defaults are the quick preset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.image_formats import COLOURS, FITS, ImageProperties, size_of
from gannb.config.kinds import BETA1, BETA2, EMA, EPOCHS, LATENT, PROBABILITY, RATE, RATE_FACTOR, WEIGHT
from gannb.config.registered import registered
from gannb.config.rules import among, rule, unknown
from gannb.config.sources import Source
from gannb.control.schedules import SHAPES
from gannb.experiments.schedules.drivers import DRIVEN
from gannb.experiments.schedules.meta.control_space import DOCUMENT_FEATURES, FEATURES, Range
from gannb.metrics.feature_names import FEATURES as FEATURE_SPACES
from gannb.networks import registry

DATA = Source(("digits", "rendered", "cifar10", "celeba", "lsun"), (".npz",), "images")
_MAYBE_DATA = replace(DATA, words=("", *DATA.words))
AUGMENTATIONS = registered("gannb.data.augmentation", "OPERATIONS")
PENALTIES = registered("gannb.losses.penalties", "PENALTIES")
LOSSES = registered("gannb.losses.adversarial", "LOSSES")
UNCLASSED = ("rendered", "celeba", "lsun")
"""The data sets whose images have no classes."""
METHODS = ("hypergradient", "policy", "evolution", "frozen")

CONSTANTS = {"constant-low": 0.0, "constant-middle": 0.5}
"""Variant → the share of each range that is its constant (the best-constants baseline of S9)."""
VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"variant": name} for name in DRIVEN},
    **{name: {"variant": "fixed"} for name in CONSTANTS},
    "hand": {"variant": "fixed"},
    "literal-noise": {"variant": "document", "noise": "latent_scale", "instance_noise": 0.0},
    "literal-augmentation": {"variant": "document", "augment_both": False},
    "only-noise": {"variant": "document", "augment_strength_final": 0.8, "reg_weight_final": 10.0},
    "only-augmentation": {"variant": "document", "instance_noise_final": 1.0, "reg_weight_final": 10.0},
    "only-regularisation": {"variant": "document", "instance_noise_final": 1.0, "augment_strength_final": 0.8},
    "no-schedule": {"variant": "fixed", "instance_noise": 0.0, "augment_strength": 0.0, "reg_weight": 0.0},
}
"""Variant → what it changes."""

ABLATIONS: dict[str, dict[str, Any]] = {
    "lstm": {"controller": "lstm"},
    "hidden-32": {"hidden": [32]},
    "hidden-256-128": {"hidden": [256, 128]},
    "every-2": {"update_every": 2},
    "every-5": {"update_every": 5},
    **{f"without-{name}": {"state": [f for f in DOCUMENT_FEATURES if f != name]} for name in DOCUMENT_FEATURES},
    "with-values": {"state": [*DOCUMENT_FEATURES, "values"]},
    "with-answers": {"state": [*DOCUMENT_FEATURES, "real", "fake"]},
    "with-gap": {"state": [*DOCUMENT_FEATURES, "gap"]},
    "policy": {"method": "policy"},
    "evolution": {"method": "evolution"},
    "unstable-allowed": {"stability_weight": 0.0},
    "meta-start": {"meta_tasks": 2},
    "meta-lr-1e-3": {"meta_lr": 1e-3},
    "no-decay": {"meta_decay": 0.0},
}
"""Ablation → what it changes in the learned variant."""

_MOVED = ("instance_noise", "latent_scale", "augment_strength", "reg_weight")
_SHAPES = ("noise_schedule", "augment_schedule", "reg_schedule")
_ANNEALED = (*_MOVED, *(f"{name}_final" for name in _MOVED), "noise", *_SHAPES)
_data, _comparison, _networks, _training, _numbers, _controller, _evaluation = (
    partial(param, group=name)
    for name in ("data", "comparison", "networks", "training", "numbers", "controller", "evaluation")
)
_controller = partial(_controller, acts_when=lambda v: "learned" in (v.variant, *v.variants) or bool(v.ablations))
_SHARE = replace(PROBABILITY, low=0.01, high=0.5, moves=False)
_VARIANCE = replace(WEIGHT, high=4.0, slider=(0.0, 1.0))
_LATENT_VARIANCE = replace(_VARIANCE, acts_when=lambda v: not registry.NETWORKS[v.network].mapping)
_AUGMENTATION = replace(PROBABILITY, acts_when=lambda v: bool(v.policy))


def _of_files(v: Any) -> bool:
    """Whether images come from a folder or an `.npz`."""
    return any(data not in _MAYBE_DATA.words for data in (v.data, v.transfer_to))


class Schedules(ImageProperties, Experiment):
    """Parameters of `03_schedules`."""

    name: ClassVar[str] = "schedules"
    measures: ClassVar[dict[str, str]] = {"distance": "Fréchet, to test images"}
    generates: ClassVar[str] = "images"

    data: str = _data("digits", "digits | rendered | cifar10 | celeba | lsun, or a folder or .npz", source=DATA)
    root: str = _data("datasets", "folder of torchvision's data, or where it is downloaded to")
    image_size: int = _data(16, "height and width", unit="px", low=16, high=256)
    image_width: int = _data(0, "width; 0: as the height", unit="px", low=0, high=256, optional=True)
    labels: str = _data(
        "", "a CSV (file name, class) of a folder; empty: its subfolders", source=Source(("",), (".csv",))
    )
    fit: str = _data("resize", "how images of files are fitted", choices=FITS, optional=True, acts_when=_of_files)
    colour: str = _data(
        "rgb", "channels of images of files", choices=tuple(COLOURS), optional=True, acts_when=_of_files
    )
    count: int = _data(0, "at most so many images for training; 0: all", low=0)
    validation: float = _data(0.1, "share held out for the controller's objective (ours; S3)", _SHARE)
    test: float = _data(0.2, "share for the scores, where the data has no test part", _SHARE)
    transfer_to: str = _data(
        "rendered", "data that a frozen controller is transferred to; empty: none", source=_MAYBE_DATA
    )
    seed: int = param(0, "every random draw follows from it; the first of `seeds`", low=0)

    variant: str = _comparison("learned", "what moves the numbers in this run", choices=DRIVEN)
    variants: list[str] = _comparison(["fixed", "document", "learned"], "variants that are compared")
    seeds: int = _comparison(2, "seeds per variant, the same for all", low=1, high=100)
    ablations: list[str] = _comparison([], "ablations of the learned variant")
    hand: str = _comparison(
        "", "an interventions.yaml that is replayed as the variant `hand`", source=Source(("",), (".yaml",))
    )

    network: str = _networks("dcgan", "G and D", choices=tuple(registry.NETWORKS))
    network_options: dict[str, Any] = _networks({}, 'the network\'s own options, such as {"attention_at": [8]}')
    conditional: bool = _networks(False, "G and D know the classes of the images")
    latent_dim: int = param(32, "length of the latent", LATENT)
    latent: str = _networks("normal", "the latent's distribution", choices=("normal", "uniform"))
    width: int = _networks(16, "channels of G and D at half the image's height", low=1, high=512)
    d_norm: str = _networks("spectral", "of D: the network's own, or spectral norm (S8)", choices=("own", "spectral"))

    epochs: int = _training(5, "passes over the training images (the document: 200)", EPOCHS, low=2)
    batch_size: int = _training(32, "images per step (the document: 64)", low=4, high=4096)
    lr_g: float = _training(1e-3, "G's learning rate (the document: 2e-4)", RATE)
    lr_d: float = _training(1e-3, "D's learning rate (the document: 2e-4)", RATE)
    lr_scale: float = _training(1.0, "factor on both rates, for sensitivity to them (S10)", RATE_FACTOR, open_low=True)
    beta1: float = _training(0.5, "Adam's first decay (DCGAN's)", BETA1)
    beta2: float = _training(0.99, "Adam's second decay (ours)", BETA2)
    ema: float = _training(0.95, "decay of G's average; 0 keeps none (ours)", EMA)
    loss: str = _training("non_saturating", "the adversarial loss", choices=LOSSES)

    noise: str = _numbers(
        "instance_noise", "which noise the variants move (S5)", choices=("instance_noise", "latent_scale")
    )
    instance_noise: float = _numbers(1.0, "variance of the noise on D's inputs; the schedule's start", _VARIANCE)
    instance_noise_final: float = _numbers(0.01, "the schedule's end", low=0.0, high=4.0)
    latent_scale: float = _numbers(1.0, "factor on the variance of G's input; the schedule's start", _LATENT_VARIANCE)
    latent_scale_final: float = _numbers(0.01, "the schedule's end", low=0.0, high=4.0)
    noise_schedule: str = _numbers("exponential", "shape of the noise in `document`", choices=tuple(SHAPES))
    augment_strength: float = _numbers(0.8, "magnitude of the augmentation; the schedule's start", _AUGMENTATION)
    augment_strength_final: float = _numbers(0.1, "the schedule's end", low=0.0, high=1.0)
    augment_schedule: str = _numbers("linear", "its shape in `document`", choices=tuple(SHAPES))
    augment_probability: float = _numbers(1.0, "probability of each operation, a separate number (S6)", _AUGMENTATION)
    augment: str = _numbers("rotation,translation,brightness", "operations")
    augment_both: bool = _numbers(True, "real and generated images; false: real ones alone, which leaks (S6)")
    reg_weight: float = _numbers(10.0, "weight of the regulariser; the schedule's start", WEIGHT)
    reg_weight_final: float = _numbers(1.0, "the schedule's end", low=0.0, high=1000.0)
    reg_schedule: str = _numbers("cosine", "its shape in `document`", choices=tuple(SHAPES))
    regulariser: str = _numbers("gradient_penalty", "weighted by reg_weight (S8)", choices=(*PENALTIES, "spectral"))
    power: float = _numbers(2.0, "the exponent of `power`, the document's decay_rate (ours)", low=0.1, high=10.0)

    controller: str = _controller("mlp", "the controller's network", choices=("mlp", "lstm"))
    hidden: list[int] = _controller([128, 64], "widths of its hidden layers; an LSTM has the first")
    state: list[str] = _controller(list(DOCUMENT_FEATURES), "its observation")
    method: str = _controller("hypergradient", "estimator of its gradient", choices=METHODS)
    controller_from: str = _controller(
        "", "a controller.json to start from, or to freeze", source=Source(("",), (".json",))
    )
    meta_tasks: int = _controller(0, "short runs across which its initial weights are learned (plan C)", low=0)
    move_every: int = _controller(10, "steps between its moves; 0: an epoch, as in the document (S7)", low=0)
    update_every: int = _controller(1, "moves between updates of its weights (the document: 5 epochs)", low=1)
    meta_lr: float = _controller(3e-2, "its learning rate (the document: 1e-3)", RATE, moves=False)
    meta_decay: float = _controller(1e-4, "its weight decay (ours)", low=0.0, high=1.0)
    meta_clip: float = _controller(1.0, "its largest gradient norm (ours)", low=0.0, open_low=True)
    quality_weight: float = _controller(1.0, "weight of the validation distance in its objective", low=0.0)
    stability_weight: float = _controller(0.1, "weight of D's squared generalisation gap (ours)", low=0.0)
    lookahead_batch: int = _controller(32, "samples per batch of a look-ahead (ours)", low=2)
    objective_count: int = _controller(128, "validation images of its objective (ours)", low=2)

    features: str = _evaluation(
        "fitted",
        "fitted (to the data's classes) | auto | inception | faed, or a name, an equals sign, a file",
        source=replace(FEATURE_SPACES, words=("fitted", *FEATURE_SPACES.words)),
    )
    fid_samples: int = _evaluation(500, "images generated for a score", low=20)
    lpips: bool = _evaluation(False, "diversity by LPIPS too, where its weights are available")
    evaluate_every: int = _evaluation(1, "epochs between scores during training", low=1)

    threads: int = execution(1, "CPU threads; one is as fast as two on small networks; 0 leaves them to torch", low=0)

    @rule("network", "network_options", "image_size", reads=("image_width", "regulariser"))
    def _network(v: Any) -> str | None:
        if "spectral" in v.network_options:
            return "d_norm sets whether D has spectral norm"
        if "classes" in v.network_options:
            return "the data says how many classes there are; conditional sets whether they are used"
        if v.network_options.get("dropout") and v.regulariser != "spectral":
            return "under dropout a gradient penalty sees another D at every call: it needs regulariser = spectral"
        return registry.fault(v.network, size_of(v.image_size, v.image_width), v.network_options)

    @rule("conditional", "network")
    def _conditional(v: Any) -> str | None:
        able = [name for name, known in registry.NETWORKS.items() if "classes" in known.options]
        return f"conditional networks: {', '.join(able)}" if v.conditional and v.network not in able else None

    @rule("conditional", "labels", "data", "transfer_to", reads=("variant",))
    def _classes(v: Any) -> str | None:
        if v.labels and v.data in DATA.words:
            return f"labels are for a folder of images, and {v.data} is none"
        used = (v.data, v.transfer_to if v.variant == "learned" else "")
        lacking = [name for name in used if v.conditional and name in UNCLASSED]
        return f"{' and '.join(lacking)}: images without classes; take others, or transfer to none" if lacking else None

    @rule("fit", "colour", "data", reads=("transfer_to",))
    def _files(v: Any) -> str | None:
        if (v.fit, v.colour) == ("resize", "rgb") or _of_files(v):
            return None
        return f"fit and colour are for a folder or an .npz of images, and {v.data} is none"

    @rule("validation", "test")
    def _parts(v: Any) -> str | None:
        return None if v.validation + v.test < 0.9 else "at least a tenth must be left for training"

    _variants = among("variants", VARIANTS)
    _ablations = among("ablations", ABLATIONS)

    @rule("variants", "hand")
    def _by_hand(v: Any) -> str | None:
        missing = "hand" in v.variants and not v.hand
        return "the variant `hand` needs the interventions.yaml of a run that a person steered" if missing else None

    @rule("augment", "image_size", "image_width")
    def _turned(v: Any) -> str | None:
        square = isinstance(size_of(v.image_size, v.image_width), int)
        return None if square or "quarter_turns" not in v.augment else "quarter_turns need square images"

    @rule("augment")
    def _augment(v: Any) -> str | None:
        return unknown([name.strip() for name in v.augment.split(",") if name.strip()], AUGMENTATIONS)

    @rule("state")
    def _state(v: Any) -> str | None:
        return unknown(v.state, FEATURES) if v.state else "at least one of " + ", ".join(FEATURES)

    @rule("hidden", "controller")
    def _hidden(v: Any) -> str | None:
        bad = min(v.hidden, default=1) < 1 or (v.controller == "lstm" and not v.hidden)
        return "allowed: widths of 1 and more; an LSTM needs one" if bad else None

    @rule("network", "loss", "d_norm")
    def _critic(v: Any) -> str | None:
        if v.loss == "wasserstein" and v.d_norm == "own" and registry.NETWORKS[v.network].batch_norm:
            return "a critic's penalty is per sample, and BatchNorm couples the batch (W10): use d_norm 'spectral'"
        return None

    @rule("network", "noise", "variants")
    def _latents(v: Any) -> str | None:
        scaled = v.noise == "latent_scale" or "literal-noise" in v.variants
        if registry.NETWORKS[v.network].mapping and scaled:
            return f"{v.network} normalises every latent, so latent_scale would change nothing: use instance_noise"
        return None

    @rule("network", "method", "d_norm", "regulariser", "variant", "variants")
    def _third_derivative(v: Any) -> str | None:
        learns = v.method == "hypergradient" and "learned" in (v.variant, *v.variants)
        return (_no_hypergradient(v) or None) if learns else None

    @rule("regulariser", "d_norm", "reg_weight")
    def _scale(v: Any) -> str | None:
        if v.regulariser != "spectral":
            return None
        if v.d_norm != "spectral":
            return "the spectral scale needs d_norm 'spectral'"
        return None if v.reg_weight > 0 else "a spectral scale of 10 / reg_weight needs reg_weight above 0"

    @rule("quality_weight", "stability_weight", "method")
    def _objective(v: Any) -> str | None:
        if v.method == "policy" and not v.quality_weight:
            return "the policy's reward is the decrease of the validation distance: quality_weight above 0"
        return None if v.quality_weight or v.stability_weight else "a controller's objective needs a weight above 0"

    @rule("method", "controller_from")
    def _frozen(v: Any) -> str | None:
        return "a frozen controller needs controller_from" if v.method == "frozen" and not v.controller_from else None

    @rule("variant", "variants", reads=_ANNEALED, moving=False)
    def _positive(v: Any) -> str | None:
        changed = {v.variant: {}} | {name: VARIANTS[name] for name in v.variants if name in VARIANTS}
        bad = [f"{number} in the variant {name}" for name, changes in changed.items() for number in _stuck(v, changes)]
        return f"an exponential schedule needs both its ends above 0: {', '.join(bad)}" if bad else None

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The three numbers that every variant moves, with the ends that all share (S9)."""
        names = (self.noise, "augment_strength", "reg_weight")
        return tuple(Range(name, getattr(self, name), getattr(self, f"{name}_final")) for name in names)

    @property
    def no_hypergradient(self) -> str:
        """Why a later loss has no gradient in the controller's weights; empty where it has one."""
        return _no_hypergradient(self)

    @property
    def shapes(self) -> dict[str, str]:
        """The document's shape for each of them."""
        return _shapes(self)

    def configured_as(self, name: str, seed: int, *, runs: str, **changes: Any) -> Self:
        """These parameters as a variant or an ablation with a seed; it resumes, replays and branches nothing.

        Args:
            name: one of `VARIANTS` or `ABLATIONS`.
            seed: every random draw follows from it.
            runs: where its run folder goes.
            changes: further parameters, such as the data of a transfer.

        Raises:
            ValueError: an unknown name.
        """
        known = VARIANTS | {ablation: {"variant": "learned"} | change for ablation, change in ABLATIONS.items()}
        own = {"seed": seed, "runs": runs, "live": "off", "variants": [], "ablations": []}
        if changes.get("data") in DATA.words:  # a transfer from files
            own |= {"labels": "", "fit": "resize", "colour": "rgb"}
        if name in CONSTANTS:
            own |= {r.name: r.at(CONSTANTS[name]) for r in self.ranges}
        return self.varied(name, known, **own | changes)


def _no_hypergradient(v: Any) -> str:
    batch_norm = v.d_norm == "own" and registry.NETWORKS[v.network].batch_norm
    if not batch_norm or v.regulariser == "spectral":
        return ""
    return (
        "a hypergradient through a penalty on D's slope takes three derivatives, which PyTorch's BatchNorm "
        "lacks: use d_norm 'spectral', or method 'evolution' or 'policy'"
    )


def _shapes(v: Any) -> dict[str, str]:
    return {v.noise: v.noise_schedule, "augment_strength": v.augment_schedule, "reg_weight": v.reg_schedule}


def _stuck(v: Any, changes: dict[str, Any]) -> Iterator[str]:
    """Numbers that a variant would anneal exponentially from or to 0."""
    changed = SimpleNamespace(**(vars(v) | changes))
    for name, shape in _shapes(changed).items():
        ends = getattr(changed, name), getattr(changed, f"{name}_final")
        if (shape if changed.variant == "document" else changed.variant) == "exponential" and min(ends) <= 0:
            yield f"{name} {ends[0]:g} to {ends[1]:g}"
