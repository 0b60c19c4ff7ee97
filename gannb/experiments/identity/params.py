"""Parameters of `05_identity`, and the named variants that are compared with a run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

from gannb.config.experiment import Experiment
from gannb.config.fields import execution, param
from gannb.config.kinds import EPOCHS, PRECISION, PROBABILITY, RATE, RATE_FACTOR, WEIGHT
from gannb.config.rules import among, rule
from gannb.config.sources import Source

DATA = Source(("synthetic",), (".npz",))

BEFORE: dict[str, Any] = {
    "model": "transformer", "removal": 1.0, "blend": 1.0, "similarity_width": 256, "lambda_identity": 1.0,
    "lambda_pose": 0.5, "lambda_orthogonality": 0.1, "lambda_contrast": 0.3, "lambda_reconstruction": 0.2,
    "lambda_protection": 0.0,
}  # fmt: skip
"""The document's first version (identity §1–§4, "before")."""

CONSERVATIVE: dict[str, Any] = {"removal": 0.3, "blend": 0.5}
IN_512: dict[str, Any] = {"similarity_width": 512}
PROTECTED: dict[str, Any] = {"lambda_protection": 0.5, "protect": "raw"}
WEIGHTS: dict[str, Any] = {
    "lambda_identity": 2.0, "lambda_pose": 0.3, "lambda_orthogonality": 0.05, "lambda_contrast": 0.2,
    "lambda_reconstruction": 0.5,
}  # fmt: skip
AFTER = BEFORE | CONSERVATIVE | IN_512 | PROTECTED | WEIGHTS
"""The document's second version, with the raw input detached in the protection loss (claim I6)."""

REPAIRED = {"model": "residual", "removal": 1.0, "blend": 1.0} | IN_512 | PROTECTED | WEIGHTS

VARIANTS: dict[str, dict[str, Any]] = {
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
    "repaired": REPAIRED,
    "centred": REPAIRED | {"model": "centred"},
    "abstaining": REPAIRED | {"model": "centred", "abstain": 0.01},
}
"""Name → the parameters by which a variant differs from the run; each ingredient of `after` also alone."""

COMPARED = [
    "before", "conservative-removal", "in-512", "protection", "new-weights", "after", "identity-first",
    "small-identity-first", "yaw-gate",
]  # fmt: skip

_data, _model, _losses, _phases, _training = (
    partial(param, group=name) for name in ("data", "model", "losses", "phases", "training")
)
_WEIGHT = replace(WEIGHT, group="loss weights", high=100.0, slider=(0.0, 5.0))
_LENGTH = replace(EPOCHS, low=0, high=10_000, slider=(0, 60), moves=True, grows=False)
_share = partial(param, kind=PROBABILITY, group="enhancer")
_transformer = partial(_model, acts_when=lambda v: v.model == "transformer" or bool(v.compared))
_residual = partial(_model, acts_when=lambda v: v.model != "transformer")
_length = partial(_phases, kind=_LENGTH, unit="epochs", acts_when=lambda v: v.phases != "none")


