"""Networks that take pose out of a face feature: the document's token transformer, and our residual in a subspace.

Both are called alike, `model(features, pose, removal, blend) -> Enhanced`, so the same losses, variants and
diagnostics serve both. Source: identity §1, §2; claims I1–I5, I11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, scaled_dot_product_attention, softplus

from gannb.experiments.identity.faces import WIDTH
from gannb.experiments.identity.params import Identity

TOKENS = 8

Pooling = Literal["mean", "weighted", "attention"]
Gate = Literal["learned", "yaw"]


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


class PoseEmbedding(nn.Module):
    """Yaw, pitch, roll in degrees `[B, 3]` to `[B, width]`, through their sines and cosines."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, pose: Tensor) -> Tensor:
        """Pose `[B, 3]` → `[B, width]`."""
        angle = torch.deg2rad(pose)
        return self.net(torch.cat([angle.sin(), angle.cos()], dim=1))


class AdaptiveNorm(nn.Module):
    """Layer normalisation whose scale and shift follow the pose; a plain one at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Tokens `[B, T, width]`, condition `[B, width]` → `[B, T, width]`."""
        scale, shift = self.modulation(condition).unsqueeze(1).chunk(2, dim=2)
        return self.norm(tokens) * (1 + scale) + shift


class PoseAwareLayer(nn.Module):
    """A transformer layer with adaptive norms and a pose bias on queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = AdaptiveNorm(width), AdaptiveNorm(width)
        self.qkv, self.pose_bias = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width, bias=False)
        self.merge = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Tokens `[B, T, width]`, condition `[B, width]` → `[B, T, width]`."""
        biased = self.qkv(self.before_attention(tokens, condition)) + self.pose_bias(condition).unsqueeze(1)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in biased.chunk(3, dim=2))
        tokens = tokens + self.merge(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.before_mlp(tokens, condition))


class TokenPooling(nn.Module):
    """The mean of tokens, one learned weight per position, or attention by one learned query.

    Raises:
        ValueError: another kind.
    """

    def __init__(self, width: int, kind: Pooling) -> None:
        super().__init__()
        self.kind = kind
        if kind == "weighted":
            self.weight = nn.Parameter(torch.zeros(TOKENS))
        elif kind == "attention":
            self.query = nn.Parameter(torch.randn(width) / math.sqrt(width))
        elif kind != "mean":
            raise ValueError(f"pooling is {kind!r}, allowed are 'mean', 'weighted', 'attention'")

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens `[B, T, width]` → `[B, width]`."""
        if self.kind == "mean":
            return tokens.mean(dim=1)
        scores = self.weight if self.kind == "weighted" else tokens @ self.query
        return (scores.softmax(dim=-1).unsqueeze(-1) * tokens).sum(dim=1)


class YawGate(nn.Module):
    """A gate that is exactly 0 for frontal faces and opens with |yaw| beyond them.

    gate = 1 − exp(−((|yaw| − closed_below)₊ / opens_at)^sharpness), with `opens_at` and `sharpness` learned.

    The sharpness stays above 1, so that the gate leaves 0 with slope 0. After the yaw-driven gate of DREAM (Cao et
    al., CVPR 2018); claim I11.

    Args:
        closed_below: degrees of yaw below which the gate is shut. Frontal faces define the target, so nothing should
            be taken from them; and a gate that may open there learns to, on the people it is trained on.
        opens_at, sharpness: where the two start; degrees beyond `closed_below`, and an exponent above 1.

    Raises:
        ValueError: a negative angle.
    """

    def __init__(self, closed_below: float = 15.0, opens_at: float = 20.0, sharpness: float = 2.0) -> None:
        super().__init__()
        if closed_below < 0:
            raise ValueError(f"closed_below is an angle of 0 or more, got {closed_below}")
        self.closed_below = closed_below
        self.log_angle = nn.Parameter(torch.tensor(math.log(opens_at)))
        self.raw_sharpness = nn.Parameter(torch.tensor(math.log(math.expm1(sharpness - 1))))

    @property
    def opens_at(self) -> Tensor:
        """Degrees beyond `closed_below` at which the gate is 1 − 1/e open; 0-d."""
        return self.log_angle.exp()

    @property
    def sharpness(self) -> Tensor:
        """The exponent, above 1; 0-d."""
        return 1 + softplus(self.raw_sharpness)

    def forward(self, pose: Tensor) -> Tensor:
        """Pose `[B, 3]` degrees → `[B, 1]` in [0, 1)."""
        with torch.autocast(pose.device.type, enabled=False):
            turned = (pose[:, :1].float().abs() - self.closed_below) / self.opens_at
            # the power's gradient is 0·log 0 where the gate is shut: keep off zero there, and shut it by hand
            opened = -torch.expm1(-(turned.clamp_min(1e-6) ** self.sharpness))
            return torch.where(turned > 0, opened, torch.zeros_like(opened))


class IdentityEnhancer(nn.Module):
    """Take `removal` of the gated pose contamination out, and go `blend` of the way there.

    enhanced = identity − blend · removal · gate · contamination: the document's two lines (§1) are one rescaled
    subtraction (claims I1, I2). Its first version is removal 1, blend 1.

    Args:
        identity, pose: widths of the two heads.
        gate: `"learned"`, or `"yaw"`: the learned gate times one that closes at yaw 0.
        closed_below: degrees of yaw below which that one is shut.

    Raises:
        ValueError: another gate.
    """

    def __init__(self, identity: int, pose: int, gate: Gate, closed_below: float = 15.0) -> None:
        super().__init__()
        if gate not in ("learned", "yaw"):
            raise ValueError(f"gate is {gate!r}, allowed are 'learned', 'yaw'")
        self.to_contamination = nn.Linear(pose, identity)
        self.gate_net = nn.Sequential(nn.Linear(identity + pose, identity // 2), nn.ReLU(), nn.Linear(identity // 2, 1))
        self.yaw_gate = YawGate(closed_below) if gate == "yaw" else None

    def forward(
        self, identity: Tensor, pose_features: Tensor, pose: Tensor, removal: Tensor | float, blend: Tensor | float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(enhanced identity `[B, d]`, contamination `[B, d]`, gate `[B, 1]`).

        Args:
            identity, pose_features: `[B, d]` and `[B, p]` of the two heads.
            pose: `[B, 3]` degrees.
            removal, blend: factors in [0, 1].
        """
        contamination = self.to_contamination(pose_features)
        gate = self.gate_net(torch.cat([identity, pose_features], dim=1)).sigmoid()
        if self.yaw_gate is not None:
            gate = gate * self.yaw_gate(pose)
        cleaned = identity - removal * gate * contamination
        return identity + blend * (cleaned - identity), contamination, gate


