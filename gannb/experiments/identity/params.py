"""What a run of `identity` may be told, and the named arms that are compared with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.kinds import EPOCHS, PRECISION, PROBABILITY, RATE, RATE_FACTOR, WEIGHT
from gannb.config.rules import rule

_WEIGHT = replace(WEIGHT, group="loss weights", high=100.0, slider=(0.0, 5.0))

BEFORE: dict[str, Any] = {
    "model": "transformer",
    "removal": 1.0,
    "blend": 1.0,
    "similarity_width": 256,
    "lambda_identity": 1.0,
    "lambda_pose": 0.5,
    "lambda_orthogonality": 0.1,
    "lambda_contrast": 0.3,
    "lambda_reconstruction": 0.2,
    "lambda_protection": 0.0,
}
"""The document's first version (identity §1–§4, "before")."""

CONSERVATIVE: dict[str, Any] = {"removal": 0.3, "blend": 0.5}
IN_512: dict[str, Any] = {"similarity_width": 512}
PROTECTED: dict[str, Any] = {"lambda_protection": 0.5, "protect": "raw"}
WEIGHTS: dict[str, Any] = {
    "lambda_identity": 2.0,
    "lambda_pose": 0.3,
    "lambda_orthogonality": 0.05,
    "lambda_contrast": 0.2,
    "lambda_reconstruction": 0.5,
}
AFTER = BEFORE | CONSERVATIVE | IN_512 | PROTECTED | WEIGHTS
"""The document's second version, with the raw input detached in the protection loss (I6)."""

ARMS: dict[str, dict[str, Any]] = {
    "before": BEFORE,
    "conservative-removal": BEFORE | CONSERVATIVE,
    "in-512": BEFORE | IN_512,
    "protection": BEFORE | PROTECTED,
    "new-weights": BEFORE | WEIGHTS,
    "after": AFTER,
    "removal-0.2-blend-0.7": AFTER | {"removal": 0.2, "blend": 0.7},
    "removal-0.3-blend-1": AFTER | {"removal": 0.3, "blend": 1.0},
    "identity-first": AFTER | {"phases": "identity-first"},
    "small-identity-first": AFTER | {"phases": "small-identity-first"},
    "identity-3-reconstruction-0.8": AFTER | {"lambda_identity": 3.0, "lambda_reconstruction": 0.8},
    "weighted-pooling": AFTER | {"pooling": "weighted"},
    "attention-pooling": AFTER | {"pooling": "attention"},
    "yaw-gate": AFTER | {"gate": "yaw"},
    "own-base": AFTER | {"protect": "base"},
    "lr-5e-5": AFTER | {"lr": 5e-5},
    "fast-identity-layers": AFTER | {"identity_lr_scale": 3.0},
    "repaired": {
        "model": "residual",
        "removal": 1.0,
        "blend": 1.0,
        "similarity_width": 512,
        **PROTECTED,
        **WEIGHTS,
    },
}
"""Name → the parameters by which an arm differs from the run; each ingredient of `after` also alone."""


