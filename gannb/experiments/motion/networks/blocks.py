"""Parts of the motion networks: residual block, channel attention, attention over time, body-hand attention."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Order = Literal["parallel", "sequential", "off"]


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm with 16 channels a group, which does not mix clips."""
    return nn.GroupNorm(max(1, channels // 16), channels)


class ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))) on `[B, C, T]`, with group norm."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.norms = nn.ModuleList(group_norm(channels) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, T]` to the same shape."""
        h = x
        for norm, conv in zip(self.norms, self.convs):
            h = conv(F.leaky_relu(norm(h), 0.2))
        return x + h


class ChannelAttention(nn.Module):
    """Weigh channels by what the whole clip says: squeeze and excitation (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        narrow = max(4, channels // reduction)
        self.squeeze, self.excite = nn.Linear(channels, narrow), nn.Linear(narrow, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, T]` to the same shape."""
        weights = self.excite(F.leaky_relu(self.squeeze(x.mean(-1)), 0.2)).sigmoid()
        return x * weights.unsqueeze(-1)


class Attention(nn.Module):
    """Multi-head attention of one sequence over another (Vaswani et al. 2017).

    Written out: it has second derivatives, which the gradient penalty needs, and is no slower at these lengths.

    Args:
        channels: features of queries and context; divisible by `heads`.
        heads: attention heads.

    Raises:
        ValueError: channels that cannot be divided among the heads.
    """

    def __init__(self, channels: int, heads: int = 8) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"attention: {channels} channels cannot be divided among {heads} heads")
        self.heads = heads
        self.query, self.out = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """What queries `[B, T, C]` find in the context `[B, S, C]`: `[B, T, C]`."""
        query = self._split(self.query(queries))
        key, value = map(self._split, self.key_value(context).chunk(2, dim=-1))
        weights = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1)
        return self.out((weights @ value).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, H, T, C/H]


class TemporalSelfAttention(nn.Module):
    """x + attention over time of LayerNorm(x), on `[B, C, T]`."""

    def __init__(self, channels: int, heads: int = 8) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(channels), Attention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, T]` to the same shape."""
        frames = self.norm(x.transpose(1, 2))
        return x + self.attention(frames, frames).transpose(1, 2)


class BodyHandAttention(nn.Module):
    """Body and hands look at each other: LayerNorm(X + Attention(queries X, keys and values Y)), both ways.

    Source: motion_balance, "mathematical form of body-hand attention". In the formula both sides see the other as it
    was (`parallel`); the code's name `body_hand` lets the hands go first and the body see the new hands (`sequential`),
    and the queries are named here so that no reader has to guess (M16).

    Args:
        channels: features of both; 256 in the document.
        heads: 8 in the document.
        order: `parallel` or `sequential`; with `off` both pass through unchanged.

    Raises:
        ValueError: another order.
    """

    def __init__(self, channels: int, heads: int = 8, order: Order = "parallel") -> None:
        super().__init__()
        if order not in ("parallel", "sequential", "off"):
            raise ValueError(f"body_hand is {order!r}; allowed: parallel, sequential, off")
        self.order = order
        if order != "off":
            self.hand_queries_body = Attention(channels, heads)
            self.body_queries_hand = Attention(channels, heads)
            self.hand_norm, self.body_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)

    def forward(self, body: Tensor, hand: Tensor) -> tuple[Tensor, Tensor]:
        """Body and hand features `[B, T, C]`, enhanced."""
        if self.order == "off":
            return body, hand
        new_hand = self.hand_norm(hand + self.hand_queries_body(hand, body))
        seen = new_hand if self.order == "sequential" else hand
        return self.body_norm(body + self.body_queries_hand(body, seen)), new_hand
