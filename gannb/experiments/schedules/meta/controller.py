"""Controllers: small networks from the state of training to shares of the ranges of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

LIMIT = 3.0
"""Logits beyond which a controller is penalised: shares stay within 0.047 and 0.953, where a sigmoid still learns."""

Memory = tuple[Tensor, Tensor] | None
"""The state of an LSTM; None of an MLP."""


class MetaController(nn.Module):
    """State `[features]` → logits of shares `[numbers]`, by an MLP (schedules §3.2: 128, 64, sigmoid).

    Args:
        features, numbers: sizes.
        hidden: widths of the hidden layers.
        start: the initial shares, whatever the state, as far as `LIMIT` allows.
    """

    def __init__(
        self, features: int, numbers: int, hidden: Sequence[int] = (128, 64), *, start: Sequence[float] = ()
    ) -> None:
        super().__init__()
        sizes = [features, *hidden]
        self.body = nn.Sequential(*(part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())))
        self.head = _head(sizes[-1], numbers, start)

    def forward(self, state: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Logits `[numbers]`, and what to hand in with the next state."""
        return self.head(self.body(state)), None


class LSTMController(nn.Module):
    """State `[features]` → logits of shares `[numbers]`, by an LSTM cell.

    Args:
        features, numbers: sizes.
        hidden: width of the cell.
        start: as `MetaController`.
    """

    def __init__(self, features: int, numbers: int, hidden: int = 32, *, start: Sequence[float] = ()) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(features, hidden)
        self.head = _head(hidden, numbers, start)

    def forward(self, state: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Logits `[numbers]`, and what to hand in with the next state."""
        memory = self.cell(state[None], memory)
        return self.head(memory[0][0]), memory


def _head(width: int, numbers: int, start: Sequence[float]) -> nn.Linear:
    """The last layer: small weights, so that every state gives the same shares at first."""
    if start and len(start) != numbers:
        raise ValueError(f"{len(start)} shares to start from for {numbers} numbers")
    head = nn.Linear(width, numbers)
    nn.init.normal_(head.weight, std=0.01)
    shares = torch.tensor(start or [0.5] * numbers)
    with torch.no_grad():
        head.bias.copy_(shares.logit().clamp(-LIMIT, LIMIT))
    return head