class IdentityTransformer(nn.Module):
    """The document's model: a feature as 8 tokens, pose-aware layers, identity and pose heads, a gated removal.

    Args:
        width: of the tokens, divisible by `heads` (the document's: 512).
        depth: pose-aware layers.
        heads: of attention.
        pooling: how the tokens become one vector.
        gate: `"learned"`, or `"yaw"`: the learned gate times one that closes at yaw 0.
        closed_below: degrees of yaw below which that one is shut.
        identity, pose: widths of the two heads.

    Raises:
        ValueError: a width that the heads do not divide.
    """

    def __init__(
        self,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 8,
        pooling: Pooling = "mean",
        gate: Gate = "learned",
        closed_below: float = 15.0,
        identity: int = 256,
        pose: int = 128,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not divisible by {heads} heads")
        self.lift = nn.Linear(WIDTH // TOKENS, width)
        self.position = nn.Parameter(0.02 * torch.randn(TOKENS, width))
        self.pose_embedding = PoseEmbedding(width)
        self.layers = nn.ModuleList(PoseAwareLayer(width, heads) for _ in range(depth))
        self.norm, self.pooling = nn.LayerNorm(width), TokenPooling(width, pooling)
        self.identity_head, self.pose_head = nn.Linear(width, identity), nn.Linear(width, pose)
        self.pose_reading = nn.Linear(pose, 3)
        self.enhancer = IdentityEnhancer(identity, pose, gate, closed_below)
        # The ways back belong to the model, trained and saved with it (claim I5).
        self.identity_to_feature, self.pose_to_feature = nn.Linear(identity, WIDTH), nn.Linear(pose, WIDTH)
        self.feature_to_identity = nn.Linear(WIDTH, identity)  # for the first version's comparison in 256-d

    def forward(
        self, features: Tensor, pose: Tensor, removal: Tensor | float = 0.3, blend: Tensor | float = 0.5
    ) -> Enhanced:
        """The outputs for a batch.

        Args:
            features: `[B, 512]` of any length.
            pose: `[B, 3]` degrees.
            removal, blend: the enhancer's factors, in [0, 1].
        """
        unit = normalize(features, dim=1) * math.sqrt(WIDTH)  # entries near 1, whatever the embedder's scale
        tokens = self.lift(unit.unflatten(1, (TOKENS, -1))) + self.position
        condition = self.pose_embedding(pose)
        for layer in self.layers:
            tokens = layer(tokens, condition)
        pooled = self.pooling(self.norm(tokens))
        base, pose_features = self.identity_head(pooled), self.pose_head(pooled)
        enhanced, contamination, gate = self.enhancer(base, pose_features, pose, removal, blend)
        length = features.norm(dim=1, keepdim=True)  # cleaned features are as long as the raw ones
        output = length * self.identity_to_feature(enhanced)
        return Enhanced(
            output=output,
            base=base,
            identity=enhanced,
            contamination=contamination,
            gate=gate,
            pose=self.pose_reading(pose_features),
            rebuilt=output + length * self.pose_to_feature(pose_features),
            base_output=length * self.identity_to_feature(base),
        )

    def identity_layers(self) -> list[nn.Parameter]:
        """What may learn at another rate: the identity head, the enhancer and the way back to 512-d."""
        parts = (self.identity_head, self.enhancer, self.identity_to_feature)
        return [parameter for part in parts for parameter in part.parameters()]


class PoseResidual(nn.Module):
    """`repaired`: output = raw − removal · blend · gate(yaw) · P(raw), P a projection onto a learned subspace.

    What is taken away can only be what lies in `rank` learned directions, and nothing is taken at yaw 0, where the
    feature comes back as it went in. The pose is read off the coordinates within the subspace.

    Args:
        rank: directions of the subspace.
        closed_below: degrees of yaw below which the gate is shut.

    Raises:
        ValueError: a rank outside [1, 511].

    Source: ours; claims I4 (bounded), I5 (a residual on the raw 512-d feature), I11 (the gate closes).
    """

    def __init__(self, *, rank: int = 8, closed_below: float = 15.0) -> None:
        super().__init__()
        if not 1 <= rank < WIDTH:
            raise ValueError(f"rank must lie in [1, {WIDTH - 1}], got {rank}")
        # Only their span counts, so their length sets how fast they turn: short ones keep up with the other weights.
        self.directions = nn.Parameter(0.1 * torch.randn(WIDTH, rank) / math.sqrt(WIDTH))
        self.gate = YawGate(closed_below)
        self.pose_reading = nn.Sequential(nn.Linear(rank, 32), nn.SiLU(), nn.Linear(32, 3))

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
            removal, blend: the enhancer's factors, in [0, 1].
        """
        with torch.autocast(features.device.type, enabled=False):  # a residual of float16 products would not be exact
            raw, basis = features.float(), self.basis()
            coordinates = raw @ basis
            contamination, gate = coordinates @ basis.T, self.gate(pose)
            output = raw - removal * blend * gate * contamination
        return Enhanced(
            output=output,
            base=raw,
            identity=output,
            contamination=contamination,
            gate=gate,
            pose=self.pose_reading(normalize(raw, dim=1) @ basis * math.sqrt(basis.shape[1])),
            rebuilt=output + removal * blend * gate * contamination,
            base_output=raw,
        )

    def identity_layers(self) -> list[nn.Parameter]:
        """What may learn at another rate: the directions."""
        return [self.directions]


def build(p: Identity) -> IdentityTransformer | PoseResidual:
    """The network that the parameters configure."""
    if p.model == "residual":
        return PoseResidual(rank=p.rank, closed_below=p.closed_below)
    return IdentityTransformer(
        width=p.width, depth=p.depth, pooling=p.pooling, gate=p.gate, closed_below=p.closed_below
    )


@torch.no_grad()
def clean(
    features: Tensor, pose: Tensor, model: nn.Module, *, removal: float = 1.0, blend: float = 1.0, batch: int = 1024
) -> Tensor:
    """Take pose out of features with a trained model, in eval mode and float32.

    Args:
        features, pose: `[N, 512]` and `[N, 3]` degrees.
        model: either of the two networks here; its mode is put back afterwards.
        removal, blend: as the model was trained with.
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
