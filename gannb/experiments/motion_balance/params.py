"""Parameters of `motion_balance`, and the variants that are compared with a run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

from gannb.config.experiment import plain
from gannb.config.fields import Declaration, execution, param
from gannb.config.kinds import BETA1, BETA2, EMA, EPOCHS, LABEL, PRECISION, RATE, SCALE, TURNS, WEIGHT
from gannb.config.rules import among, playing, rule
from gannb.config.sources import Source
from gannb.experiments.motion.curriculum import DETAIL, weight
from gannb.experiments.motion.params import Curriculum, Motion
from gannb.experiments.motion_balance.balance import RULES
from gannb.experiments.motion_balance.strategies import MERGED, NUMBERS, STRATEGIES, Limits, Strategy

_WARMUP = 2

STRATEGY_NUMBERS = (*NUMBERS, "curriculum")
"""Parameters that are called as in the table of strategies."""

INGREDIENTS: dict[str, dict[str, Any]] = {
    "attention": {"body_hand": "off"},
    "curriculum": {"curriculum": False},
    "physics": {"physics_initial": 0.0, "physics_final": 0.0},
    "mixed-precision": {"mixed_from": -1},
}
"""Name → what takes one ingredient away from a run."""

NO_RULES = {"d_strong_below": 0.0, "check_every": 100_000}
"""Neither rule ever acts."""

EXTENSIONS: dict[str, dict[str, Any]] = {
    "augmented": {"speech_noise": 0.5, "time_warp": 0.2},
    "transformer-layers": {"graph_layers": "ATATA"},
    "contrastive": {"contrast_weight": 0.2},
    "time-scales": {"d_time_scales": [1, 2, 4]},
    "pretrained-encoder": {"pretrain_audio": "synthetic"},
}
"""Name → what an extension changes in a run (the motion_balance document names them and took none)."""


def variants() -> dict[str, dict[str, Any]]:
    """Name → the parameters by which a variant differs from the run; a strategy fills in its whole column."""
    strategies = {name: {"strategy": name} for name in STRATEGIES}
    rules = {kind: {"rules": kind} for kind in RULES}
    both = {f"{name}-repaired": {"strategy": name, "rules": "repaired"} for name in STRATEGIES}
    without = {f"without-{name}": change for name, change in INGREDIENTS.items()}
    others = {"no-rules": NO_RULES, "smooth-ramp": {"ramp": "smooth"}, "mixed-from-0": {"mixed_from": 0}}
    heads = {f"{head}-head": {"head": head} for head in ("angles", "coordinates")}
    others |= {"sequential-attention": {"body_hand": "sequential"}}
    return strategies | rules | both | without | others | heads | EXTENSIONS


def _of_strategy(name: str, warmup_epochs: int) -> dict[str, Any]:
    """A strategy's column, as parameters."""
    chosen = STRATEGIES[name]
    numbers = {field: getattr(chosen, field) for field in STRATEGY_NUMBERS}
    return numbers | {
        "mixed_from": warmup_epochs if chosen.mixed_precision else -1,
        "body_hand": "parallel" if chosen.body_hand_attention else "off",
    }


_balance, _curriculum, _extension, _training, _evaluation = (
    partial(param, group=name) for name in ("balance", "curriculum", "extensions", "training", "evaluation")
)
_label = partial(param, kind=LABEL)
_FACTOR = replace(SCALE, open_low=True, high=1.0, slider=(0.5, 1.0))
_WARP = Declaration(low=0.0, high=0.9)
_CONTRAST = replace(WEIGHT, high=100.0, slider=(0.0, 2.0))