class Identity(Experiment):
    """Parameters of `05_identity`; defaults are the quick preset."""

    name: ClassVar[str] = "identity"

    data: str = param("self-made", '"self-made", or an .npz with features, identity and pose', group="data")
    pose_unit: str = param(
        "auto", "of the file's pose; auto refuses what looks like radians (ours)", group="data",
        choices=("auto", "degrees", "radians"),
    )  # fmt: skip
    drop_singles: bool = param(False, "leave identities with one image out instead of refusing (ours)", group="data")
    target: str = param(
        "frontal", "what a cleaned feature should come near to: mean of the person's frontal faces, or a partner (I12)",
        group="data", choices=("frontal", "partner"),
    )  # fmt: skip
    people: int = param(60, "self-made identities (ours)", group="data", low=4, high=100_000)
    images: int = param(20, "self-made images a person (ours)", group="data", low=4, high=10_000)
    held_out: float = param(0.25, "share of the people held out (ours)", group="data", low=0.02, high=0.9)
    seed: int = param(0, "every random draw follows from it", low=0)

    model: str = param(
        "residual", "residual: ours, on the raw feature (I5); transformer: the document's", group="model",
        choices=("residual", "transformer"),
    )  # fmt: skip
    rank: int = param(16, "residual: directions of the learned pose subspace (ours)", group="model", low=1, high=256)
    closed_below: float = param(
        20.0,
        "degrees of yaw below which a yaw-aware gate is shut; frontal ends at 15 (ours)",
        group="model",
        low=0.0,
        high=90.0,
        unit="°",
    )
    width: int = param(64, "transformer: width of the tokens", group="model", low=8, high=2048)
    depth: int = param(
        1, "transformer: pose-aware layers (the document gives no number)", group="model", low=1, high=24
    )
    pooling: str = param(
        "mean", "transformer: how tokens become one vector", group="model", choices=("mean", "weighted", "attention")
    )
    gate: str = param(
        "learned", "transformer: yaw shuts the learned gate at yaw 0 (I11)", group="model", choices=("learned", "yaw")
    )

    removal: float = param(
        1.0,
        "share of the pose contamination that is removed (the document: 1, then 0.3)",
        PROBABILITY,
        group="enhancer",
    )
    blend: float = param(
        1.0, "how far to go there: multiplies removal (I1; the document: none, then 0.5)", PROBABILITY, group="enhancer"
    )

    similarity_width: int = param(
        512, "where the identity loss compares: 256 (before) or 512 (after)", group="losses", low=256, high=512
    )
    protect: str = param(
        "raw", "protection compares with the detached raw feature, or the model's own base (I6)", group="losses",
        choices=("raw", "base"),
    )  # fmt: skip
    lambda_identity: float = param(2.0, "1 − cosine to the target (1.0 → 2.0)", _WEIGHT)
    lambda_pose: float = param(0.3, "predicted pose (0.5 → 0.3)", _WEIGHT)
    lambda_orthogonality: float = param(0.05, "identity ⟂ contamination (0.1 → 0.05)", _WEIGHT)
    lambda_contrast: float = param(0.2, "people apart (0.3 → 0.2)", _WEIGHT)
    lambda_reconstruction: float = param(0.5, "raw from identity + pose (0.2 → 0.5)", _WEIGHT)
    lambda_protection: float = param(0.5, "no fall of the similarity (none → 0.5)", _WEIGHT)

    phases: str = param(
        "none", "λ_identity 5 and nothing else first, or a small λ_identity first (I10)", group="phases",
        choices=("none", "identity-first", "small-identity-first"),
    )  # fmt: skip
    phase_epochs: int = param(
        3, "length of the first phase (ours)", group="phases", low=0, high=10_000, slider=(0, 60), moves=True
    )
    ramp_epochs: int = param(
        3, "length of the ramp after it (ours)", group="phases", low=0, high=10_000, slider=(0, 60), moves=True
    )

    epochs: int = param(12, "passes over the training faces (the document: 150)", EPOCHS)
    batch_size: int = param(64, "faces a step (the document: 32)", group="training", low=2)
    lr: float = param(1e-3, "learning rate (the document: 1e-4, or 5e-5)", RATE, group="training")
    identity_lr_scale: float = param(1.0, "the identity layers learn at lr times this", RATE_FACTOR)
    precision: str = param("fp32", "of the forward passes (the document: mixed)", PRECISION)
    judge_every: int = param(2, "epochs between looks at the held-out people (ours)", group="training", low=1)
    compared: list[str] = param(
        [
            "before",
            "conservative-removal",
            "in-512",
            "protection",
            "new-weights",
            "after",
            "identity-first",
            "small-identity-first",
            "yaw-gate",
        ],
        "arms that are trained beside this run",
        group="training",
    )

    threads: int = execution(
        1, "CPU threads; one is as fast as two on networks this small; 0 leaves them to torch", low=0
    )

    @rule("similarity_width")
    def _similarity_width(values: Any) -> str | None:
        return None if values.similarity_width in (256, 512) else "allowed: 256 or 512"

    @rule("model", "similarity_width")
    def _residual_has_512(values: Any) -> str | None:
        if values.model == "residual" and values.similarity_width == 256:
            return "the residual has no 256-d identity; use similarity_width 512, or model 'transformer'"
        return None

    @rule("width", "model")
    def _heads(values: Any) -> str | None:
        return None if values.width % 8 == 0 else "the width is shared by 8 heads; use a multiple of 8"

    @rule("compared")
    def _known_arms(values: Any) -> str | None:
        unknown = [name for name in values.compared if name not in ARMS]
        return f"no arm {', '.join(unknown)}; allowed: {', '.join(ARMS)}" if unknown else None

    @rule("people", "held_out")
    def _people(values: Any) -> str | None:
        if values.people * (1 - values.held_out) < 2 or values.people * values.held_out < 2:
            return "at least 2 people are needed on either side of the split"
        return None

    def arm(self, name: str, *, runs: str = "") -> Self:
        """These parameters as a named arm; what the arm does not name stays.

        An arm never resumes, replays or branches this run.

        Args:
            name: one of `ARMS`.
            runs: where the arm's own run folder goes; empty: beside this run's.
        """
        if name not in ARMS:
            raise ValueError(f"no arm is called {name!r}; there are: {', '.join(ARMS)}")
        kept = dict(self) | {"resume": "", "replay": "", "branch": "", "preset": name, "runs": runs or self.runs}
        return type(self)(**kept | ARMS[name])

    def first_phase(self) -> dict[str, float]:
        """Weights of the first phase; empty without phases. λ 5 is the document's, the small one (0.2) ours (I10)."""
        weights = dict.fromkeys(self.loss_weights(), 0.0)
        return {
            "none": {},
            "identity-first": weights | {"lambda_identity": 5.0},
            "small-identity-first": {"lambda_identity": 0.2},
        }[self.phases]

    def loss_weights(self) -> dict[str, float]:
        """The six weights by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name.startswith("lambda_")}
