"""Networks that take pose out of a face feature: the document's token transformer, and our residual in a subspace.

Both are called alike, `model(features, pose, removal, blend) -> Enhanced`, so the same losses, variants and
diagnostics serve both. Source: identity §1, §2; claims I1–I5, I11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from gannb.experiments.identity import layers
from gannb.experiments.identity.faces import WIDTH
from gannb.experiments.identity.params import Identity

HEADS, IDENTITY, POSE = 8, 256, 128
"""Of the document's model: heads of attention, and the widths of its identity and its pose."""


@dataclass(frozen=True)
class Enhanced:
    """The outputs of a model for a batch of features.

    Attributes:
        output: `[B, 512]` the cleaned feature.
        base: identity before the removal, `[B, d]`: 256 in the document's model, 512 in `PoseResidual`.
        identity: identity after the removal, `[B, d]`.
        contamination: what the removal takes as pose, before gate and factors, `[B, d]`.
        gate: `[B, 1]` in [0, 1].
        pose: predicted yaw, pitch, roll over 90°, `[B, 3]`.
        rebuilt: `[B, 512]` the feature put together again from identity and pose.
        base_output: `[B, 512]` what `output` would be without the removal.
    """

    output: Tensor
    base: Tensor
    identity: Tensor
    contamination: Tensor
    gate: Tensor
    pose: Tensor
    rebuilt: Tensor
    base_output: Tensor