class Identity(Experiment):
    """Parameters of `05_identity`; defaults are the quick preset."""

    name: ClassVar[str] = "identity"
    generates: ClassVar[str] = "features"
    measures: ClassVar[dict[str, str]] = {
        "identity": "1 − cosine to the target", "pose": "loss of the predicted pose",
        "orthogonality": "identity against contamination", "contrast": "telling people apart",
        "reconstruction": "raw from identity and pose", "protection": "fall in similarity",
        "similarity": "cosine to the target, held out", "harmed": "share of held-out faces that fell",
    }  # fmt: skip

    data: str = _data("synthetic", '"synthetic", or an .npz with features, identity and pose', source=DATA)
    pose_unit: str = _data(
        "auto", "of the file's pose; auto refuses apparent radians (ours)", choices=("auto", "degrees", "radians")
    )
    drop_singles: bool = _data(False, "leave identities with one image out instead of refusing (ours)")
    target: str = _data(
        "frontal", "target of a cleaned feature: mean of the person's frontal faces, or another image of theirs (I12)",
        choices=("frontal", "partner"),
    )  # fmt: skip
    people: int = _data(60, "synthetic identities (ours)", low=4, high=100_000)
    images: int = _data(20, "synthetic images per person (ours)", low=4, high=10_000)
    overlap: float = _data(
        0.0, "synthetic: length of the part of frontal faces in the pose subspace; 0.63 on UMIST (ours)",
        low=0.0, high=0.9,
    )  # fmt: skip
    held_out: float = _data(0.25, "share of the people held out (ours)", low=0.02, high=0.9)
    seed: int = param(0, "every random draw follows from it", low=0)

    model: str = _model(
        "residual", "residual: ours, on the raw feature (I5); centred: about a learned centre; transformer: document's",
        choices=("residual", "centred", "transformer"),
    )  # fmt: skip
    rank: int = _residual(16, "directions of the learned pose subspace (ours)", low=1, high=256)
    closed_below: float = _model(
        20.0, "yaw below which a yaw-aware gate is shut; frontal ends at 15 (ours)", low=0.0, high=90.0, unit="°",
        acts_when=lambda v: v.model != "transformer" or v.gate == "yaw",
    )  # fmt: skip
    abstain: float = _residual(
        0.0, "return the raw feature where it is unsure, so that this share of faces may be harmed; 0: never (ours)",
        low=0.0, high=1.0,
    )  # fmt: skip
    width: int = _transformer(64, "width of the tokens", low=8, high=2048)
    depth: int = _transformer(1, "pose-aware layers (the document gives no number)", low=1, high=24)
    pooling: str = _transformer("mean", "pooling of the tokens", choices=("mean", "weighted", "attention"))
    gate: str = _transformer("learned", "yaw shuts the learned gate at yaw 0 (I11)", choices=("learned", "yaw"))

    removal: float = _share(1.0, "share of the pose contamination that is removed (the document: 1, then 0.3)")
    blend: float = _share(1.0, "multiplies removal (I1; the document: none, then 0.5)")

    similarity_width: int = _losses(512, "width of the identity loss: 256 (before), 512 (after)", low=256, high=512)
    protect: str = _losses(
        "raw", "protection compares with the detached raw feature or the model's own base (I6)", choices=("raw", "base")
    )
    lambda_identity: float = param(2.0, "1 − cosine to the target (1.0 → 2.0)", _WEIGHT)
    lambda_pose: float = param(0.3, "predicted pose (0.5 → 0.3)", _WEIGHT)
    lambda_orthogonality: float = param(0.05, "identity ⟂ contamination (0.1 → 0.05)", _WEIGHT)
    lambda_contrast: float = param(0.2, "people apart (0.3 → 0.2)", _WEIGHT)
    lambda_reconstruction: float = param(0.5, "raw from identity + pose (0.2 → 0.5)", _WEIGHT)
    lambda_protection: float = param(0.5, "no fall of the similarity (none → 0.5)", _WEIGHT)

    phases: str = _phases(
        "none", "λ_identity 5 and nothing else first, or a small λ_identity first (I10)",
        choices=("none", "identity-first", "small-identity-first"),
    )  # fmt: skip
    phase_epochs: int = _length(3, "length of the first phase (ours)")
    ramp_epochs: int = _length(3, "length of the ramp after it (ours)")

    epochs: int = _training(12, "passes over the training faces (the document: 150)", EPOCHS)
    batch_size: int = _training(64, "faces per step (the document: 32)", low=2)
    lr: float = _training(1e-3, "learning rate (the document: 1e-4, or 5e-5)", RATE)
    identity_lr_scale: float = _training(1.0, "the identity layers learn at lr times this", RATE_FACTOR)
    precision: str = _training("fp32", "of the forward passes (the document: mixed)", PRECISION)
    evaluate_every: int = _training(2, "epochs between evaluations on the held-out people (ours)", low=1)
    compared: list[str] = _training(COMPARED, "variants that are trained beside this run")

    threads: int = execution(1, "CPU threads; one is as fast as two on small networks; 0 leaves them to torch", low=0)

    @rule("similarity_width")
    def _similarity_width(values: Any) -> str | None:
        return None if values.similarity_width in (256, 512) else "allowed: 256 or 512"

    @rule("model", "similarity_width")
    def _residual_has_512(values: Any) -> str | None:
        lacks = values.model != "transformer" and values.similarity_width == 256
        return "the residual has no 256-d identity; use similarity_width 512, or model 'transformer'" if lacks else None

    @rule("width", "model")
    def _heads(values: Any) -> str | None:
        return None if values.width % 8 == 0 else "the width is shared by 8 heads; use a multiple of 8"

    _known_variants = among("compared", VARIANTS)

    @rule("people", "held_out")
    def _people(values: Any) -> str | None:
        fewest = values.people * min(values.held_out, 1 - values.held_out)
        return "at least 2 people are needed on either side of the split" if fewest < 2 else None

    def variant(self, name: str, *, runs: str = "") -> Self:
        """These parameters as a named variant, which never resumes, replays or branches this run.

        Args:
            name: one of `VARIANTS`; the parameters that it does not name stay.
            runs: where the variant's own run folder goes; empty: beside this run's.

        Raises:
            ValueError: an unknown name.
        """
        return self.varied(name, VARIANTS, runs=runs or self.runs)

    def first_phase(self) -> dict[str, float]:
        """Weights of the first phase; empty without phases. λ 5 is the document's, the small one (0.2) ours (I10)."""
        if self.phases == "identity-first":
            return dict.fromkeys(self.loss_weights(), 0.0) | {"lambda_identity": 5.0}
        return {"lambda_identity": 0.2} if self.phases == "small-identity-first" else {}

    def loss_weights(self) -> dict[str, float]:
        """The six weights by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name.startswith("lambda_")}
