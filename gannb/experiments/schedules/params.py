"""Experiment 3: learned against annealed schedules. Defaults are the quick preset."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.kinds import BETA1, BETA2, EMA, EPOCHS, LATENT, PROBABILITY, RATE, RATE_FACTOR, WEIGHT
from gannb.config.registered import registered
from gannb.config.rules import rule
from gannb.control.schedules import SHAPES
from gannb.experiments.schedules.control_space import DOCUMENTED, FEATURES, Range
from gannb.experiments.schedules.variants import ARMS as DRIVEN
from gannb.networks import registry

AUGMENTATIONS = registered("gannb.data.augmentation", "OPERATIONS")
PENALTIES = registered("gannb.losses.penalties", "PENALTIES")
LOSSES = registered("gannb.losses.adversarial", "LOSSES")
METHODS = ("hypergradient", "policy", "evolution", "frozen")

ARMS: dict[str, dict[str, Any]] = {
    **{name: {"arm": name} for name in DRIVEN},
    "constant-low": {"arm": "fixed", "stands": 0.0},
    "constant-middle": {"arm": "fixed", "stands": 0.5},
    "hand": {"arm": "fixed"},
    "literal-noise": {"arm": "document", "noise": "latent_scale", "instance_noise": 0.0},
    "literal-augmentation": {"arm": "document", "augment_both": False},
    "only-noise": {"arm": "document", "augment_strength_final": 0.8, "reg_weight_final": 10.0},
    "only-augmentation": {"arm": "document", "instance_noise_final": 1.0, "reg_weight_final": 10.0},
    "only-regularisation": {"arm": "document", "instance_noise_final": 1.0, "augment_strength_final": 0.8},
    "no-schedule": {"arm": "fixed", "instance_noise": 0.0, "augment_strength": 0.0, "reg_weight": 0.0},
}
"""Arm → what it changes. `stands`: the share of each range where its constant is, the best-constants rival of S9."""

LEARNERS: dict[str, dict[str, Any]] = {
    "lstm": {"controller": "lstm"},
    "hidden-32": {"hidden": [32]},
    "hidden-256-128": {"hidden": [256, 128]},
    "every-2": {"learn_every": 2},
    "every-5": {"learn_every": 5},
    **{f"without-{name}": {"state": [f for f in DOCUMENTED if f != name]} for name in DOCUMENTED},
    "with-values": {"state": [*DOCUMENTED, "values"]},
    "with-answers": {"state": [*DOCUMENTED, "real", "fake"]},
    "with-gap": {"state": [*DOCUMENTED, "gap"]},
    "policy": {"method": "policy"},
    "evolution": {"method": "evolution"},
    "unstable-allowed": {"stability_weight": 0.0},
    "meta-start": {"meta_tasks": 2},
    "meta-lr-1e-3": {"meta_lr": 1e-3},
    "no-decay": {"meta_decay": 0.0},
}
"""Ablation → what it changes in the learned arm."""

_MOVED = ("instance_noise", "latent_scale", "augment_strength", "reg_weight")
_ANNEALED = (
    *_MOVED,
    *(f"{name}_final" for name in _MOVED),
    "noise",
    "noise_schedule",
    "augment_schedule",
    "reg_schedule",
)


class Schedules(Experiment):
    """What a run of `03_schedules` may be told."""

    name: ClassVar[str] = "schedules"

    data: str = param(
        "digits", 'what to learn from: digits | rendered | cifar10 | celeba | lsun, or a folder or .npz', group="data"
    )  # fmt: skip
    root: str = param("datasets", "where torchvision's data lies, or is downloaded to", group="data")
    image_size: int = param(16, "height and width", group="data", unit="px", low=16, high=256)
    count: int = param(0, "at most so many pictures to learn from; 0: all", group="data", low=0)
    guide: float = param(0.1, "share held out for the controller (ours; S3)", group="data", low=0.01, high=0.5)
    test: float = param(
        0.2, "share for the final score, where the data has no test part", group="data", low=0.01, high=0.5
    )
    transfer_to: str = param("rendered", "data that a frozen controller is tried on; empty: none", group="data")
    seed: int = param(0, "every random draw follows from it; the first of `seeds`", low=0)

    arm: str = param("learned", "what moves the numbers in this run", group="comparison", choices=DRIVEN)
    arms: list[str] = param(["fixed", "document", "learned"], "arms that are compared", group="comparison")
    seeds: int = param(2, "seeds an arm, the same for all", group="comparison", low=1, high=100)
    ablations: list[str] = param([], "variants of the learned arm, one seed fewer where not all", group="comparison")
    hand: str = param("", "an interventions.yaml whose moves are made again as the arm `hand`", group="comparison")

    network: str = param("dcgan", "G and D", group="networks", choices=tuple(registry.NETWORKS))
    network_options: dict[str, Any] = param(
        {}, 'the network\'s own options, such as {"attention_at": [8]}', group="networks"
    )
    latent_dim: int = param(32, "length of the latent", LATENT)
    latent: str = param("normal", "the latent's distribution", group="networks", choices=("normal", "uniform"))
    width: int = param(16, "channels of G and D at half the image's height", group="networks", low=1, high=512)
    d_norm: str = param(
        "spectral",
        "of D: BatchNorm as in DCGAN, or spectral norm (S8)",
        group="networks",
        choices=("batch", "spectral"),
    )

    epochs: int = param(5, "passes over the training images (the document: 200)", EPOCHS, low=2)
    batch_size: int = param(32, "images a step (the document: 64)", group="training", low=4, high=4096)
    lr_g: float = param(1e-3, "G's learning rate (the document: 2e-4)", RATE, group="training")
    lr_d: float = param(1e-3, "D's learning rate (the document: 2e-4)", RATE, group="training")
    lr_scale: float = param(
        1.0, "times both rates: ½ and 2 ask how sensitive an arm is (S10)", RATE_FACTOR, open_low=True
    )
    beta1: float = param(0.5, "Adam's first decay (DCGAN's)", BETA1, group="training")
    beta2: float = param(0.99, "Adam's second decay (ours)", BETA2, group="training")
    ema: float = param(0.95, "decay of G's average; 0 keeps none (ours)", EMA, group="training")
    loss: str = param("non_saturating", "the adversarial loss", group="training", choices=LOSSES)

    noise: str = param(
        "instance_noise", "which noise the arms move (S5)", group="numbers",
        choices=("instance_noise", "latent_scale"),
    )  # fmt: skip
    instance_noise: float = param(
        1.0, "variance of the noise on what D sees; where its schedule starts", group="numbers", low=0.0, high=4.0,
        slider=(0.0, 1.0), moves=True,
    )  # fmt: skip
    instance_noise_final: float = param(0.01, "where it ends", group="numbers", low=0.0, high=4.0)
    latent_scale: float = param(
        1.0, "factor on the variance of G's input; where its schedule starts", group="numbers", low=0.0, high=4.0,
        slider=(0.0, 1.0), moves=True,
    )  # fmt: skip
    latent_scale_final: float = param(0.01, "where it ends", group="numbers", low=0.0, high=4.0)
    noise_schedule: str = param(
        "exponential", "shape of the noise in the arm `document`", group="numbers", choices=tuple(SHAPES)
    )
    augment_strength: float = param(
        0.8, "magnitude of the augmentation; where its schedule starts", PROBABILITY, group="numbers"
    )
    augment_strength_final: float = param(0.1, "where it ends", group="numbers", low=0.0, high=1.0)
    augment_schedule: str = param("linear", "its shape in the arm `document`", group="numbers", choices=tuple(SHAPES))
    augment_probability: float = param(
        1.0, "chance of each operation, a number of its own (S6)", PROBABILITY, group="numbers"
    )
    augment: str = param("rotation,translation,brightness", "operations", group="numbers")
    augment_both: bool = param(
        True, "real and generated images; false: real ones alone, which leaks (S6)", group="numbers"
    )
    reg_weight: float = param(10.0, "weight of the regulariser; where its schedule starts", WEIGHT, group="numbers")
    reg_weight_final: float = param(1.0, "where it ends", group="numbers", low=0.0, high=1000.0)
    reg_schedule: str = param("cosine", "its shape in the arm `document`", group="numbers", choices=tuple(SHAPES))
    regulariser: str = param(
        "gradient_penalty",
        "what reg_weight weighs (S8)",
        group="numbers",
        choices=(*PENALTIES, "spectral"),
    )
    power: float = param(
        2.0, "the exponent of `power`, the document's decay_rate (ours)", group="numbers", low=0.1, high=10.0
    )

    controller: str = param("mlp", "the controller's network", group="controller", choices=("mlp", "lstm"))
    hidden: list[int] = param([128, 64], "widths of its hidden layers; an LSTM has the first", group="controller")
    state: list[str] = param(list(DOCUMENTED), "what it sees", group="controller")
    method: str = param("hypergradient", "how it learns", group="controller", choices=METHODS)
    controller_from: str = param("", "a controller.json to begin with, or to freeze", group="controller")
    meta_tasks: int = param(
        0, "short runs across which its initial weights are learned first (plan C)", group="controller", low=0
    )
    move_steps: int = param(
        10, "steps between its moves; 0: an epoch, as the document has it (S7)", group="controller", low=0
    )
    learn_every: int = param(1, "moves between its lessons (the document: 5 epochs)", group="controller", low=1)
    meta_lr: float = param(3e-2, "its learning rate (the document: 1e-3)", RATE, group="controller", moves=False)
    meta_decay: float = param(1e-4, "its weight decay (ours)", group="controller", low=0.0, high=1.0)
    meta_clip: float = param(1.0, "its largest gradient norm (ours)", group="controller", low=0.0, open_low=True)
    quality_weight: float = param(1.0, "weight of the held-out distance in its objective", group="controller", low=0.0)
    stability_weight: float = param(0.1, "weight of D's held-out gap, squared (ours)", group="controller", low=0.0)
    look_batch: int = param(32, "samples of a batch that it looks ahead with (ours)", group="controller", low=2)
    look_count: int = param(128, "held-out images it looks at (ours)", group="controller", low=2)

    features: str = param(
        "fitted", "fitted (to the data's classes) | auto | inception | faed, or a name, an equals sign, a file",
        group="judging",
    )  # fmt: skip
    fid_samples: int = param(500, "images generated for a score", group="judging", low=20)
    lpips: bool = param(False, "judge diversity by LPIPS too, where its weights can be had", group="judging")
    judge_every: int = param(1, "epochs between scores along the way", group="judging", low=1)

    threads: int = execution(1, "CPU threads; one is as fast as two on small networks; 0 leaves them to torch", low=0)

    @rule("network", "network_options", "image_size")
    def _network(v: Any) -> str | None:
        if "spectral" in v.network_options:
            return "d_norm sets whether D has spectral norm"
        return registry.fault(v.network, v.image_size, v.network_options)

    @rule("guide", "test")
    def _parts(v: Any) -> str | None:
        return None if v.guide + v.test < 0.9 else "at least a tenth must be left to learn from"

    @rule("arms")
    def _arms(v: Any) -> str | None:
        return _unknown(v.arms, ARMS)

    @rule("arms", "hand")
    def _by_hand(v: Any) -> str | None:
        if "hand" in v.arms and not v.hand:
            return "the arm `hand` needs the interventions.yaml of a run that a person steered"
        return None

    @rule("ablations")
    def _ablations(v: Any) -> str | None:
        return _unknown(v.ablations, LEARNERS)

    @rule("augment")
    def _augment(v: Any) -> str | None:
        return _unknown([name.strip() for name in v.augment.split(",") if name.strip()], AUGMENTATIONS)

    @rule("state")
    def _state(v: Any) -> str | None:
        return _unknown(v.state, FEATURES) if v.state else "at least one of " + ", ".join(FEATURES)

    @rule("hidden", "controller")
    def _hidden(v: Any) -> str | None:
        if min(v.hidden, default=1) < 1 or (v.controller == "lstm" and not v.hidden):
            return "allowed: widths of 1 and more; an LSTM needs one"
        return None

    @rule("loss", "d_norm")
    def _critic(v: Any) -> str | None:
        if v.loss == "wasserstein" and v.d_norm == "batch":
            return "a critic's penalty is per sample, and BatchNorm couples the batch (W10): use d_norm 'spectral'"
        return None

    @rule("network", "noise", "arms")
    def _latents(v: Any) -> str | None:
        scaled = v.noise == "latent_scale" or "literal-noise" in v.arms
        if registry.NETWORKS[v.network].mapping and scaled:
            return f"{v.network} normalises every latent, so latent_scale would change nothing: use instance_noise"
        return None

    @rule("method", "d_norm", "regulariser", "arm", "arms")
    def _third_derivative(v: Any) -> str | None:
        learns = v.method == "hypergradient" and "learned" in (v.arm, *v.arms)
        if learns and v.d_norm == "batch" and v.regulariser != "spectral":
            return (
                "a hypergradient through a penalty on D's slope takes three derivatives, which PyTorch's BatchNorm has "
                "not: use d_norm 'spectral', or method 'evolution' or 'policy'"
            )
        return None

    @rule("regulariser", "d_norm", "reg_weight")
    def _scale(v: Any) -> str | None:
        if v.regulariser != "spectral":
            return None
        if v.d_norm != "spectral":
            return "the spectral scale needs d_norm 'spectral'"
        return None if v.reg_weight > 0 else "a spectral scale of 10 / reg_weight needs reg_weight above 0"

    @rule("quality_weight", "stability_weight", "method")
    def _wanted(v: Any) -> str | None:
        if v.method == "policy" and not v.quality_weight:
            return "the policy's reward is the fall of the held-out distance: quality_weight above 0"
        return (
            None if v.quality_weight or v.stability_weight else "a controller must want something: one weight above 0"
        )

    @rule("method", "controller_from")
    def _frozen(v: Any) -> str | None:
        return "a frozen controller needs controller_from" if v.method == "frozen" and not v.controller_from else None

    @rule("arm", "arms", reads=_ANNEALED, moving=False)
    def _positive(v: Any) -> str | None:
        told = {v.arm: {}} | {name: ARMS[name] for name in v.arms if name in ARMS}
        bad = [f"{number} in the arm {arm}" for arm, changes in told.items() for number in _stuck(v, changes)]
        return f"an exponential schedule needs both its ends above 0: {', '.join(bad)}" if bad else None

    @property
    def ranges(self) -> tuple[Range, Range, Range]:
        """The three numbers that every arm moves, with the ends that all share (S9)."""
        names = (self.noise, "augment_strength", "reg_weight")
        return tuple(Range(name, getattr(self, name), getattr(self, f"{name}_final")) for name in names)

    @property
    def shapes(self) -> dict[str, str]:
        """The document's shape for each of them."""
        return {
            self.noise: self.noise_schedule,
            "augment_strength": self.augment_schedule,
            "reg_weight": self.reg_schedule,
        }

    @property
    def policy(self) -> tuple[str, ...]:
        """`augment` as names."""
        return tuple(name.strip() for name in self.augment.split(",") if name.strip())

    def variant(self, name: str, seed: int, *, runs: str, **changes: Any) -> Self:
        """These parameters as an arm or an ablation with a seed; it resumes, replays and branches nothing.

        Args:
            name: one of `ARMS` or `LEARNERS`.
            seed: of everything.
            runs: where its run folder goes.
            changes: what else is other, such as the data of a transfer.

        Raises:
            ValueError: an unknown name.
        """
        if name not in ARMS | LEARNERS:
            raise ValueError(f"no arm is called {name!r}; there are: {', '.join(ARMS | LEARNERS)}")
        told = dict(ARMS.get(name) or {"arm": "learned"} | LEARNERS[name])
        if (share := told.pop("stands", None)) is not None:
            told |= {r.name: r.at(share) for r in self.ranges}
        kept = dict(self) | {"resume": "", "replay": "", "branch": "", "live": "off", "arms": [], "ablations": []}
        return type(self)(**kept | told | {"preset": name, "seed": seed, "runs": runs} | changes)


def _stuck(v: Any, changes: dict[str, Any]) -> Iterator[str]:
    """Numbers that an arm would anneal exponentially from or to 0."""
    told = SimpleNamespace(**(vars(v) | changes))
    shapes = {
        told.noise: told.noise_schedule,
        "augment_strength": told.augment_schedule,
        "reg_weight": told.reg_schedule,
    }
    for name, shape in shapes.items():
        ends = getattr(told, name), getattr(told, f"{name}_final")
        if (shape if told.arm == "document" else told.arm) == "exponential" and min(ends) <= 0:
            yield f"{name} {ends[0]:g} to {ends[1]:g}"


def _unknown(names: list[str], known: Any) -> str | None:
    stray = [name for name in names if name not in known]
    return f"unknown: {', '.join(stray)}; allowed: {', '.join(known)}" if stray else None