class IdentityTransformer(nn.Module):
    """The document's model: a feature as 8 tokens, pose-aware layers, identity and pose heads, a gated removal.

    Args:
        width: of the tokens, divisible by `HEADS` (the document's: 512).
        depth: pose-aware layers.
        pooling: how the tokens become one vector.
        gate: `"learned"`, or `"yaw"`: the learned gate times one that closes at yaw 0.
        closed_below: degrees of yaw below which that one is shut.

    Raises:
        ValueError: a width that the heads do not divide.
    """

    def __init__(
        self,
        *,
        width: int = 512,
        depth: int = 4,
        pooling: layers.Pooling = "mean",
        gate: layers.Gate = "learned",
        closed_below: float = 15.0,
    ) -> None:
        super().__init__()
        if width % HEADS:
            raise ValueError(f"width {width} is not divisible by {HEADS} heads")
        self.lift = nn.Linear(WIDTH // layers.TOKENS, width)
        self.position = nn.Parameter(0.02 * torch.randn(layers.TOKENS, width))
        self.pose_embedding = layers.PoseEmbedding(width)
        self.layers = nn.ModuleList(layers.PoseAwareLayer(width, HEADS) for _ in range(depth))
        self.norm, self.pooling = nn.LayerNorm(width), layers.TokenPooling(width, pooling)
        self.identity_head, self.pose_head = nn.Linear(width, IDENTITY), nn.Linear(width, POSE)
        self.pose_reading = nn.Linear(POSE, 3)
        self.enhancer = layers.IdentityEnhancer(IDENTITY, POSE, gate, closed_below)
        # The ways back belong to the model, trained and saved with it (claim I5).
        self.identity_to_feature, self.pose_to_feature = nn.Linear(IDENTITY, WIDTH), nn.Linear(POSE, WIDTH)
        self.feature_to_identity = nn.Linear(WIDTH, IDENTITY)  # for the first version's comparison in 256-d

    def forward(
        self, features: Tensor, pose: Tensor, removal: Tensor | float = 0.3, blend: Tensor | float = 0.5
    ) -> Enhanced:
        """The outputs for a batch.

        Args:
            features: `[B, 512]` of any length.
            pose: `[B, 3]` degrees.
            removal: the enhancer's factors, in [0, 1].
            blend: the enhancer's factors, in [0, 1].
        """
        unit = normalize(features, dim=1) * math.sqrt(WIDTH)  # entries near 1, whatever the embedder's scale
        tokens = self.lift(unit.unflatten(1, (layers.TOKENS, -1))) + self.position
        condition = self.pose_embedding(pose)
        for layer in self.layers:
            tokens = layer(tokens, condition)
        pooled = self.pooling(self.norm(tokens))
        base, pose_features = self.identity_head(pooled), self.pose_head(pooled)
        enhanced, contamination, gate = self.enhancer(base, pose_features, pose, removal, blend)
        length = features.norm(dim=1, keepdim=True)  # cleaned features are as long as the raw ones
        output = length * self.identity_to_feature(enhanced)
        return Enhanced(
            output=output, base=base, identity=enhanced, contamination=contamination, gate=gate,
            pose=self.pose_reading(pose_features),
            rebuilt=output + length * self.pose_to_feature(pose_features),
            base_output=length * self.identity_to_feature(base),
        )  # fmt: skip

    def identity_layers(self) -> list[nn.Parameter]:
        """What may learn at another rate: the identity head, the enhancer and the way back to 512-d."""
        return list(nn.ModuleList((self.identity_head, self.enhancer, self.identity_to_feature)).parameters())


class PoseResidual(nn.Module):
    """`repaired`: output = raw − removal · blend · gate(yaw) · P(raw), P a projection onto a learned subspace.

    What is taken away can only be what lies in `rank` learned directions, and nothing is taken at yaw 0, where the
    feature comes back as it went in. The pose is read off the coordinates within the subspace.

    Args:
        rank: directions of the subspace.
        closed_below: degrees of yaw below which the gate is shut.
        centred: remove P(raw − centre) instead of P(raw), with a learned centre: the part of a frontal face that lies
            in the subspace is the person's, and stays.
        abstains: outside training, a face whose cosine to `frontal` is above `limit` comes back raw; both are set by
            `abstention.calibrate`.

    Raises:
        ValueError: a rank outside [1, 511].

    Source: ours; claims I4 (bounded), I5 (a residual on the raw 512-d feature), I11 (the gate closes).
    """

    def __init__(
        self, *, rank: int = 8, closed_below: float = 15.0, centred: bool = False, abstains: bool = False
    ) -> None:
        super().__init__()
        if not 1 <= rank < WIDTH:
            raise ValueError(f"rank must lie in [1, {WIDTH - 1}], got {rank}")
        # Only their span counts, so their length sets how fast they turn: short ones keep up with the other weights.
        self.directions = nn.Parameter(0.1 * torch.randn(WIDTH, rank) / math.sqrt(WIDTH))
        self.gate = layers.YawGate(closed_below)
        self.pose_reading = nn.Sequential(nn.Linear(rank, 32), nn.SiLU(), nn.Linear(32, 3))
        self.centre = nn.Parameter(torch.zeros(WIDTH)) if centred else None
        self.abstains = abstains
        if abstains:
            self.register_buffer("frontal", torch.zeros(WIDTH))
            self.register_buffer("limit", torch.tensor(1.0))

    def basis(self) -> Tensor:
        """Orthonormal basis of the learned pose subspace, `[512, rank]`."""
        return torch.linalg.qr(self.directions.float())[0]

    def forward(
        self, features: Tensor, pose: Tensor, removal: Tensor | float = 1.0, blend: Tensor | float = 1.0
    ) -> Enhanced:
        """The outputs for a batch.

        Args:
            features: `[B, 512]` of any length.
            pose: `[B, 3]` degrees.
            removal: the enhancer's factors, in [0, 1].
            blend: the enhancer's factors, in [0, 1].
        """
        with torch.autocast(features.device.type, enabled=False):  # a residual of float16 products would not be exact
            raw, basis = features.float(), self.basis()
            away = raw if self.centre is None else raw - raw.norm(dim=1, keepdim=True) * self.centre
            contamination, gate = (away @ basis) @ basis.T, self.gate(pose)
            if self.abstains and not self.training:
                gate = gate * (cosine_similarity(raw, self.frontal) <= self.limit).unsqueeze(1)
            output = raw - removal * blend * gate * contamination
        return Enhanced(
            output=output, base=raw, identity=output, contamination=contamination, gate=gate, base_output=raw,
            pose=self.pose_reading(normalize(raw, dim=1) @ basis * math.sqrt(basis.shape[1])),
            rebuilt=output + removal * blend * gate * contamination,
        )  # fmt: skip

    def identity_layers(self) -> list[nn.Parameter]:
        """What may learn at another rate: the directions."""
        return [self.directions] if self.centre is None else [self.directions, self.centre]


def recipe(p: Identity) -> tuple[type[IdentityTransformer] | type[PoseResidual], dict[str, Any]]:
    """The network that the parameters configure, and its arguments."""
    if p.model == "transformer":
        names = ("width", "depth", "pooling", "gate", "closed_below")
        return IdentityTransformer, {name: getattr(p, name) for name in names}
    more = {"centred": p.model == "centred", "abstains": p.abstain > 0}
    return PoseResidual, {"rank": p.rank, "closed_below": p.closed_below, **more}


def build(p: Identity) -> IdentityTransformer | PoseResidual:
    """The network that the parameters configure."""
    kind, arguments = recipe(p)
    return kind(**arguments)


@torch.no_grad()
def clean(
    features: Tensor, pose: Tensor, model: nn.Module, *, removal: float = 1.0, blend: float = 1.0, batch: int = 1024
) -> Tensor:
    """Take pose out of features with a trained model, in eval mode and float32.

    Args:
        features: `[N, 512]` and `[N, 3]` degrees.
        pose: `[N, 512]` and `[N, 3]` degrees.
        model: either of the two networks here; its mode is put back afterwards.
        removal: as the model was trained with.
        blend: as the model was trained with.
        batch: rows at a time.

    Returns:
        `[N, 512]` float32 on the device of `features`.
    """
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    try:
        parts = zip(features.float().split(batch), pose.float().split(batch))
        cleaned = [model(f.to(device), p.to(device), removal, blend).output.float() for f, p in parts]
    finally:
        model.train(was_training)
    return torch.cat(cleaned).to(features.device)
