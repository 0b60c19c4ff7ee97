"""Layers of the identity networks: pose-aware transformer layers, pooling, the yaw gate and the enhancer.

Source: identity §1; claims I1, I2, I11.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, softplus

TOKENS = 8
Pooling = Literal["mean", "weighted", "attention"]
Gate = Literal["learned", "yaw"]


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
            identity: `[B, d]` and `[B, p]` of the two heads.
            pose_features: `[B, d]` and `[B, p]` of the two heads.
            pose: `[B, 3]` degrees.
            removal: factors in [0, 1].
            blend: factors in [0, 1].
        """
        contamination = self.to_contamination(pose_features)
        gate = self.gate_net(torch.cat([identity, pose_features], dim=1)).sigmoid()
        if self.yaw_gate is not None:
            gate = gate * self.yaw_gate(pose)
        cleaned = identity - removal * gate * contamination
        return identity + blend * (cleaned - identity), contamination, gate
