"""Controllers: small networks from the state of training to shares of the ranges that numbers may move in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LIMIT = 3.0
"""Logits that a controller should not go beyond: shares stay within 0.047 and 0.953, where a sigmoid still learns."""

Memory = tuple[Tensor, Tensor] | None
"""What an LSTM remembers; an MLP remembers nothing."""


class MetaController(nn.Module):
    """State `[features]` → logits of shares `[numbers]`, by an MLP (schedules §3.2: 128, 64, sigmoid).

    Args:
        features, numbers: sizes.
        hidden: widths of the hidden layers.
        start: the shares it answers at first, whatever the state, as far as `LIMIT` lets them.
    """

    def __init__(
        self, features: int, numbers: int, hidden: Sequence[int] = (128, 64), *, start: Sequence[float] = ()
    ) -> None:
        super().__init__()
        sizes = [features, *hidden]
        layers = [part for i in range(len(hidden)) for part in (nn.Linear(sizes[i], sizes[i + 1]), nn.ReLU())]
        self.body = nn.Sequential(*layers)
        self.head = _head(sizes[-1], numbers, start)

    def forward(self, state: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Logits `[numbers]`, and what to hand in with the next state."""
        return self.head(self.body(state)), None


class LSTMController(nn.Module):
    """State `[features]` → logits of shares `[numbers]`, by an LSTM cell that remembers earlier states.

    Args:
        features, numbers: sizes.
        hidden: numbers it remembers.
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
    """The last layer: small weights, so that it begins with the same answer to every state."""
    if start and len(start) != numbers:
        raise ValueError(f"{len(start)} shares to start from for {numbers} numbers")
    head = nn.Linear(width, numbers)
    nn.init.normal_(head.weight, std=0.01)
    shares = torch.tensor(start or [0.5] * numbers)
    with torch.no_grad():
        head.bias.copy_(shares.logit().clamp(-LIMIT, LIMIT))
    return head