class MotionBalance(Motion, Curriculum):
    """Parameters of `01_motion_balance`; defaults are the quick preset.

    `strategy` sets the numbers of its column in the document's table; one that is given as well takes precedence.
    """

    name: ClassVar[str] = "motion_balance"
    generates: ClassVar[str] = "gestures"
    filled: ClassVar[tuple[str, ...]] = (*STRATEGY_NUMBERS, "mixed_from", "body_hand")

    strategy: str = _balance(
        "merged", "the document's column of balance numbers and ingredients", choices=tuple(STRATEGIES)
    )
    rules: str = _balance("literal", "the rules as written, or repaired (M4-M11)", choices=RULES)
    d_strong_below: float = param(
        MERGED.d_strong_below, "D too strong: its loss below this …", SCALE, slider=(0.0, 1.0)
    )
    g_weak_above: float = param(MERGED.g_weak_above, "… and G's loss above this: skip D", SCALE, high=100.0)
    max_skips: int = param(
        MERGED.max_skips, "skips before D is forced to play", SCALE, low=0, high=1000, slider=(0, 50)
    )
    g_turns_up: int = _balance(MERGED.g_turns_up, "turns G gains when throttled", TURNS)
    d_lr_factor: float = param(MERGED.d_lr_factor, "D's rate is multiplied by this when throttled", _FACTOR)
    check_every: int = _balance(
        6, "batches between checks of the throttle rule (M9; the document: 200)", low=1, high=100_000
    )
    window: int = _balance(5, "losses in its moving averages (ours: 10, M9)", low=1, high=10_000)
    d_turns: int = _balance(Limits.d_turns, "D's turns per step; 0: skipped", TURNS, high=Limits.max_d_turns)
    g_turns: int = _balance(Limits.g_turns, "G's turns per step", TURNS, low=1, high=Limits.max_g_turns)
    lr_d_scale: float = param(1.0, "multiplies lr_d: what the rules move", SCALE)
    lr_g_scale: float = param(1.0, "multiplies lr_g: what the rules move", SCALE)

    real_label: float = _label(MERGED.real_label, "D's target for real motion")
    fake_label: float = _label(MERGED.fake_label, "D's target for generated motion")
    label_noise: float = _label(MERGED.label_noise, "standard deviation of the noise on labels")
    label_offset: float = _label(
        MERGED.label_offset, "labels pulled together by this, falling to 0 over the warm-up (its course is ours, M17)"
    )

    warmup_epochs: int = _curriculum(
        _WARMUP, "end of the warm-up (the document: 10)", low=0, high=10_000, slider=(0, 100)
    )
    curriculum_epochs: int = _curriculum(
        7, "end of the curriculum, not its length (M3; the document: 50)", low=1, high=10_000, slider=(1, 500)
    )
    detail_weight: float = param(
        weight(0, *DETAIL), "of adversarial, acceleration and jerk terms: the curriculum moves it", WEIGHT
    )
    absolute_weight: float = param(10.0, "of |generated - real| (ours)", WEIGHT)
    velocity_weight: float = param(5.0, "of the difference of velocities (ours)", WEIGHT)

    speech_noise: float = _extension(
        0.0, "share of clips with noise under the speech (an extension)", low=0.0, high=1.0
    )
    time_warp: float = _extension(
        0.0, "the most by which time runs faster or slower, for speech and motion alike (an extension)", _WARP
    )
    graph_layers: str = _extension(
        "AGAGA", "G's graph layers: attention, graph convolution, or a transformer T (an extension)"
    )
    d_time_scales: list[int] = _extension(
        [1], "frames that each discriminator averages over: 1, 2, 4 (an extension)", low=1, high=4
    )
    contrast_weight: float = _extension(0.0, "of matching speech and motion of one moment (an extension)", _CONTRAST)
    pretrain_audio: str = _extension(
        "", "speech on which the audio encoder is pretrained: a folder, a file of weights, synthetic; empty: none",
        source=Source(("", "synthetic"), (".safetensors",), "speech"),
    )  # fmt: skip

    epochs: int = param(9, "passes over the clips (the document: 500)", EPOCHS)
    batch_size: int = _training(16, "clips per step (ours)", low=2, high=4096)
    precision: str = param("bf16", "of forward passes, from mixed_from on (the document: fp16)", PRECISION)
    mixed_from: int = _training(
        _WARMUP, "epoch from which precision holds, the warm-up's end; fp32 before; -1: never", low=-1, high=100_000
    )
    lr_g: float = param(2e-3, "G's learning rate (ours; the log's 5e-6 is stated nowhere, M8)", RATE)
    lr_d: float = param(1e-3, "D's learning rate (ours, M8)", RATE)
    beta1: float = param(0.5, "Adam's first decay (ours)", BETA1, high=0.9999)
    beta2: float = param(0.999, "Adam's second decay (ours)", BETA2, high=0.99999)
    clip_norm: float = param(1.0, "largest gradient norm; 0 clips nothing (ours)", group="optimiser", low=0.0)
    ema: float = param(0.9, "decay of G's average; 0 keeps none (ours)", EMA)
    evaluate_every: int = _evaluation(3, "epochs between evaluations on held-out clips (ours)", low=1)
    evaluated: int = _evaluation(200, "held-out clips that are evaluated, at most (ours)", low=4, high=100_000)
    compared: list[str] = _training(
        ["repaired", "coordinates-head"], "variants that are trained beside this run (see `variant`)"
    )
    seeds: int = _training(1, "seeds per variant; intervals over seeds need 2 (ours: 5)", low=1, high=100)

    threads: int = execution(
        1, "CPU threads; one is nearly as fast as two on networks this small; 0 leaves them to torch", low=0
    )

    def __init__(self, /, **given: Any) -> None:
        chosen = given.get("strategy", type(self).model_fields["strategy"].default)
        if isinstance(chosen, str) and chosen in STRATEGIES:
            warmup = plain(given.get("warmup_epochs", _WARMUP), int)
            given = _of_strategy(chosen, warmup if isinstance(warmup, int) else _WARMUP) | given
        super().__init__(**given)

    @rule("real_label", "fake_label", "label_offset")
    def _labels(v: Any) -> str | None:
        apart = v.real_label - v.fake_label > 2 * v.label_offset
        return None if apart else "allowed: real_label above fake_label by more than twice label_offset"

    @rule("graph_layers")
    def _layers(v: Any) -> str | None:
        return None if v.graph_layers and set(v.graph_layers) <= set("AGT") else "allowed: letters A, G and T"

    @rule("d_time_scales")
    def _scales(v: Any) -> str | None:
        fit = v.d_time_scales and {*v.d_time_scales} <= {1, 2, 4} and len({*v.d_time_scales}) == len(v.d_time_scales)
        return None if fit else "allowed: some of 1, 2 and 4, each once"

    _known_variants, _playing = among("compared", variants()), playing("d_turns")

    def variant(self, name: str, *, seed: int | None = None, runs: str = "") -> Self:
        """These parameters as a variant: a strategy, a kind of rules, or this run without an ingredient.

        A variant never resumes, replays or branches this run.

        Args:
            name: one of `variants()`.
            seed: its own; this run's by default.
            runs: where the variant's own run folder goes; empty: beside this run's.

        Raises:
            ValueError: an unknown variant.
        """
        own = {"seed": self.seed if seed is None else seed, "runs": runs or self.runs, "compared": [], "seeds": 1}
        if "strategy" in variants().get(name, {}):  # its whole column, whatever was given for it here
            own |= _of_strategy(variants()[name]["strategy"], self.warmup_epochs)
        return self.varied(name, variants(), **own)

    @classmethod
    def baseline_for(cls, params: Motion, *, name: str, seed: int, runs: str) -> Self:
        """Least squares under repaired balance rules with the data, networks, curriculum and batches of another run.

        Adam's decays and learning rates stay those of `motion_balance`: each regime gets what suits it.

        Args:
            params: the other run's parameters.
            name: the label of this run.
            seed: of all draws.
            runs: where its run folder goes.
        """
        shared = (*Motion.model_fields, *Curriculum.model_fields, "batch_size", "ema", "evaluated", "precision")
        own = {"resume": "", "replay": "", "branch": "", "seed": seed, "runs": runs, "preset": name}
        own |= {"rules": "repaired", "compared": [], "mixed_from": -1}
        return cls(**{field: getattr(params, field) for field in shared} | own)

    @property
    def limits(self) -> Limits:
        """Where the rules' numbers begin, and how far they may go."""
        return Limits(g_turns=self.g_turns, d_turns=self.d_turns)

    @property
    def balance(self) -> Strategy:
        """The strategy with this run's own numbers."""
        own = {field: getattr(self, field) for field in STRATEGY_NUMBERS}
        flags = {"mixed_precision": self.mixed_from >= 0, "body_hand_attention": self.body_hand != "off"}
        return Strategy(**own | flags)
